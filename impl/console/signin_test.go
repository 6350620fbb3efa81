package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"parley/impl/core/key"
	"parley/impl/testkit"
)

// cookie is the session that the browser has; "" without one.
func (b *browser) cookie() string {
	b.t.Helper()
	at, err := url.Parse(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.jar.Cookies(at) {
		if c.Name == "parley_session" {
			return c.Value
		}
	}
	return ""
}

// Whoever signs in gets a session of their own: one that somebody else put into the browser is not taken over, the one before
// has ended, and a new password ends all that there are.
func TestASessionIsNewAtEverySignIn(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t)
	p := s.Account(t, testkit.Unlimited, 0).Person(t, key.Owner)
	signIn := func(b *browser, password string) (session string) {
		t.Helper()
		b.post("/console/sign-in", "email", p.Email, "password", password, "to", "/console/keys").leads(t, "/console/keys")
		b.get("/console/keys").want(t, http.StatusOK, p.Email)
		return b.cookie()
	}
	holding := func(session string) *browser { return as(t, s, testkit.Person{Session: session}) }
	refused := func(session string) {
		t.Helper()
		holding(session).get("/console/keys").leads(t, "/console/sign-in?to="+url.QueryEscape("/console/keys"))
	}
	for _, planted := range []string{"parley_us_" + strings.Repeat("0", 60), "x", strings.Repeat("y", 300)} {
		if got := signIn(holding(planted), p.Password); got == "" || got == planted {
			t.Errorf("the session is %q after %q was planted", got, planted)
		}
		refused(planted)
	}
	b, other := newBrowser(t, s), newBrowser(t, s)
	first, elsewhere := signIn(b, p.Password), signIn(other, p.Password)
	second := signIn(b, p.Password)
	if second == first || second == elsewhere {
		t.Errorf("two sessions are the same: %q", second)
	}
	refused(first)
	other.get("/console/keys").want(t, http.StatusOK)
	b.post("/console/password", "email", p.Email, "password", p.Password, "new_password", "another password", "repeated", "another password").leads(t, "/console/?done=password")
	if b.cookie() == second {
		t.Error("a new password leaves the session what it was")
	}
	b.get("/console/keys").want(t, http.StatusOK)
	refused(second)
	refused(elsewhere)
}

// Whoever guesses has to wait, and is told for how long, even when they guess right at last.
func TestGuessesAreSlowedDown(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t)
	p := s.Account(t, testkit.Unlimited, 0).Person(t, key.Owner)
	b := newBrowser(t, s)
	for range 100 {
		got := b.post("/console/sign-in", "email", p.Email, "password", "a guess of many")
		if got.status == http.StatusTooManyRequests {
			got.want(t, http.StatusTooManyRequests, `role="alert"`, "Try again in", "seconds").lacks(t, "a guess of many")
			if b.cookie() != "" {
				t.Error("a refused guess has a session")
			}
			return
		}
		got.want(t, http.StatusUnauthorized, `role="alert"`)
	}
	t.Error("a hundred guesses were all heard")
}
