package issuer_test

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/db"
	"parley/impl/app"
	"parley/impl/core/fault"
	"parley/impl/core/key"
	"parley/impl/core/oidc"
	"parley/impl/core/user"
	"parley/impl/issuer"
	"parley/impl/testkit"
)

// public is where browsers find the console; the tests reach it at the server's own address.
const public = "https://console.example"

// console is a server that signs people in at an issuer.
type console struct {
	*testkit.Server
	issuer  process
	account testkit.Account
}

func startConsole(t *testing.T, edits ...testkit.Option) console {
	t.Helper()
	p := startIssuer(t)
	opts := append([]testkit.Option{func(c *app.Config) {
		c.OIDCIssuer, c.OIDCClientID, c.OIDCClientSecret, c.PublicURL = p.url, clientID, clientSecret, public
	}}, edits...)
	s := testkit.New(t, opts...)
	return console{Server: s, issuer: p, account: s.Account(t, testkit.Unlimited, 0)}
}

// is makes whoever signs in at the issuer somebody with these claims.
func (c console) is(t *testing.T, claims map[string]any) {
	t.Helper()
	c.issuer.call(t, "/person", claims)
}

func verified(email string) map[string]any {
	return map[string]any{"email": email, "email_verified": true}
}

func (c console) invite(t *testing.T, email string, role key.Role) db.User {
	t.Helper()
	made, err := c.App.Users.Create(t.Context(), user.CreateInput{AccountID: c.account.ID, Email: email, Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return made.User
}

// browser keeps cookies as browsers do, by name.
type browser map[string]string

func (b browser) header() map[string]string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(b)) {
		pairs = append(pairs, name+"="+b[name])
	}
	return map[string]string{"Cookie": strings.Join(pairs, "; ")}
}

// get sends the browser to a path of the console and keeps the cookies of the answer.
func (b browser) get(t *testing.T, c console, path string) testkit.Response {
	t.Helper()
	r := testkit.Request{Path: path}
	if len(b) > 0 {
		r.Header = b.header()
	}
	got := c.Do(t, r)
	for _, cookie := range (&http.Response{Header: got.Header}).Cookies() {
		if b[cookie.Name] = cookie.Value; cookie.MaxAge < 0 {
			delete(b, cookie.Name)
		}
	}
	return got
}

const start = "/api/v1/sign-in/oidc"

// ask sends the browser to the issuer and returns the path by which it comes back.
func (b browser) ask(t *testing.T, c console, returnTo string) string {
	t.Helper()
	path := start
	if returnTo != "" {
		path += "?return_to=" + url.QueryEscape(returnTo)
	}
	got := b.get(t, c, path).Want(t, http.StatusFound)
	for _, part := range []string{"HttpOnly", "Secure", "SameSite=Lax", "Max-Age=600", "Path=" + start} {
		if !strings.Contains(got.Header.Get("Set-Cookie"), part) {
			t.Errorf("the cookie %q lacks %s", got.Header.Get("Set-Cookie"), part)
		}
	}
	return authorize(t, got.Header.Get("Location"))
}

// authorize visits the issuer and returns the path by which it sends the browser back.
func authorize(t *testing.T, at string) string {
	t.Helper()
	visitor := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := visitor.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	back, own := strings.CutPrefix(res.Header.Get("Location"), public)
	if res.StatusCode != http.StatusFound || !own {
		t.Fatalf("the issuer answers %d and sends to %q", res.StatusCode, res.Header.Get("Location"))
	}
	return back
}

// signIn takes the browser all the way and returns the last answer.
func (b browser) signIn(t *testing.T, c console) testkit.Response {
	t.Helper()
	return b.get(t, c, b.ask(t, c, ""))
}

func TestAnInvitedPersonSignsInAtTheIssuer(t *testing.T) {
	t.Parallel()
	c := startConsole(t)
	made := c.invite(t, "grace@example.com", key.Admin)
	c.is(t, verified("Grace@Example.com"))
	b := browser{}
	got := b.get(t, c, b.ask(t, c, "/api/v1/keys?limit=5")).Want(t, http.StatusFound)
	if got.Header.Get("Location") != "/api/v1/keys?limit=5" || b["parley_session"] == "" || b["parley_sign_in"] != "" {
		t.Errorf("sent to %q with the cookies %v", got.Header.Get("Location"), b)
	}
	b.get(t, c, got.Header.Get("Location")).Want(t, http.StatusOK)
	if got := (browser{}).signIn(t, c).Want(t, http.StatusFound); got.Header.Get("Location") != "/api/v1/me" {
		t.Errorf("by default sent to %q", got.Header.Get("Location"))
	}
	events, err := c.DB.AuditEvents(t.Context(), c.account.ID, db.AuditFilter{Action: "user.signed_in", Limit: 10})
	if err != nil || len(events) != 2 {
		t.Fatalf("booked %+v, %v", events, err)
	}
	if e := events[0]; e.Target != made.ID || e.ActorKind != "user" || e.ActorID != made.ID || e.Address != "127.0.0.1" || !strings.Contains(string(e.Details), "oidc") {
		t.Errorf("booked %+v %s", e, e.Details)
	}
}

// A key that the issuer has changed is found by the first sign-in that it signs.
func TestSigningInOutlivesTheIssuersKeys(t *testing.T) {
	t.Parallel()
	p, c := startIssuer(t), &clock{}
	client := issuer.NewClient(issuer.Options{URL: p.url, Client: &http.Client{}, Now: c.now}, issuer.ClientOptions{
		ID: clientID, Secret: clientSecret, Redirect: public + start + "/callback",
	})
	verifier := "a verifier of which the issuer knows the digest"
	sum := sha256.Sum256([]byte(verifier))
	question := oidc.Question{State: "state", Nonce: "nonce", Challenge: base64.RawURLEncoding.EncodeToString(sum[:])}
	for range 3 {
		at, err := client.Ask(t.Context(), question)
		if err != nil {
			t.Fatal(err)
		}
		back := authorize(t, at)
		claims, err := client.Exchange(t.Context(), query(t, back, "code"), verifier)
		if err != nil || claims.Subject != "ada" || claims.All["nonce"] != "nonce" {
			t.Fatalf("%+v, %v", claims, err)
		}
		if _, err := client.Exchange(t.Context(), query(t, back, "code"), verifier); kindOf(err) != fault.Unauthenticated {
			t.Errorf("a code that was used: %v", err)
		}
		if _, err := client.Exchange(t.Context(), query(t, authorize(t, at), "code"), "another verifier"); kindOf(err) != fault.Unauthenticated {
			t.Errorf("a stolen code: %v", err)
		}
		p.call(t, "/rotate", nil)
		c.pass(6 * time.Second)
	}
}

// Whom the issuer does not vouch for, or nobody here knows, gets no session.
func TestWhoMayNotSignIn(t *testing.T) {
	t.Parallel()
	c := startConsole(t)
	c.invite(t, "grace@example.com", key.Member)
	c.invite(t, "grace@example.comk", key.Member)
	gone := c.invite(t, "gone@example.com", key.Member)
	off := false
	if _, err := c.App.Users.Update(t.Context(), c.account.ID, nil, gone.ID, user.UpdateInput{Active: &off}); err != nil {
		t.Fatal(err)
	}
	with := func(name string, value any) map[string]any {
		claims := verified("grace@example.com")
		claims[name] = value
		return claims
	}
	for name, who := range map[string]struct {
		claims map[string]any
		want   int
	}{
		"nobody":              {verified("eve@example.com"), http.StatusForbidden},
		"somebody inactive":   {verified("gone@example.com"), http.StatusForbidden},
		"an unverified one":   {map[string]any{"email": "grace@example.com", "email_verified": false}, http.StatusUnauthorized},
		"verification untold": {map[string]any{"email": "grace@example.com"}, http.StatusUnauthorized},
		"a disguised one":     {verified("grace@example.com\u212a"), http.StatusUnauthorized},
		"no address":          {map[string]any{"email_verified": true}, http.StatusUnauthorized},
		"another audience":    {with("aud", "another client"), http.StatusUnauthorized},
		"another party":       {with("azp", "another client"), http.StatusUnauthorized},
		"another issuer":      {with("iss", "https://login.evil.example"), http.StatusUnauthorized},
		"an old token":        {with("exp", 1_700_000_000), http.StatusUnauthorized},
		"another nonce":       {with("nonce", "of another sign-in"), http.StatusUnauthorized},
		"no nonce":            {with("nonce", nil), http.StatusUnauthorized},
	} {
		c.is(t, who.claims)
		b := browser{}
		if got := b.signIn(t, c); got.Status != who.want || b["parley_session"] != "" {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	c.is(t, verified("grace@example.com"))
	browser{}.signIn(t, c).Want(t, http.StatusFound)
	if lines := c.Logs.Of("eve@example.com"); len(lines) > 0 {
		t.Errorf("an address is in the log: %q", lines)
	}
}

// Whoever gets the address of somebody who has signed in is somebody else.
func TestAnAddressThatChangesHandsLetsNobodyIn(t *testing.T) {
	t.Parallel()
	c := startConsole(t)
	c.invite(t, "grace@example.com", key.Admin)
	as := func(subject any) testkit.Response {
		claims := verified("grace@example.com")
		claims["sub"] = subject
		c.is(t, claims)
		return browser{}.signIn(t, c)
	}
	as("grace").Want(t, http.StatusFound)
	as("the next one").Want(t, http.StatusForbidden)
	as("").Want(t, http.StatusUnauthorized)
	as("grace").Want(t, http.StatusFound)
	refused, err := c.DB.AuditEvents(t.Context(), c.account.ID, db.AuditFilter{Action: "user.sign_in_refused", Limit: 10})
	if err != nil || len(refused) == 0 || !strings.Contains(string(refused[len(refused)-1].Details), "another subject") {
		t.Errorf("booked %+v, %v", refused, err)
	}
}

// A return is good for the browser that began it, once, and for a while.
func TestAReturnFitsItsBeginning(t *testing.T) {
	t.Parallel()
	c := startConsole(t)
	c.invite(t, "grace@example.com", key.Member)
	c.is(t, verified("grace@example.com"))
	victim, attacker := browser{}, browser{}
	back, stolen := victim.ask(t, c, ""), attacker.ask(t, c, "")
	refused := func(name string, b browser, path string) {
		t.Helper()
		had := maps.Clone(b)
		if got := b.get(t, c, path); got.Status != http.StatusUnauthorized || b["parley_session"] != had["parley_session"] {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	refused("a return that another browser began", victim, stolen)
	refused("a browser that began nothing", browser{}, back)
	refused("another state", victim, strings.Replace(back, "state=", "state=X", 1))
	refused("what was not sealed here", browser{"parley_sign_in": "bm90IHNlYWxlZA"}, back)
	refused("the issuer's refusal", victim, start+"/callback?error=access_denied&state="+query(t, back, "state"))
	refused("another issuer", victim, back+"&iss="+url.QueryEscape("https://login.evil.example"))
	refused("another code", victim, strings.Replace(back, "code=", "code=X", 1))
	kept := maps.Clone(victim)
	victim.get(t, c, back+"&iss="+url.QueryEscape(c.issuer.url)).Want(t, http.StatusFound)
	refused("the same return again", kept, back)
	refused("a return without its beginning", victim, back)
	c.Do(t, testkit.Request{Path: start + "/callback"}).Want(t, http.StatusBadRequest)
}

func query(t *testing.T, path, name string) string {
	t.Helper()
	u, err := url.Parse(path)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get(name)
}

func TestASignInLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	c := startConsole(t)
	for _, to := range []string{
		"https://evil.example", "//evil.example", `/\evil.example`, `/a\b`, "/\t/evil.example", "/\n/evil.example", "evil", "javascript:alert(1)",
		" /", "/ /evil.example", "https:evil.example",
	} {
		got := c.Do(t, testkit.Request{Path: start + "?return_to=" + url.QueryEscape(to)})
		if got.Status != http.StatusBadRequest || got.Header.Get("Set-Cookie") != "" {
			t.Errorf("%q: %d", to, got.Status)
		}
	}
	for _, to := range []string{"/", "/console/keys?page=2#top", "/a//b"} {
		browser{}.ask(t, c, to)
	}
}

// The operator admits everybody of a domain to an account, without an invitation.
func TestADomainIsAdmitted(t *testing.T) {
	t.Parallel()
	first := testkit.New(t)
	account := first.Account(t, testkit.Unlimited, 0)
	p := startIssuer(t)
	s := testkit.Beside(t, first, func(c *app.Config) {
		c.OIDCIssuer, c.OIDCClientID, c.OIDCClientSecret, c.PublicURL = p.url, clientID, clientSecret, public
		c.OIDCDomains, c.OIDCDomainsIn = []string{"Corp.example"}, account.ID
	})
	c := console{Server: s, issuer: p, account: account}
	for email, want := range map[string]int{
		"ada@corp.example": http.StatusFound, "eve@evilcorp.example": http.StatusForbidden, "eve@corp.example.evil.example": http.StatusForbidden,
		"corp.example@evil.example": http.StatusForbidden,
	} {
		claims := verified(email)
		claims["name"] = "Ada Lovelace"
		c.is(t, claims)
		if got := (browser{}).signIn(t, c); got.Status != want {
			t.Errorf("%s: %d %s", email, got.Status, got.Body)
		}
	}
	claims := verified("bob@corp.example")
	claims["email_verified"] = false
	c.is(t, claims)
	browser{}.signIn(t, c).Want(t, http.StatusUnauthorized)
	people, err := c.DB.Users(t.Context(), account.ID, "", 10)
	if err != nil || len(people) != 1 || people[0].Role != "member" || people[0].Name != "Ada Lovelace" || people[0].PasswordHash != nil {
		t.Errorf("admitted %+v, %v", people, err)
	}
}

func TestSigningInNeedsTheIssuer(t *testing.T) {
	t.Parallel()
	c := startConsole(t)
	c.invite(t, "grace@example.com", key.Member)
	c.is(t, verified("grace@example.com"))
	b := browser{}
	back := b.ask(t, c, "")
	c.issuer.end()
	b.get(t, c, back).Want(t, http.StatusServiceUnavailable)
	away := startConsole(t)
	away.issuer.end()
	if got := (browser{}).get(t, away, start).Want(t, http.StatusServiceUnavailable); got.Header.Get("Retry-After") == "" {
		t.Error("a refusal without Retry-After")
	}
	plain := testkit.Shared(t)
	for _, path := range []string{start, start + "/callback?state=none"} {
		plain.Do(t, testkit.Request{Path: path}).Want(t, http.StatusNotFound)
	}
}

func TestSigningInAtTheIssuerIsLimitedByAddress(t *testing.T) {
	t.Parallel()
	c := startConsole(t, func(c *app.Config) { c.AddressRate = 60 })
	for _, path := range []string{start, start + "/callback?state=none"} {
		status := 0
		for range 200 {
			if status = c.Do(t, testkit.Request{Path: path}).Status; status == http.StatusTooManyRequests {
				break
			}
		}
		if status != http.StatusTooManyRequests {
			t.Errorf("%s is not limited", path)
		}
	}
}
