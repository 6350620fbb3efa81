package httpd

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"parley/gen"
)

// newPagedEdge is an edge whose operations all run noContent, with pages beside them.
func newPagedEdge(t *testing.T, pages map[string]func(http.Handler) http.Handler) (*Edge, error) {
	t.Helper()
	doc, err := LoadDocument(gen.JSON)
	if err != nil {
		t.Fatal(err)
	}
	routes := map[string][]string{}
	for op, o := range doc.ops {
		routes[o.surface] = append(routes[o.surface], op)
	}
	cfg := Config{Document: doc, Limits: unlimited(), Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Fallback: jsonFault, Pages: pages}
	for name, ops := range routes {
		cfg.Surfaces = append(cfg.Surfaces, Surface{Name: name, Fault: jsonFault, Mount: func(r chi.Router, _ func(http.ResponseWriter, *http.Request, error)) {
			for _, op := range ops {
				method, path, _ := strings.Cut(op, " ")
				r.MethodFunc(method, path, noContent)
			}
		}})
	}
	return New(cfg)
}

// page is a page that does not need the API.
func page(h http.HandlerFunc) func(http.Handler) http.Handler {
	return func(http.Handler) http.Handler { return h }
}

func TestPagesStandBesideTheDocument(t *testing.T) {
	e, err := newPagedEdge(t, map[string]func(http.Handler) http.Handler{
		"/hello":  page(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Method) }),
		"/broken": page(func(http.ResponseWriter, *http.Request) { panic("broken page") }),
	})
	if err != nil {
		t.Fatal(err)
	}
	if w := send(e, "POST", "/hello/world", "", "Authorization", ""); w.Code != 200 || w.Body.String() != "POST" || w.Header().Get("X-Request-Id") == "" {
		t.Errorf("page: %d %q %v", w.Code, w.Body, w.Header())
	}
	if w := send(e, "OPTIONS", "/hello", "", "Origin", "https://a.example"); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("the edge let pages of other origins read a page: %v", w.Header())
	}
	if w := send(e, "GET", "/broken", ""); w.Code != 500 || strings.Contains(w.Body.String(), "broken page") {
		t.Errorf("panicking page: %d %s", w.Code, w.Body)
	}
	if w := send(e, "GET", "/hell", ""); w.Code != 404 {
		t.Errorf("no page: %d", w.Code)
	}
}

func TestAPageCannotTakeAPathOfTheDocument(t *testing.T) {
	_, err := newPagedEdge(t, map[string]func(http.Handler) http.Handler{"/chats": page(noContent)})
	if err == nil {
		t.Error("a page took the path of an operation")
	}
}
