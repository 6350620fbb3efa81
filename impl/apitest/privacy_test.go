package apitest_test

import (
	"net/http"
	"strings"
	"testing"

	"parley/db"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// What clients and models say, and every key, stays out of the log, whatever happens.
func TestLogHoldsNoSecretsAndNoText(t *testing.T) {
	t.Parallel()
	s := testkit.New(t)
	x := tenantOf(t, s, testkit.Unlimited, plenty)
	said, answered, wrong, upstreamKey := testkit.Canary(), testkit.Canary(), testkit.Canary(), testkit.Canary()
	x.Upstream(t,
		providertest.SSE("answer "+answered), providertest.SSE("answer "+answered),
		providertest.Status(http.StatusBadRequest, "bad", "you said "+said+" with "+upstreamKey), providertest.Cut(answered))
	x.Agent(t, func(a *db.Agent) { a.Name = said })
	everywhere := map[string]string{
		"Cookie": "session=" + wrong, "User-Agent": wrong, "Referer": "https://site.example/?api_key=" + wrong, "X-Forwarded-For": wrong, "Last-Event-ID": wrong,
	}
	chat := func(path string, body any, status int) {
		t.Helper()
		s.Do(t, testkit.Request{Path: path, Body: body, Header: everywhere}).Want(t, status)
	}
	key := x.key.Text
	chat("/api/v1/chat?api_key="+key, map[string]any{"message": said}, http.StatusOK)
	chat("/api/v1/chat", map[string]any{"message": said, "api_key": key}, http.StatusOK)
	chat("/api/v1/chat", map[string]any{"message": said, "api_key": key}, http.StatusBadGateway)
	chat("/api/v1/chat", map[string]any{"message": said, "api_key": key, "stream": true}, http.StatusOK)
	chat("/api/v1/chat", map[string]any{"message": said, "api_key": wrong}, http.StatusUnauthorized)
	chat("/api/v1/chat?api_key="+wrong, map[string]any{"message": said}, http.StatusUnauthorized)
	chat("/api/v1/chat?api_key="+key, map[string]any{"message": strings.Repeat(said, 2000)}, http.StatusBadRequest)
	chat("/api/v1/chat?api_key="+key, `{"message": "`+said, http.StatusBadRequest)
	x.do(t, testkit.Request{Path: "/api/v1/agents/" + said}).Want(t, http.StatusNotFound)
	x.do(t, testkit.Request{Path: "/nowhere/" + said + "?q=" + wrong}).Want(t, http.StatusNotFound)
	x.do(t, testkit.Request{Method: "A" + strings.ToUpper(said)[:14], Path: "/api/v1/chat"}).Want(t, http.StatusMethodNotAllowed)
	s.Database.Cut()
	x.do(t, testkit.Request{Path: "/api/v1/chat", Body: map[string]any{"message": said}}).Want(t, http.StatusServiceUnavailable)
	s.Database.Restore()
	log := s.Logs.String()
	for name, secret := range map[string]string{
		"message": said, "answer": answered, "stranger's key": wrong, "key": key, "key's random part": key[len("parley_sk_"):30], "upstream key": upstreamKey,
		"upstream key's prefix": "upstream-key-", "connection string": "sslmode",
	} {
		if strings.Contains(strings.ToLower(log), strings.ToLower(secret)) {
			t.Errorf("the log holds the %s: %.500s", name, s.Logs.Of(secret))
		}
	}
	if lines := s.Logs.Of(x.key.ID); len(lines) < 5 || !strings.Contains(lines[0], `"operation":"sendWebchatMessage"`) {
		t.Errorf("the log does not name the key and the operation: %q", lines)
	}
}

// Only a digest of a key is stored.
func TestKeysAreNotStored(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	for _, text := range []string{x.key.Text, x.key.Text[len("parley_sk_"):], x.key.Text[30:]} {
		if tables := tablesWith(t, x.server, text); len(tables) > 0 {
			t.Errorf("a part of the key is stored in %v", tables)
		}
	}
}

// A client's text cannot begin a line of the log.
func TestLineEndsCannotForgeTheLog(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	got := x.do(t, testkit.Request{Path: "/api/v1/agents/x%0d%0a%7B%22level%22:%22ERROR%22%7D"})
	got.Want(t, http.StatusBadRequest)
	for _, line := range x.server.Logs.Of(got.Header.Get("X-Request-Id")) {
		if !strings.HasPrefix(line, `{"time":`) {
			t.Errorf("log line %q", line)
		}
	}
}

// What every answer carries, so that no browser or cache makes more of it than it is.
func TestAnswersCarrySafeHeaders(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	for _, r := range []testkit.Request{
		{Path: "/api/v1/agents"}, {Path: "/nowhere"}, {Path: "/api/v1/agents/none"}, {Path: "/healthz"}, {Method: "PUT", Path: "/api/v1/agents"},
		{Path: "/api/v1/chat", Body: map[string]any{"message": "Hi", "stream": true}},
	} {
		got := x.do(t, r)
		wantHeader(t, got, "X-Content-Type-Options", "nosniff")
		wantHeader(t, got, "Cache-Control", "no-store")
		wantHeader(t, got, "X-Frame-Options", "DENY")
		wantHeader(t, got, "Server", "")
		if got.Header.Get("Set-Cookie") != "" || got.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s: headers %v", r.Path, got.Header)
		}
	}
}
