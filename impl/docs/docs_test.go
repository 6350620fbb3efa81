package docs

import (
	"encoding/json"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// get asks for a page as a browser does.
func get(t *testing.T, target string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("GET", target, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	shared.ServeHTTP(w, r)
	return w
}

var shared = New()(nil)

// everyPage are the addresses of all pages.
func everyPage() []string {
	b := theBook()
	all := []string{Prefix, Prefix + "?q=session"}
	for _, g := range b.Guides {
		all = append(all, Prefix+"/guides/"+g.Name)
	}
	for _, t := range b.Tags {
		all = append(all, Prefix+"/"+t.Name)
		for _, o := range t.Operations {
			all = append(all, o.At())
		}
	}
	return all
}

func TestEveryOperationHasAPage(t *testing.T) {
	b, shown := theBook(), 0
	for _, tag := range b.Tags {
		shown += len(tag.Operations)
	}
	if shown != len(b.operations) || shown < 200 {
		t.Errorf("%d operations stand below a tag, the document has %d", shown, len(b.operations))
	}
	for _, o := range b.operations {
		page := get(t, o.At()).Body.String()
		for _, want := range []string{`id="call"`, `id="responses"`, o.ID} {
			if !strings.Contains(page, want) {
				t.Errorf("the page of %s lacks %q", o.ID, want)
			}
		}
	}
}

var (
	outside = regexp.MustCompile(`(?:src|<link[^>]*href)="(?:https?:)?//`)
	inline  = regexp.MustCompile(`<script(?:\s[^>]*)?>[^<]|<style|\son[a-z]+=|\sstyle=`)
)

func TestPagesNeedNothingElseAndRunNothingInline(t *testing.T) {
	for _, at := range everyPage() {
		w := get(t, at)
		if w.Code != 200 {
			t.Fatalf("%s: %d", at, w.Code)
		}
		body := w.Body.String()
		if found := outside.FindString(body) + inline.FindString(body); found != "" {
			t.Errorf("%s has %s", at, found)
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'self'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", at, csp)
		}
	}
}

func TestPagesAreSmall(t *testing.T) {
	const budget = 60_000 // bytes as sent
	largest, size := "", 0
	for _, at := range append(everyPage(), Prefix+"/search.json") {
		w := get(t, at, "Accept-Encoding", "gzip")
		if w.Header().Get("Content-Encoding") != "gzip" {
			t.Fatalf("%s is not compressed", at)
		}
		if w.Body.Len() > size {
			largest, size = at, w.Body.Len()
		}
	}
	if size > budget {
		t.Errorf("%s takes %d bytes, the budget is %d", largest, size, budget)
	}
	t.Logf("the largest is %s with %d bytes", largest, size)
}

// A link to a page of the reference, or into one, leads somewhere.
func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`href="(/docs[^"]*)"`)
	known := map[string]bool{}
	for _, at := range everyPage() {
		for _, m := range link.FindAllStringSubmatch(get(t, at).Body.String(), -1) {
			if !known[m[1]] {
				known[m[1]] = true
				if w := get(t, m[1]); w.Code != 200 {
					t.Errorf("%s on %s: %d", m[1], at, w.Code)
				}
			}
		}
	}
}

func TestSearchWorksWithoutScriptsAndEscapes(t *testing.T) {
	if body := get(t, "/docs?q=webchat+message").Body.String(); !strings.Contains(body, "/docs/webchat/sendWebchatMessage") {
		t.Error("the search does not find sendWebchatMessage")
	}
	w := get(t, "/docs?q=%3Cscript%3Ealert(1)%3C/script%3E%22")
	if body := w.Body.String(); w.Code != 200 || strings.Contains(body, "<script>alert") || !strings.Contains(body, "&lt;script&gt;") {
		t.Errorf("what was searched for is not escaped: %d", w.Code)
	}
}

func TestBrowsersAskAgainByETag(t *testing.T) {
	first := get(t, "/docs/webchat")
	again := get(t, "/docs/webchat", "If-None-Match", first.Header().Get("ETag"))
	if again.Code != 304 || again.Body.Len() != 0 {
		t.Errorf("unchanged page: %d with %d bytes", again.Code, again.Body.Len())
	}
	style := regexp.MustCompile(`/docs/static/[^"]+\.css`).FindString(first.Body.String())
	if w := get(t, style); w.Code != 200 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/css") {
		t.Errorf("style %s: %d %v", style, w.Code, w.Header())
	}
}

func TestMissingPagesAre404(t *testing.T) {
	for _, at := range []string{"/docs/nothing", "/docs/webchat/nothing", "/docs/platform/sendWebchatMessage", "/docs/guides/nothing", "/docs/static/0/docs.css", "/docs/operations/nothing.json", "/docs/operations/sendWebchatMessage", "/docs/a/b/c"} {
		if w := get(t, at); w.Code != 404 || !strings.Contains(w.Body.String(), "<h1>") {
			t.Errorf("%s: %d", at, w.Code)
		}
	}
}

func TestMarkupInTextsIsShownNotUsed(t *testing.T) {
	html, err := markdown("<script>alert(1)</script> [x](javascript:alert(1))")
	if err != nil || strings.Contains(string(html), "<script>") || strings.Contains(string(html), "javascript:") {
		t.Errorf("%s %v", html, err)
	}
}

func TestOperationsForThePlaygroundHaveNoReferences(t *testing.T) {
	for id := range theBook().operations {
		w := get(t, "/docs/operations/"+id+".json")
		if !json.Valid(w.Body.Bytes()) || strings.Contains(w.Body.String(), `"$ref"`) {
			t.Errorf("%s: %d", id, w.Code)
		}
		if w.Body.Len() > 400_000 {
			t.Errorf("%s takes %d bytes", id, w.Body.Len())
		}
	}
}

func TestCurlIsACommandThatAShellTakes(t *testing.T) {
	got := theBook().operations["sendWebchatMessage"].Curl
	want := "curl \"$PARLEY/api/v1/chat\" \\\n  -H \"Authorization: Bearer $PARLEY_KEY\" \\\n  -H 'Content-Type: application/json' \\\n  -d '{"
	if !strings.HasPrefix(got, want) {
		t.Errorf("curl: %s", got)
	}
	if word := quoted("it's"); word != `'it'\''s'` {
		t.Errorf("quoted: %s", word)
	}
}
