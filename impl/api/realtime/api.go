// Package realtime implements OpenAI's Realtime API over WebSockets, in the
// beta's shape and in today's. What a session is and does is package
// core/realtime's; here its commands are read and its events written.
package realtime

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	gen "parley/gen/realtime"
	"parley/impl/core/realtime"
	"parley/impl/httpd"
)

// API implements the generated server, and the handshake beside it.
type API struct {
	service *realtime.Service
	now     func() time.Time
	fail    func(http.ResponseWriter, *http.Request, error)
}

var _ gen.StrictServerInterface = API{}

// New returns the surface.
func New(s *realtime.Service, now func() time.Time) httpd.Surface {
	return httpd.Surface{Name: realtime.Surface, Fault: writeFault, Mount: API{service: s, now: now}.mount}
}

func (a API) mount(r chi.Router, fail func(http.ResponseWriter, *http.Request, error)) {
	a.fail = fail
	strict := gen.NewStrictHandlerWithOptions(a, nil, gen.StrictHTTPServerOptions{
		RequestErrorHandlerFunc: httpd.BadRequest(fail), ResponseErrorHandlerFunc: fail,
	})
	gen.HandlerWithOptions(strict, gen.ChiServerOptions{BaseRouter: r, ErrorHandlerFunc: httpd.BadRequest(fail)})
	r.Get("/v1/realtime", a.connect)
}
