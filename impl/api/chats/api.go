// Package chats implements the surface of seed 001: chats in which agents talk
// to each other and ask people, and the flows that they run.
//
// To add an operation: write it in openapi/chats, run `make gen`, and give
// the struct of its resource the method that the compiler then misses in the
// assertion below.
package chats

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	gen "parley/gen/chats"
	"parley/impl/core/chat"
	"parley/impl/core/fault"
	"parley/impl/core/key"
	"parley/impl/httpd"
)

// API implements the generated server, one struct a resource.
type API struct {
	chats
	messages
	events
	flows
	tools
	sockets
}

var _ gen.StrictServerInterface = API{}

// New returns the surface.
func New(service *chat.Service, keys *key.Service) httpd.Surface {
	api := API{chats: chats{service}, messages: messages{service}, events: events{service}, flows: flows{service}, tools: tools{service}, sockets: sockets{service, keys}}
	return httpd.Surface{
		Name: chat.Surface, Challenge: `Bearer realm="parley"`, Fault: writeFault, Mount: api.mount, Also: "/v1",
	}
}

// withoutTickets refuses tickets wherever a chat's WebSocket is not opened.
func withoutTickets(next gen.StrictHandlerFunc, _ string) gen.StrictHandlerFunc {
	return func(ctx context.Context, w http.ResponseWriter, r *http.Request, request any) (any, error) {
		if httpd.Caller(ctx).ByToken {
			return nil, fault.New(fault.Forbidden, "A ticket opens the WebSocket of its chat alone.")
		}
		return next(ctx, w, r, request)
	}
}

func (a API) mount(r chi.Router, fail func(http.ResponseWriter, *http.Request, error)) {
	strict := gen.NewStrictHandlerWithOptions(a, []gen.StrictMiddlewareFunc{withoutTickets}, gen.StrictHTTPServerOptions{
		RequestErrorHandlerFunc: httpd.BadRequest(fail), ResponseErrorHandlerFunc: fail,
	})
	r.Get("/chats/{chat_id}/ws", func(w http.ResponseWriter, r *http.Request) {
		if err := a.connect(w, r); err != nil {
			fail(w, r, err)
		}
	})
	gen.HandlerWithOptions(strict, gen.ChiServerOptions{BaseRouter: r, ErrorHandlerFunc: httpd.BadRequest(fail)})
}
