package widget

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func get(headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", Path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	New().ServeHTTP(w, r)
	return w
}

func TestTheScriptIsSmall(t *testing.T) {
	const budget = 25_000
	if w := get("Accept-Encoding", "gzip"); w.Code != 200 || w.Body.Len() > budget || w.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("%d, %d bytes of at most %d, %v", w.Code, w.Body.Len(), budget, w.Header())
	} else {
		t.Logf("%d bytes gzipped", w.Body.Len())
	}
}

func TestAnyPageMayLoadAndKeepTheScript(t *testing.T) {
	w := get("Origin", "https://shop.example")
	h := w.Header()
	if h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Cross-Origin-Resource-Policy") != "cross-origin" ||
		!strings.HasPrefix(h.Get("Content-Type"), "text/javascript") || !strings.Contains(h.Get("Cache-Control"), "public") {
		t.Errorf("headers: %v", h)
	}
	if again := get("If-None-Match", h.Get("ETag")); again.Code != 304 || again.Body.Len() != 0 {
		t.Errorf("unchanged: %d with %d bytes", again.Code, again.Body.Len())
	}
}

func TestOnlyReadingIsAnswered(t *testing.T) {
	w := httptest.NewRecorder()
	New().ServeHTTP(w, httptest.NewRequest("POST", Path, nil))
	if w.Code != 405 || w.Header().Get("Allow") == "" {
		t.Errorf("POST: %d %v", w.Code, w.Header())
	}
	w = httptest.NewRecorder()
	New().ServeHTTP(w, httptest.NewRequest("GET", Path+"/more", nil))
	if w.Code != 404 {
		t.Errorf("below the script: %d", w.Code)
	}
}

// A page's policy may forbid markup from strings, code from strings and inline styles.
func TestTheScriptMakesNothingFromStrings(t *testing.T) {
	text := string(script())
	for _, banned := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc", `createElement("style")`, "@import", "url("} {
		if strings.Contains(text, banned) {
			t.Errorf("the script uses %s", banned)
		}
	}
	if !strings.HasPrefix(text, "(() => {") || strings.Contains(text, "window.") || strings.Contains(text, "globalThis") {
		t.Error("the script may leave names behind")
	}
	for _, at := range strings.Split(text, "https://")[1:] {
		t.Errorf("the script names another host: %.40s", at)
	}
}
