// Package engagement implements the surface of seed 000: what users do, what
// it means, and agents that help them to stay.
//
// To add an operation: write it in openapi/engagement, run `make gen`, and give
// the struct of its resource the method that the compiler then misses in the
// assertion below.
package engagement

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	gen "parley/gen/engagement"
	"parley/impl/core/engagement"
	"parley/impl/httpd"
)

// Name is the surface's; conversations of this API are stored under it.
const Name = "engagement"

// API implements the generated server, one struct a resource.
type API struct {
	agents
	analysis
	behavior
	rules
	states
}

var _ gen.StrictServerInterface = API{}

// New returns the surface.
func New(advisor *engagement.Advisor) httpd.Surface {
	api := API{
		agents:   agents{advisor},
		analysis: analysis{advisor},
		behavior: behavior{advisor.Figures},
		rules:    rules{advisor},
		states:   states{advisor},
	}
	return httpd.Surface{Name: Name, Fault: writeFault, Mount: api.mount}
}

func (a API) mount(r chi.Router, fail func(http.ResponseWriter, *http.Request, error)) {
	strict := gen.NewStrictHandlerWithOptions(a, nil, gen.StrictHTTPServerOptions{
		RequestErrorHandlerFunc: httpd.BadRequest(fail), ResponseErrorHandlerFunc: fail,
	})
	gen.HandlerWithOptions(strict, gen.ChiServerOptions{BaseRouter: r, ErrorHandlerFunc: httpd.BadRequest(fail)})
}
