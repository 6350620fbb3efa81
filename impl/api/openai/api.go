// Package openai implements the surface that OpenAI's clients and SDKs speak:
// responses, chat completions, embeddings, and the models and agents that make them.
//
// An agent of the account is a model here: its id in "model" makes its persona
// and its language model answer.
package openai

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	gen "parley/gen/openai"
	"parley/impl/core/agent"
	"parley/impl/core/embedding"
	"parley/impl/core/turn"
	"parley/impl/httpd"
)

// surface is the name under which turns of this API are stored.
const surface = "openai"

// Services are what the surface speaks for.
type Services struct {
	Agents *agent.Service
	Turns  *turn.Engine
	Pictures
}

// API implements the generated server, one struct a resource.
type API struct {
	completions
	embeddings
	models
	pictures
	responses
}

var _ gen.StrictServerInterface = API{}

// New returns the surface.
func New(s Services) httpd.Surface {
	names := names{agents: s.Agents, models: s.Models}
	api := API{
		completions: completions{names: names, turns: s.Turns},
		embeddings:  embeddings{names: names, service: &embedding.Service{Turns: s.Turns}},
		models:      models{names: names},
		pictures:    pictures{s.Pictures},
		responses:   responses{names: names, turns: s.Turns},
	}
	return httpd.Surface{Name: surface, Fault: writeFault, Mount: api.mount}
}

func (a API) mount(r chi.Router, fail func(http.ResponseWriter, *http.Request, error)) {
	strict := gen.NewStrictHandlerWithOptions(a, nil, gen.StrictHTTPServerOptions{
		RequestErrorHandlerFunc: httpd.BadRequest(fail), ResponseErrorHandlerFunc: fail,
	})
	gen.HandlerWithOptions(strict, gen.ChiServerOptions{BaseRouter: r, ErrorHandlerFunc: httpd.BadRequest(fail)})
}
