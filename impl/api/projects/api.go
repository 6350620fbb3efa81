// Package projects implements the surface of seed 004, the CustomGPT API:
// projects that answer from a team's own content, with citations. Its quirks
// (envelopes, pages of a list with addresses, integers for ids, misspelled
// members, updates by POST) live here and nowhere else.
//
// To add an operation: write it in openapi/projects, run `make gen`, and give
// the struct of its resource the method that the compiler then misses in the
// assertion below.
package projects

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	gen "parley/gen/projects"
	"parley/impl/core/project"
	"parley/impl/httpd"
)

// API implements the generated server, one struct a resource.
type API struct {
	completions
	conversations
	files
	licenses
	messages
	pages
	plugins
	progresses
	projects
	reports
	settings
	sources
	users
}

var _ gen.StrictServerInterface = API{}

// New returns the surface. Addresses in answers begin with publicURL, or with
// what the request called the server when it is "".
func New(s *project.Service, publicURL string) httpd.Surface {
	base := base{publicURL: publicURL}
	api := API{
		completions:   completions{service: s},
		conversations: conversations{service: s, base: base},
		files:         files{service: s},
		licenses:      licenses{service: s},
		plugins:       plugins{service: s},
		progresses:    progresses{service: s},
		reports:       reports{service: s, base: base},
		messages:      messages{service: s, base: base},
		projects:      projects{service: s, base: base},
		pages:         pages{service: s, base: base},
		settings:      settings{service: s, base: base},
		sources:       sources{service: s, base: base},
		users:         users{service: s, base: base},
	}
	return httpd.Surface{Name: project.Surface, Fault: base.writeFault, Mount: api.mount}
}

func (a API) mount(r chi.Router, fail func(http.ResponseWriter, *http.Request, error)) {
	strict := gen.NewStrictHandlerWithOptions(a, nil, gen.StrictHTTPServerOptions{
		RequestErrorHandlerFunc: httpd.BadRequest(fail), ResponseErrorHandlerFunc: fail,
	})
	gen.HandlerWithOptions(strict, gen.ChiServerOptions{BaseRouter: r.With(remember), ErrorHandlerFunc: httpd.BadRequest(fail)})
}

type requestKey struct{}

// remember keeps the request for answers that repeat its address, and for the
// metadata of messages.
func remember(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache, private")
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestKey{}, r)))
	})
}

func requestOf(ctx context.Context) *http.Request { return ctx.Value(requestKey{}).(*http.Request) }

// base knows how addresses of this server begin.
type base struct{ publicURL string }

func (b base) of(r *http.Request) string {
	switch {
	case b.publicURL != "":
		return b.publicURL
	case r.TLS != nil:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// file is the address of a picture or a kept file; nil without one.
func (b base) file(ctx context.Context, fileID *int64) *string {
	if fileID == nil {
		return nil
	}
	address := b.of(requestOf(ctx)) + "/api/v1/preview/" + number(*fileID)
	return &address
}
