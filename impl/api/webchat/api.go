// Package webchat implements the surface of seed 003: chat for a website or an
// app, with sessions and usage. A key names an app; sessions and usage are the
// app's, not the account's.
//
// To add an operation: write it in openapi/webchat, run `make gen`, and give
// the struct of its resource the method that the compiler then misses in the
// assertion below.
package webchat

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	gen "parley/gen/webchat"
	"parley/impl/core/conversation"
	"parley/impl/core/knowledge"
	"parley/impl/core/project"
	"parley/impl/core/usage"
	"parley/impl/httpd"
)

// surface is the name under which conversations of this API are stored.
const surface = "webchat"

// API implements the generated server, one struct a resource.
type API struct {
	chat
	documents
	judgements
	sessions
	usages
	widgets
}

var _ gen.StrictServerInterface = API{}

// New returns the surface.
func New(conversations *conversation.Service, k *knowledge.Service, u *usage.Service, p *project.Service, endUsers httpd.EndUsers, now func() time.Time) httpd.Surface {
	api := API{
		chat:       chat{conversations: conversations, endUsers: endUsers, projects: p},
		documents:  documents{knowledge: k},
		sessions:   sessions{conversations: conversations, now: now},
		usages:     usages{usage: u},
		widgets:    widgets{projects: p},
		judgements: judgements{conversations: conversations},
	}
	return httpd.Surface{Name: surface, Fault: writeFault, Mount: api.mount}
}

func (a API) mount(r chi.Router, fail func(http.ResponseWriter, *http.Request, error)) {
	strict := gen.NewStrictHandlerWithOptions(a, nil, gen.StrictHTTPServerOptions{
		RequestErrorHandlerFunc: httpd.BadRequest(fail), ResponseErrorHandlerFunc: fail,
	})
	gen.HandlerWithOptions(strict, gen.ChiServerOptions{BaseRouter: r, ErrorHandlerFunc: httpd.BadRequest(fail)})
}
