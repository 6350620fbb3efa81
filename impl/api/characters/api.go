// Package characters implements the surface of seed 002: models, completions,
// agents with a personality, and conversations with them.
//
// To add an operation: write it in openapi/characters, run `make gen`, and
// give the struct of its resource the method that the compiler then misses in
// the assertion below.
package characters

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	gen "parley/gen/characters"
	"parley/impl/core/agent"
	"parley/impl/core/conversation"
	"parley/impl/core/file"
	"parley/impl/core/image"
	"parley/impl/core/knowledge"
	"parley/impl/core/model"
	"parley/impl/core/turn"
	"parley/impl/httpd"
)

// surface is the name under which conversations of this API are stored.
const surface = "characters"

// Services are what the surface speaks for.
type Services struct {
	Agents        *agent.Service
	Conversations *conversation.Service
	Models        *model.Catalog
	Turns         *turn.Engine
	Images        *image.Service
	Links         *file.Links
	Knowledge     *knowledge.Service
	PublicURL     string // where clients reach the server; "" takes the address that they used
}

// API implements the generated server, one struct a resource.
type API struct {
	agents
	completions
	conversations
	documents
	images
	messages
	models
	transcripts
	uploads
	agentImports
}

var _ gen.StrictServerInterface = API{}

// New returns the surface.
func New(s Services) httpd.Surface {
	shown := pictures{links: s.Links, base: s.PublicURL}
	api := API{
		agents:        agents{pictures: shown, service: s.Agents, images: s.Images},
		completions:   completions{agents: s.Agents, turns: s.Turns},
		conversations: conversations{service: s.Conversations},
		documents:     documents{agents: s.Agents, knowledge: s.Knowledge},
		images:        images{pictures: shown, service: s.Images, conversations: s.Conversations},
		transcripts:   transcripts{pictures: shown, conversations: s.Conversations, images: s.Images},
		messages:      messages{pictures: shown, conversations: s.Conversations, images: s.Images},
		models:        models{catalog: s.Models},
		uploads:       uploads{pictures: shown, service: s.Images},
		agentImports:  agentImports{agents: agents{pictures: shown, service: s.Agents, images: s.Images}},
	}
	return httpd.Surface{Name: surface, Fault: writeFault, Mount: api.mount}
}

func (a API) mount(r chi.Router, fail func(http.ResponseWriter, *http.Request, error)) {
	strict := gen.NewStrictHandlerWithOptions(a, nil, gen.StrictHTTPServerOptions{
		RequestErrorHandlerFunc: httpd.BadRequest(fail), ResponseErrorHandlerFunc: fail,
	})
	gen.HandlerWithOptions(strict, gen.ChiServerOptions{BaseRouter: r, ErrorHandlerFunc: httpd.BadRequest(fail)})
}
