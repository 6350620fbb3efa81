package apitest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"parley/impl/testkit"
)

const site = "https://shop.example"

func TestPreflightAdmitsAnyOriginWithoutCredentials(t *testing.T) {
	t.Parallel()
	s, x := testkit.Shared(t), newTenant(t)
	for _, op := range testkit.Operations() {
		r := x.sample(t, op)
		r.Method, r.Body = http.MethodOptions, nil
		r.Header = map[string]string{
			"Origin": site, "Access-Control-Request-Method": op.Method, "Access-Control-Request-Headers": "authorization,content-type",
		}
		got := s.Do(t, r).Want(t, http.StatusNoContent)
		wantHeader(t, got, "Access-Control-Allow-Origin", "*")
		wantHeader(t, got, "Access-Control-Allow-Credentials", "")
		wantHeader(t, got, "Access-Control-Allow-Methods", strings.Join(testkit.MethodsOf(op.Path), ", "))
		if allowed := strings.ToLower(got.Header.Get("Access-Control-Allow-Headers")); !strings.Contains(allowed, "authorization") || !strings.Contains(allowed, "content-type") {
			t.Errorf("%s: headers %q", op.OperationID, allowed)
		}
	}
	got := s.Do(t, testkit.Request{Method: http.MethodOptions, Path: "/nowhere", Header: map[string]string{"Origin": site}})
	got.Want(t, http.StatusNotFound)
}

// lookAlikes are origins that a careless comparison would take for https://shop.example.
var lookAlikes = []string{
	"null", "http://shop.example", "https://shop.example.evil.example", "https://evilshop.example", "https://shop.example:8443",
	"https://www.shop.example", "https://shop.example.", "https://shop.example/", "https://shop.example@evil.example",
	"https://shop.example, https://evil.example", "https://shopxexample", "shop.example", "https://shop.example%00", "*",
}

func TestPublishableKeyWorksFromItsOriginsAlone(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	text := x.Key(t, testkit.Publishable(site, "http://localhost:3000")).Text
	ask := func(origin string) testkit.Response {
		r := testkit.Request{Path: "/api/v1/chat", Key: text, Body: map[string]any{"message": "Hi"}, Header: map[string]string{}}
		if origin != "" {
			r.Header["Origin"] = origin
		}
		return x.server.Do(t, r)
	}
	for _, origin := range []string{site, "http://localhost:3000", "HTTPS://SHOP.EXAMPLE"} {
		wantHeader(t, ask(origin).Want(t, http.StatusOK), "Access-Control-Allow-Origin", "*")
	}
	for _, origin := range lookAlikes {
		// The page may read the refusal, or its developer would search for hours.
		wantHeader(t, ask(origin).Want(t, http.StatusForbidden), "Access-Control-Allow-Origin", "*")
	}
	ask("").Want(t, http.StatusForbidden)
	if tables := tablesWith(t, x.server, x.ID); len(tables) == 0 {
		t.Error("the admitted messages were not stored")
	}
}

func TestPublishableKeyWithoutOriginsAdmitsNoBrowser(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.key = x.Key(t, testkit.Publishable())
	for _, origin := range []string{"", site, "null"} {
		r := testkit.Request{Path: "/api/v1/chat", Body: map[string]any{"message": "Hi"}, Header: map[string]string{"Origin": origin}}
		x.do(t, r).Want(t, http.StatusForbidden)
	}
}

func TestSecretKeyWithOriginsRefusesOthers(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.key = x.Key(t, testkit.Origins(site))
	list := func(origin string) testkit.Response {
		r := testkit.Request{Path: "/api/v1/agents"}
		if origin != "" {
			r.Header = map[string]string{"Origin": origin}
		}
		return x.do(t, r)
	}
	list("").Want(t, http.StatusOK)
	list(site).Want(t, http.StatusOK)
	for _, origin := range lookAlikes {
		list(origin).Want(t, http.StatusForbidden)
	}
}

func TestPublishableKeyReadsNeitherUsageNorOthersSessions(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.key = x.Key(t, testkit.Publishable(site), testkit.App(x.key.AppID))
	origin := map[string]string{"Origin": site}
	for _, r := range []testkit.Request{
		{Path: "/api/v1/usage"},
		{Path: "/api/v1/sessions?include_all=true"},
		{Path: "/api/v1/sessions?confirm=all", Method: http.MethodDelete},
	} {
		r.Header = origin
		x.do(t, r).Want(t, http.StatusForbidden)
	}
}

// A page can read what the document promises it.
func TestPagesMayReadTheDocumentedHeaders(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	got := x.do(t, testkit.Request{Path: "/api/v1/agents", Header: map[string]string{"Origin": site}}).Want(t, http.StatusOK)
	exposed := strings.ToLower(got.Header.Get("Access-Control-Expose-Headers"))
	for _, op := range testkit.Operations() {
		for _, response := range op.Responses.Map() {
			for name := range response.Value.Headers {
				if slices.Contains([]string{"WWW-Authenticate", "ETag", "Cache-Control", "Pragma", "Set-Cookie", "Upgrade"}, name) {
					continue // nothing that a script needs, or that it may read anyway
				}
				if !strings.Contains(exposed, strings.ToLower(name)) {
					t.Errorf("%s: a page cannot read %s", op.OperationID, name)
				}
			}
		}
	}
}
