package console_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"parley/impl/core/key"
	"parley/impl/testkit"
)

func TestThePlaygroundNeedsNoSession(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t)
	b := newBrowser(t, s)
	b.get("/console/playground").want(t, http.StatusOK, `id="playground"`, s.URL, `href="/docs"`).lacks(t, "Sign out", "your session is used")
	p := s.Account(t, testkit.Unlimited, 0).Person(t, key.Member)
	as(t, s, p).get("/console/playground").want(t, http.StatusOK, p.Email, "your session is used")
	ended := p
	ended.Session += "x"
	as(t, s, ended).get("/console/playground").want(t, http.StatusOK, `id="playground"`).lacks(t, "Sign out")
}

// What the page says of the address that it was asked under is data, whatever a client sends.
func TestThePlaygroundEscapesItsAddress(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t)
	r := httptest.NewRequest(http.MethodGet, "/console/playground?operation=%22%3E%3Cscript%3Ealert(1)", nil)
	r.Host = `evil"><script>alert(1)</script>`
	w := httptest.NewRecorder()
	s.App.Handler.ServeHTTP(w, r)
	if body := w.Body.String(); w.Code != http.StatusOK || strings.Contains(body, "<script>alert") {
		t.Errorf("%d %s", w.Code, shorten(body))
	}
}

func TestThePlaygroundsModulesAreThere(t *testing.T) {
	t.Parallel()
	b := newBrowser(t, testkit.Shared(t))
	body, bytes := b.get("/console/playground").body, 0
	for _, at := range regexp.MustCompile(`/console/static/[0-9a-f]+/[a-z-]+\.js`).FindAllString(body, -1) {
		got := b.get(at).want(t, http.StatusOK)
		if !strings.Contains(got.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %v", at, got.header)
		}
		bytes += len(got.body)
	}
	if bytes == 0 || bytes > 80_000 {
		t.Errorf("the modules take %d bytes", bytes)
	}
}
