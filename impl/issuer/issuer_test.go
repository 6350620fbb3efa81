package issuer_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/impl/app"
	"parley/impl/core/fault"
	"parley/impl/issuer"
	"parley/impl/testkit"
)

const audience = "parley-api"

func (p process) claims(edits map[string]any) map[string]any {
	claims := map[string]any{
		"iss": p.url, "aud": audience, "sub": "ada", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "scope": "openid webchat:read",
	}
	for name, value := range edits {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	return claims
}

// clock is a time that tests move.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) pass(d time.Duration) { c.ahead.Add(int64(d)) }

func issuerOf(p process, c *clock) *issuer.Issuer {
	return issuer.New(issuer.Options{URL: p.url, Audience: audience, Client: &http.Client{}, Now: c.now})
}

func kindOf(err error) fault.Kind {
	if err == nil {
		return -1
	}
	return fault.KindOf(err)
}

func TestOnlyTokensInForceForUsAreTaken(t *testing.T) {
	t.Parallel()
	p, other := startIssuer(t), startIssuer(t)
	i := issuerOf(p, &clock{})
	claims, err := i.Verify(t.Context(), p.sign(t, "", nil))
	if err != nil || claims.Subject != "ada" || claims.All["scope"] != "openid webchat:read" {
		t.Fatalf("%+v, %v", claims, err)
	}
	if _, err := i.Verify(t.Context(), p.sign(t, "", map[string]any{"aud": []string{"others", audience}})); err != nil {
		t.Errorf("one of several audiences: %v", err)
	}
	good := p.sign(t, "", nil)
	parts := strings.Split(good, ".")
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
	for name, text := range map[string]string{
		"another audience":  p.sign(t, "", map[string]any{"aud": "others"}),
		"no audience":       p.sign(t, "", map[string]any{"aud": nil}),
		"another issuer":    other.sign(t, "", nil),
		"a forged issuer":   other.sign(t, "", map[string]any{"iss": p.url}),
		"expired":           p.sign(t, "", map[string]any{"exp": time.Now().Add(-time.Second).Unix()}),
		"without an end":    p.sign(t, "", map[string]any{"exp": nil}),
		"not yet in force":  p.sign(t, "", map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}),
		"without signature": unsigned,
		"cut":               good[:len(good)-8],
		"changed":           parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"`+p.url+`","aud":"`+audience+`","sub":"eve","exp":9999999999}`)) + "." + parts[2],
		"no token":          "eyJ..",
		"huge":              good + strings.Repeat("a", 20_000),
	} {
		if _, err := i.Verify(t.Context(), text); kindOf(err) != fault.Unauthenticated {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A rotated key is found when the first token names it; the old one stops
// working once the keys are looked at again.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	p, c := startIssuer(t), &clock{}
	i := issuerOf(p, c)
	old := p.sign(t, "", nil)
	if _, err := i.Verify(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		p.call(t, "/rotate", nil)
		c.pass(6 * time.Second)
		if _, err := i.Verify(t.Context(), p.sign(t, "", nil)); err != nil {
			t.Fatalf("after a rotation: %v", err)
		}
	}
	if _, err := i.Verify(t.Context(), old); kindOf(err) != fault.Unauthenticated {
		t.Errorf("a token of a withdrawn key: %v", err)
	}
}

func TestCachedKeysOutliveTheIssuer(t *testing.T) {
	t.Parallel()
	p, c := startIssuer(t), &clock{}
	i := issuerOf(p, c)
	first, second := p.sign(t, "", nil), p.sign(t, "", map[string]any{"sub": "bob", "exp": time.Now().Add(24 * time.Hour).Unix()})
	if _, err := i.Verify(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	p.end()
	for range 3 {
		c.pass(15 * time.Minute)
		if _, err := i.Verify(t.Context(), second); err != nil {
			t.Errorf("with the issuer away: %v", err)
		}
	}
	if _, err := issuerOf(p, c).Verify(t.Context(), second); kindOf(err) != fault.Unavailable {
		t.Errorf("keys that were never had: %v", err)
	}
}

// However many tokens name keys that nobody knows, the issuer is hardly asked.
func TestUnknownKeysDoNotFloodTheIssuer(t *testing.T) {
	t.Parallel()
	p, c := startIssuer(t), &clock{}
	i := issuerOf(p, c)
	if _, err := i.Verify(t.Context(), p.sign(t, "", nil)); err != nil {
		t.Fatal(err)
	}
	before := p.call(t, "/asked", nil)
	c.pass(6 * time.Second)
	texts := make([]string, 50)
	for n := range texts {
		texts[n] = p.sign(t, fmt.Sprintf("?kid=unknown-%d", n), nil)
	}
	var all sync.WaitGroup
	for _, text := range texts {
		all.Go(func() {
			if _, err := i.Verify(t.Context(), text); kindOf(err) != fault.Unauthenticated {
				t.Errorf("%v", err)
			}
		})
	}
	all.Wait()
	var asked, had int
	if _, err := fmt.Sscan(p.call(t, "/asked", nil)+" "+before, &asked, &had); err != nil {
		t.Fatal(err)
	}
	// One look is the configuration and the keys. The clock of the test goes on: a slow machine may come to a second one.
	if asked-had < 2 || asked-had > 4 {
		t.Errorf("50 tokens of unknown keys asked the issuer %d times", asked-had)
	}
}

// The whole way: a token acts in the account that it or the operator names, within its scopes.
func TestTokensOfTheIssuerActOnEverySurface(t *testing.T) {
	t.Parallel()
	p := startIssuer(t)
	s := testkit.New(t, func(c *app.Config) {
		c.OIDCIssuer, c.OIDCAudience, c.OIDCAccountClaim, c.OIDCScopeClaim = p.url, audience, "parley_account", "scope"
	})
	a := s.Account(t, testkit.Unlimited, 0)
	made := a.Key(t)
	in := func(edits map[string]any) map[string]any {
		claims := map[string]any{"parley_account": a.ID}
		for name, value := range edits {
			claims[name] = value
		}
		return claims
	}
	for name, c := range map[string]struct {
		path  string
		edits map[string]any
		want  int
	}{
		"within its scopes":            {"/api/v1/sessions", in(nil), http.StatusOK},
		"scopes as a list":             {"/api/v1/agents", in(map[string]any{"scope": []string{"characters"}}), http.StatusOK},
		"an app of the account":        {"/api/v1/sessions", in(map[string]any{"parley_app": made.AppID}), http.StatusOK},
		"beyond its scopes":            {"/api/v1/agents", in(nil), http.StatusForbidden},
		"without scopes":               {"/api/v1/sessions", in(map[string]any{"scope": nil}), http.StatusForbidden},
		"an administrator":             {"/api/v1/keys", in(map[string]any{"scope": "admin"}), http.StatusOK},
		"an operator by its own claim": {"/api/v1/admin/accounts", in(map[string]any{"scope": "admin operator"}), http.StatusForbidden},
		"no account":                   {"/api/v1/sessions", nil, http.StatusUnauthorized},
		"an account that is not":       {"/api/v1/sessions", map[string]any{"parley_account": "acct_none"}, http.StatusUnauthorized},
		"an account that is no text":   {"/api/v1/sessions", map[string]any{"parley_account": 5}, http.StatusUnauthorized},
		"an app that is not":           {"/api/v1/sessions", in(map[string]any{"parley_app": "app_none"}), http.StatusUnauthorized},
		"another audience":             {"/api/v1/sessions", in(map[string]any{"aud": "others"}), http.StatusUnauthorized},
	} {
		if got := s.Do(t, testkit.Request{Path: c.path, Key: p.sign(t, "", c.edits)}); got.Status != c.want {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	s.Do(t, testkit.Request{Path: "/api/v1/sessions", Key: made.Text}).Want(t, http.StatusOK)
	if lines := s.Logs.Of("eyJ"); len(lines) > 0 {
		t.Errorf("a token is in the log: %q", lines)
	}
}
