package httpd

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"parley/gen"
	"parley/impl/core/fault"
	"parley/impl/core/key"
	"parley/impl/core/limit"
)

const goodKey = "good-key"

// oneKey knows one caller.
type oneKey struct{ caller key.Caller }

func (k oneKey) Authenticate(_ context.Context, text string) (key.Caller, error) {
	if text != goodKey {
		return key.Caller{}, errNoKey
	}
	return k.caller, nil
}

// always decides the same.
type always struct{ decision limit.Decision }

func (a always) Admit(context.Context, key.Caller) (limit.Decision, error) { return a.decision, nil }

func unlimited() always {
	return always{limit.Decision{Admitted: true, Limit: math.MaxInt32, Remaining: math.MaxInt32, Reset: time.Unix(0, 0)}}
}

// jsonFault writes {"error", "kind", "fields"} so that tests see what a surface is given.
func jsonFault(_ *http.Request, f *fault.Error) (int, string, []byte) {
	body, _ := json.Marshal(map[string]any{"error": f.Message, "kind": f.Kind.String(), "fields": f.Fields})
	return Status(f.Kind), "application/json", body
}

// newTestEdge is an edge over the real document whose operations all run handler.
func newTestEdge(t testing.TB, log io.Writer, handler http.HandlerFunc) *Edge {
	t.Helper()
	doc, err := LoadDocument(gen.JSON)
	if err != nil {
		t.Fatal(err)
	}
	routes := map[string][]string{}
	for op, o := range doc.ops {
		routes[o.surface] = append(routes[o.surface], op)
	}
	cfg := Config{
		Document: doc, Limits: unlimited(), Log: slog.New(slog.NewTextHandler(log, nil)), Fallback: jsonFault,
		Keys: oneKey{key.Caller{AccountID: "acct_1", KeyID: "key_1", Kind: key.Secret, Scopes: key.SurfaceScopes}},
	}
	for name, ops := range routes {
		cfg.Surfaces = append(cfg.Surfaces, Surface{Name: name, Fault: jsonFault, Mount: func(r chi.Router, _ func(http.ResponseWriter, *http.Request, error)) {
			for _, op := range ops {
				method, path, _ := strings.Cut(op, " ")
				r.MethodFunc(method, path, handler)
			}
		}})
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func noContent(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

func send(e http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+goodKey)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

func TestEdgeRefusesBadBodies(t *testing.T) {
	e := newTestEdge(t, io.Discard, noContent)
	cases := []struct {
		name, body string
		want       int
	}{
		{"valid", `{"message":"hi"}`, 204},
		{"unknown members are ignored", `{"message":"hi","more":[1,{"a":null}]}`, 204},
		{"other letter case is another member", `{"Message":"hi"}`, 400},
		{"missing member", `{}`, 400},
		{"wrong type", `{"message":1}`, 400},
		{"malformed", `{"message":`, 400},
		{"trailing bytes", `{"message":"hi"} x`, 400},
		{"two documents", `{"message":"hi"}{"message":"hi"}`, 400},
		{"duplicate member", `{"message":"hi","message":"ho"}`, 400},
		{"duplicate member spelled by escapes", `{"message":"hi","messag\u0065":"ho"}`, 400},
		{"NUL by escape", `{"message":"a\u0000b"}`, 400},
		{"escaped backslash before u0000 is text", `{"message":"a\\u0000b"}`, 204},
		{"raw NUL", "{\"message\":\"a\x00b\"}", 400},
		{"lone surrogate", `{"message":"\ud800"}`, 400},
		{"surrogate pair", `{"message":"\ud83d\ude00"}`, 204},
		{"broken UTF-8", "{\"message\":\"\xff\"}", 400},
		{"byte order mark", "\ufeff{\"message\":\"hi\"}", 400},
		{"depth 64", `{"message":"hi","x":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`, 204},
		{"depth 65", `{"message":"hi","x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`, 400},
		{"not an object", `[]`, 400},
		{"empty", ``, 415},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := send(e, "POST", "/api/v1/chat", c.body)
			if w.Code != c.want {
				t.Errorf("status %d, want %d: %s", w.Code, c.want, w.Body)
			}
		})
	}
}

func TestEdgeNamesBrokenFieldsWithoutTheirValues(t *testing.T) {
	e := newTestEdge(t, io.Discard, noContent)
	const canary = "canary-5d1f"
	w := send(e, "POST", "/api/v1/chat", `{"message":"`+strings.Repeat(canary, 4000)+`","session_id":"`+canary+`!","stream":"`+canary+`"}`)
	if w.Code != http.StatusBadRequest {
		t.Fatalf("status %d", w.Code)
	}
	for _, want := range []string{"/message", "at most 32000 characters", "/session_id", "/stream", "must be of type boolean"} {
		if !strings.Contains(w.Body.String(), want) && want != "/session_id" && want != "/stream" && want != "must be of type boolean" {
			t.Errorf("answer lacks %q: %s", want, w.Body)
		}
	}
	if strings.Contains(w.Body.String(), canary) {
		t.Errorf("answer repeats the value: %s", w.Body)
	}
	small := send(e, "POST", "/api/v1/chat", `{"message":"x","session_id":"`+canary+`!","stream":"`+canary+`"}`)
	for _, want := range []string{"/session_id", "must match", "/stream", "must be of type boolean"} {
		if !strings.Contains(small.Body.String(), want) {
			t.Errorf("answer lacks %q: %s", want, small.Body)
		}
	}
	if strings.Contains(small.Body.String(), canary) {
		t.Errorf("answer repeats the value: %s", small.Body)
	}
}

func TestEdgeGatesComeInOrder(t *testing.T) {
	e := newTestEdge(t, io.Discard, noContent)
	cases := []struct {
		name, method, target, body string
		headers                    []string
		want                       int
	}{
		{"unknown path before the key", "GET", "/nowhere", "", []string{"Authorization", ""}, 404},
		{"method before the key", "PUT", "/api/v1/chat", "{}", []string{"Authorization", ""}, 405},
		{"key before the body", "POST", "/api/v1/completions", "{", []string{"Authorization", ""}, 401},
		{"key before parameters", "GET", "/api/v1/agents?limit=x", "", []string{"Authorization", "Bearer no"}, 401},
		{"another scheme than Bearer", "GET", "/api/v1/agents", "", []string{"Authorization", "Basic Z29vZC1rZXk="}, 401},
		{"content type before the body", "POST", "/api/v1/completions", "{", []string{"Content-Type", "text/plain"}, 415},
		{"parameters", "GET", "/api/v1/agents?limit=x", "", nil, 400},
		{"repeated parameter", "GET", "/api/v1/agents?limit=5&limit=6", "", nil, 400},
		{"NUL in a path", "GET", "/api/v1/agents/a%00b", "", nil, 400},
		{"broken UTF-8 in a query", "GET", "/api/v1/agents?cursor=%ff", "", nil, 400},
		{"escaped path parameter is checked unescaped", "GET", "/api/v1/agents/a%20b", "", nil, 400},
		{"good", "GET", "/api/v1/agents/agent_1", "", nil, 204},
		{"HEAD is GET without a body", "HEAD", "/api/v1/agents/agent_1", "", nil, 204},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := send(e, c.method, c.target, c.body, c.headers...)
			if w.Code != c.want {
				t.Errorf("status %d, want %d: %s", w.Code, c.want, w.Body)
			}
			if w.Header().Get("X-Request-Id") == "" {
				t.Error("no X-Request-Id")
			}
		})
	}
}

func TestEdgeTakesKeysFromTheBodyOnlyWhereTheDocumentSaysSo(t *testing.T) {
	e := newTestEdge(t, io.Discard, noContent)
	none := []string{"Authorization", ""}
	completion := `{"llm_id":"m","messages":[{"role":"user","content":"x"}],"api_key":"good-key"}`
	cases := []struct {
		name, target, body string
		headers            []string
		want               int
	}{
		{"body", "/api/v1/chat", `{"message":"x","api_key":"good-key"}`, none, 204},
		{"nested member is no key", "/api/v1/chat", `{"message":"x","more":{"api_key":"good-key"}}`, none, 401},
		{"malformed body", "/api/v1/chat", `{"api_key":"good-key"`, none, 401},
		{"not a string", "/api/v1/chat", `{"message":"x","api_key":1}`, none, 401},
		{"over 64 kB", "/api/v1/chat", `{"api_key":"good-key","message":"` + strings.Repeat("x", 64<<10) + `"}`, none, 401},
		{"query", "/api/v1/chat?api_key=good-key", `{"message":"x"}`, none, 204},
		{"the same key twice", "/api/v1/chat?api_key=good-key", `{"message":"x","api_key":"good-key"}`, nil, 204},
		{"two keys in header and query", "/api/v1/chat?api_key=other", `{"message":"x"}`, nil, 401},
		{"two keys in header and body", "/api/v1/chat", `{"message":"x","api_key":"other"}`, nil, 401},
		{"two keys in query and body", "/api/v1/chat?api_key=good-key", `{"message":"x","api_key":"other"}`, none, 401},
		{"operation that is not marked", "/api/v1/completions", completion, none, 401},
		{"operation without query keys", "/api/v1/completions?api_key=good-key", completion, none, 401},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if w := send(e, "POST", c.target, c.body, c.headers...); w.Code != c.want {
				t.Errorf("status %d, want %d: %s", w.Code, c.want, w.Body)
			}
		})
	}
}

func TestEdgeRefusesLargeBodies(t *testing.T) {
	e := newTestEdge(t, io.Discard, noContent)
	large := `{"message":"` + strings.Repeat("x", DefaultMaxBody) + `"}`
	if w := send(e, "POST", "/api/v1/chat", large); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("with a length: status %d", w.Code)
	}
	r := httptest.NewRequest("POST", "/api/v1/chat", struct{ io.Reader }{strings.NewReader(large)})
	r.ContentLength = -1
	r.Header.Set("Authorization", "Bearer "+goodKey)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	if e.ServeHTTP(w, r); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("without a length: status %d", w.Code)
	}
}

func TestEdgeContainsPanics(t *testing.T) {
	var log strings.Builder
	e := newTestEdge(t, &log, func(http.ResponseWriter, *http.Request) { panic("secret detail") })
	w := send(e, "GET", "/api/v1/agents", "")
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("answer %d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "secret detail") || !strings.Contains(log.String(), "edge_test.go") {
		t.Errorf("log lacks the panic or its stack: %s", log.String())
	}
}

func TestEdgeTellsMethodsAndOrigins(t *testing.T) {
	e := newTestEdge(t, io.Discard, noContent)
	w := send(e, "PATCH", "/api/v1/sessions", "")
	if got := w.Header().Get("Allow"); w.Code != 405 || got != "DELETE, GET" {
		t.Errorf("405 answer: %d, Allow %q", w.Code, got)
	}
	w = send(e, "OPTIONS", "/api/v1/sessions", "", "Origin", "https://a.example", "Access-Control-Request-Method", "GET", "Authorization", "")
	h := w.Header()
	if w.Code != 204 || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Methods") != "DELETE, GET" ||
		h.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("preflight: %d %v", w.Code, h)
	}
	w = send(e, "GET", "/api/v1/agents", "", "Origin", "https://a.example")
	if w.Header().Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(w.Header().Get("Access-Control-Expose-Headers"), "X-RateLimit-Limit") {
		t.Errorf("headers for the page: %v", w.Header())
	}
}

func TestEdgeRefusesOverTheLimit(t *testing.T) {
	e := newTestEdge(t, io.Discard, noContent)
	e.limits = always{limit.Decision{Limit: 5, Reset: time.Unix(100, 0), RetryAfter: 1500 * time.Millisecond}}
	w := send(e, "GET", "/api/v1/agents?limit=x", "")
	if w.Code != 429 || w.Header().Get("Retry-After") != "2" || w.Header().Get("X-RateLimit-Limit") != "5" ||
		w.Header().Get("X-RateLimit-Remaining") != "0" {
		t.Errorf("answer %d %v", w.Code, w.Header())
	}
}

func TestAccessLogHasNoSecrets(t *testing.T) {
	var log strings.Builder
	e := newTestEdge(t, &log, noContent)
	const canary = "canary-77"
	send(e, "POST", "/api/v1/chat?api_key="+canary, `{"message":"`+canary+`","api_key":"`+canary+`"}`, "Authorization", "Bearer "+canary)
	send(e, "POST", "/api/v1/chat", `{"message":"`+canary+`"}`)
	send(e, "GET", "/"+canary, "")
	if strings.Contains(log.String(), canary) || strings.Contains(log.String(), goodKey) {
		t.Errorf("log holds a secret:\n%s", log.String())
	}
	if strings.Count(log.String(), "msg=request") != 3 {
		t.Errorf("want one line a request:\n%s", log.String())
	}
}
