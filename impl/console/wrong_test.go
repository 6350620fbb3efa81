package console_test

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// markOf is what a page says beside the field of a name: the words, and whether the field is the one that goes on being filled in.
func markOf(t *testing.T, p page, field string) (words string, first bool) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(p.body))
	if err != nil {
		t.Fatal(err)
	}
	attributes := map[string]string{}
	for n := range doc.Descendants() {
		own := map[string]string{}
		for _, a := range n.Attr {
			own[a.Key] = a.Val
		}
		if own["name"] == field && own["aria-invalid"] == "true" {
			attributes = own
		}
	}
	for n := range doc.Descendants() {
		for _, a := range n.Attr {
			if a.Key == "id" && a.Val != "" && a.Val == attributes["aria-describedby"] {
				words = n.FirstChild.Data
			}
		}
	}
	_, first = attributes["autofocus"]
	return words, first
}

// What the API refuses stands beside the field that it is about, in the words of people, and what was typed is still there.
func TestWhatIsWrongStandsBesideItsField(t *testing.T) {
	t.Parallel()
	_, b := operator(t)
	long := strings.Repeat("n", 300)
	for name, c := range map[string]struct {
		path, field, words, alert string
		form                      []string
	}{
		"a line of a list": {
			"/console/keys", "origins", "Line 2 must look like https://example.com.", "Allowed origins, one a line: Line 2 must",
			[]string{"name", "Shop", "kind", "publishable", "origins", "https://a.example\nnot an origin", "once", "w1"},
		},
		"a text that is too long": {"/console/keys", "name", "This must have at most 200 characters.", "Name your key: This must", []string{"name", long, "kind", "secret", "once", "w2"}},
		"nothing":                 {"/console/keys", "name", "This is needed.", "Name your key: This is", []string{"name", "", "kind", "secret", "once", "w3"}},
		"an address":              {"/console/people", "email", "This must look like name@example.com.", "E-mail address: This", []string{"email", "nobody", "name", "N", "role", "member", "once", "w4"}},
		"a number by its limits":  {"/console/plans", "requests", "This must be at least 1.", "Requests a minute: This", []string{"name", "wrong-plan", "requests", "0", "streams", "", "tokens", "", "storage", ""}},
		"what the page judges":    {"/console/plans", "tokens", "A limit is a whole number, or empty for none.", "A limit is", []string{"name", "wrong-plan", "requests", "5", "streams", "", "tokens", "many", "storage", ""}},
		"one of two forms alike":  {"/console/privacy", "subject", "Say whose: the name of an end user, or an id.", "Say whose", []string{"do", "export", "scope", "end_user", "subject", "", "once", "w8"}},
		"another surface's":       {"/console/projects", "name", "This must have at most 255 characters.", "Name: This", []string{"name", long, "sitemap", "https://example.com/sitemap.xml", "once", "w5"}},
		"the chats'":              {"/console/flows", "name", "This is needed.", "Name: This", []string{"name", "", "template", "", "definition", `{"nodes":[],"edges":[]}`, "once", "w6"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := b.post(c.path, c.form...)
			if p.status < 400 || p.status >= 500 {
				t.Fatalf("status %d: %s", p.status, shorten(p.body))
			}
			words, first := markOf(t, p, c.field)
			if words != c.words || !first {
				t.Errorf("the field says %q (first: %v), want %q: %s", words, first, c.words, shorten(p.body))
			}
			p.want(t, p.status, `role="alert">`+c.alert).lacks(t, "Invalid body", "Invalid query", "must match ^")
		})
	}
	b.post("/console/keys", "name", "Shop", "kind", "publishable", "environment", "production", "scopes", "webchat", "origins", "here & there", "expires", "2031-02-03", "once", "w7").
		want(t, http.StatusBadRequest, `value="Shop"`, `here &amp; there`, `value="2031-02-03"`, `value="publishable" checked`, `<option value="production" selected="">`)
}
