package console_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"parley/impl/core/key"
	"parley/impl/testkit"
)

// browser is a person's: it keeps cookies and follows no redirect.
type browser struct {
	t    *testing.T
	http *http.Client
	url  string
	jar  *cookiejar.Jar
}

// page is an answer as a browser has it.
type page struct {
	status int
	header http.Header
	body   string
}

func newBrowser(t *testing.T, s *testkit.Server) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t: t, url: s.URL, jar: jar, http: &http.Client{
		Jar: jar, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// as is a browser in which somebody has signed in.
func as(t *testing.T, s *testkit.Server, p testkit.Person) *browser {
	t.Helper()
	b := newBrowser(t, s)
	at, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	b.jar.SetCookies(at, []*http.Cookie{{Name: "parley_session", Value: p.Session, Path: "/"}})
	return b
}

func (b *browser) do(r *http.Request) page {
	b.t.Helper()
	res, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return page{res.StatusCode, res.Header, string(body)}
}

func (b *browser) get(path string) page {
	b.t.Helper()
	r, err := http.NewRequest(http.MethodGet, b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(r)
}

// post sends a form as the page itself does; pairs are names and values.
func (b *browser) post(path string, pairs ...string) page {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	r, err := http.NewRequest(http.MethodPost, b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(r)
}

// want fails unless a page has the status and all texts.
func (p page) want(t *testing.T, status int, texts ...string) page {
	t.Helper()
	if p.status != status {
		t.Errorf("status %d, want %d: %s", p.status, status, shorten(p.body))
	}
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			t.Errorf("the page lacks %q: %s", text, shorten(p.body))
		}
	}
	return p
}

// lacks fails when the page has one of the texts.
func (p page) lacks(t *testing.T, texts ...string) page {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(p.body, text) {
			t.Errorf("the page has %q", text)
		}
	}
	return p
}

func shorten(body string) string {
	if _, main, found := strings.Cut(body, "<main"); found {
		body = main
	}
	return body[:min(len(body), 3000)]
}

// leads fails unless the answer sends the browser to a path.
func (p page) leads(t *testing.T, path string) {
	t.Helper()
	if got := p.header.Get("Location"); p.status != http.StatusSeeOther || got != path {
		t.Errorf("%d to %q, want 303 to %q: %s", p.status, got, path, shorten(p.body))
	}
}

// account is an account with an owner who has signed in.
func account(t *testing.T) (testkit.Account, *browser, testkit.Person) {
	t.Helper()
	s := testkit.Shared(t)
	a := s.Account(t, testkit.Unlimited, 1_000_000)
	p := a.Person(t, key.Owner)
	return a, as(t, s, p), p
}

func TestSigningInAndOut(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t)
	p := s.Account(t, testkit.Unlimited, 0).Person(t, key.Owner)
	b := newBrowser(t, s)
	b.get("/console").leads(t, "/console/")
	b.get("/console/keys?cursor=x").leads(t, "/console/sign-in?to="+url.QueryEscape("/console/keys?cursor=x"))
	b.get("/console/sign-in?to=/console/keys").want(t, http.StatusOK, `value="/console/keys"`)
	b.get("/console/sign-in?to=https://evil.example").want(t, http.StatusOK, `name="to" value="/console/"`).lacks(t, "evil")
	b.post("/console/sign-in", "email", p.Email, "password", "wrong password").want(t, http.StatusUnauthorized, "The address or the password is wrong.", p.Email).lacks(t, "wrong password\"")
	b.post("/console/sign-in", "email", p.Email, "password", p.Password, "to", "/console/keys").leads(t, "/console/keys")
	b.get("/console/keys").want(t, http.StatusOK, "Generate new API key", p.Email)
	b.post("/console/sign-out").leads(t, "/console/sign-in?done=signed-out")
	b.get("/console/sign-in?done=signed-out").want(t, http.StatusOK, "You are signed out.")
	b.get("/console/keys").leads(t, "/console/sign-in?to="+url.QueryEscape("/console/keys"))
}

func TestSigningOutEverywhereEndsTheOtherBrowser(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t)
	p := s.Account(t, testkit.Unlimited, 0).Person(t, key.Owner)
	one, other := as(t, s, p), newBrowser(t, s)
	other.post("/console/sign-in", "email", p.Email, "password", p.Password).leads(t, "/console/")
	other.get("/console/keys").want(t, http.StatusOK)
	one.post("/console/sign-out", "everywhere", "1").leads(t, "/console/sign-in?done=signed-out")
	other.get("/console/keys").leads(t, "/console/sign-in?to="+url.QueryEscape("/console/keys"))
}

func TestALinkSetsThePassword(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t)
	p := s.Account(t, testkit.Unlimited, 0).Person(t, key.Admin)
	b := newBrowser(t, s)
	b.get("/console/password?token="+p.Link).want(t, http.StatusOK, p.Link)
	b.post("/console/password", "token", p.Link, "new_password", "a new password", "repeated", "another").want(t, http.StatusBadRequest, "The two passwords differ.")
	b.post("/console/password", "token", p.Link, "new_password", "short", "repeated", "short").want(t, http.StatusBadRequest, `role="alert"`)
	b.post("/console/password", "token", p.Link, "new_password", "a new password", "repeated", "a new password").leads(t, "/console/?done=password")
	b.get("/console/keys").want(t, http.StatusOK)
	b.post("/console/password", "token", p.Link, "new_password", "a new password", "repeated", "a new password").want(t, http.StatusUnauthorized, "The link is unknown")
	b.post("/console/password", "email", p.Email, "password", "a new password", "new_password", "another password", "repeated", "another password").leads(t, "/console/?done=password")
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	_, b, _ := account(t)
	for name, header := range map[string][2]string{
		"another site": {"Sec-Fetch-Site", "cross-site"}, "a sibling": {"Sec-Fetch-Site", "same-site"}, "another origin": {"Origin", "https://evil.example"},
	} {
		for _, path := range []string{"/console/keys", "/console/sign-out", "/console/sign-in", "/console/password"} {
			r, err := http.NewRequest(http.MethodPost, b.url+path, strings.NewReader("name=theirs"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set(header[0], header[1])
			if got := b.do(r); got.status != http.StatusForbidden {
				t.Errorf("%s, %s: %d", name, path, got.status)
			}
		}
	}
	b.get("/console/keys").want(t, http.StatusOK).lacks(t, "theirs")
}

func TestEveryPageHasItsHeaders(t *testing.T) {
	t.Parallel()
	_, b, _ := account(t)
	for path, status := range map[string]int{"/console/keys": 200, "/console/nothing": 404, "/console/sign-in": 200} {
		p := b.get(path).want(t, status)
		for name, text := range map[string]string{
			"Content-Security-Policy": "script-src 'self'; style-src 'self'", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Referrer-Policy": "no-referrer", "Permissions-Policy": "camera=()", "Cache-Control": "no-store",
		} {
			if !strings.Contains(p.header.Get(name), text) {
				t.Errorf("%s: %s is %q", path, name, p.header.Get(name))
			}
		}
		p.lacks(t, "<style", " style=", "onclick", "<script>")
	}
}

func TestStaticFilesAreKeptForGood(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t)
	b := newBrowser(t, s)
	body := b.get("/console/sign-in").body
	total := len(body)
	for _, name := range []string{"console.css", "console.js", "icon.svg"} {
		_, before, _ := strings.Cut(body, "/console/static/")
		for !strings.HasPrefix(before[strings.Index(before, "/")+1:], name) {
			var found bool
			if _, before, found = strings.Cut(before, "/console/static/"); !found {
				t.Fatalf("the page has no %s", name)
			}
		}
		path, _, _ := strings.Cut(before, `"`)
		r, err := http.NewRequest(http.MethodGet, b.url+"/console/static/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", "gzip")
		got := b.do(r)
		total += len(got.body)
		if got.status != http.StatusOK || !strings.Contains(got.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %q", name, got.status, got.header.Get("Cache-Control"))
		}
		if name != "icon.svg" && got.header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s is not compressed", name)
		}
	}
	if total > 24<<10 {
		t.Errorf("the first page takes %d bytes", total)
	}
	b.get("/console/static/0/console.css").want(t, http.StatusNotFound)
}

func TestKeysFromNameToDeletion(t *testing.T) {
	t.Parallel()
	_, b, _ := account(t)
	b.get("/console/keys").want(t, http.StatusOK, "No keys yet", "Complete POST URLs", b.url+"/api/v1/generate")
	made := b.post("/console/keys", "name", `<b>"mine"</b>`, "once", "attempt-1", "scopes", "webchat", "scopes", "openai", "expires", "2100-01-02").want(t, http.StatusCreated, "&lt;b&gt;", "parley_sk_", "Copy it now")
	made.lacks(t, "<b>\"mine\"")
	text := between(t, made.body, `data-copy="`, `"`)
	again := b.post("/console/keys", "name", `<b>"mine"</b>`, "once", "attempt-1", "scopes", "webchat", "scopes", "openai", "expires", "2100-01-02")
	if again.status != http.StatusCreated || between(t, again.body, `data-copy="`, `"`) != text {
		t.Errorf("the form sent twice makes another key: %d", again.status)
	}
	list := b.get("/console/keys").want(t, http.StatusOK, "Never", "Last Used", "Actions").lacks(t, text)
	if n := strings.Count(list.body, `<th scope="row">`); n != 1 {
		t.Errorf("%d keys", n)
	}
	path := between(t, list.body, `<th scope="row"><a href="`, `"`)
	b.get(path).want(t, http.StatusOK, `value="webchat" checked`, `value="2100-01-02"`).lacks(t, text)
	b.post(path, "do", "deactivate").leads(t, "/console/keys?done=deactivated")
	b.get("/console/keys").want(t, http.StatusOK, "inactive")
	b.post(path, "do", "activate").leads(t, "/console/keys?done=activated")
	b.post(path, "do", "save", "name", "renamed", "scopes", "webchat", "origins", "https://a.example\nhttps://b.example", "expires", "").leads(t, path+"?done=saved")
	b.get(path+"?done=saved").want(t, http.StatusOK, "It is saved.", "https://a.example\nhttps://b.example", "renamed")
	b.post(path, "do", "save", "name", "renamed", "scopes", "webchat", "origins", "no origin").want(t, http.StatusBadRequest, `role="alert"`)
	rotated := b.post(path, "do", "rotate", "grace", "0").want(t, http.StatusOK, "Copy it now")
	if between(t, rotated.body, `data-copy="`, `"`) == text {
		t.Error("the text stays")
	}
	b.post(path, "do", "delete").leads(t, "/console/keys?done=deleted")
	b.get(path).want(t, http.StatusNotFound)
	b.post("/console/keys", "name", "").want(t, http.StatusBadRequest, `role="alert"`)
	b.post("/console/keys", "name", "a page", "kind", "publishable", "scopes", "admin", "origins", "https://a.example").want(t, http.StatusConflict, `role="alert"`, `value="a page"`)
}

func TestOlderKeysAreOnTheNextPage(t *testing.T) {
	t.Parallel()
	a, b, _ := account(t)
	for i := range 51 {
		a.Key(t, func(in *key.CreateInput) { in.Name = fmt.Sprintf("number-%02d", i) })
	}
	first := b.get("/console/keys").want(t, http.StatusOK, "number-50").lacks(t, "number-00")
	b.get(strings.ReplaceAll(between(t, first.body, `<p class="pager"><a class="button" href="`, `"`), "&amp;", "&")).want(t, http.StatusOK, "number-00").lacks(t, "number-50", `class="pager"`)
}

func TestMembersRuleNothing(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t)
	a := s.Account(t, testkit.Unlimited, 0)
	b := as(t, s, a.Person(t, key.Member))
	b.get("/console/").leads(t, "/console/projects")
	b.get("/console/keys").want(t, http.StatusForbidden, "You may not do this").lacks(t, `href="/console/keys"`)
}

// between is what stands between two texts.
func between(t *testing.T, text, before, after string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, before)
	if !found {
		t.Fatalf("no %q in %s", before, shorten(text))
	}
	out, _, _ := strings.Cut(rest, after)
	return out
}

func TestTheFirstPersonSetsTheServerUp(t *testing.T) {
	t.Parallel()
	s := testkit.New(t)
	b := newBrowser(t, s)
	b.get("/console/").leads(t, "/console/sign-in?to="+url.QueryEscape("/console/"))
	b.get("/console/set-up").want(t, http.StatusOK, `name="token"`)
	b.get("/console/set-up?token="+s.App.SetUp).want(t, http.StatusOK, s.App.SetUp)
	fields := []string{"email", "ada@example.com", "name", "Ada", "new_password", "long enough a password", "repeated", "long enough a password", "token"}
	b.post("/console/set-up", append(fields, "a-guess")...).want(t, http.StatusUnauthorized, `role="alert"`, `value="Ada"`)
	b.post("/console/set-up", append(fields, s.App.SetUp)...).leads(t, "/console/?done=set-up")
	b.get("/console/?done=set-up").leads(t, "/console/keys?done=set-up")
	b.get("/console/keys?done=set-up").want(t, http.StatusOK, "Welcome", "Ada", "first key")
	newBrowser(t, s).post("/console/set-up", append(fields, s.App.SetUp)...).want(t, http.StatusUnauthorized)
}
