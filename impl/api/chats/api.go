// Package chats implements the surface of seed 001: chats in which agents talk
// to each other and ask people, and the flows that they run.
//
// To add an operation: write it in openapi/chats, run `make gen`, and give
// the struct of its resource the method that the compiler then misses in the
// assertion below.
package chats

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	gen "parley/gen/chats"
	"parley/impl/core/chat"
	"parley/impl/httpd"
)

// API implements the generated server, one struct a resource.
type API struct {
	chats
	messages
	events
	flows
}

var _ gen.StrictServerInterface = API{}

// New returns the surface.
func New(service *chat.Service) httpd.Surface {
	api := API{chats: chats{service}, messages: messages{service}, events: events{service}, flows: flows{service}}
	return httpd.Surface{
		Name: chat.Surface, Challenge: `Bearer realm="parley"`, Fault: writeFault, Mount: api.mount, Also: "/v1",
	}
}

func (a API) mount(r chi.Router, fail func(http.ResponseWriter, *http.Request, error)) {
	strict := gen.NewStrictHandlerWithOptions(a, nil, gen.StrictHTTPServerOptions{
		RequestErrorHandlerFunc: httpd.BadRequest(fail), ResponseErrorHandlerFunc: fail,
	})
	gen.HandlerWithOptions(strict, gen.ChiServerOptions{BaseRouter: r, ErrorHandlerFunc: httpd.BadRequest(fail)})
}
