// Package platform implements what belongs to the server rather than to a
// conversation: health, readiness, the document itself, and the account's keys. Its errors are
// problem documents (RFC 9457), which also answer paths that no surface owns.
package platform

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	gen "parley/gen/platform"
	"parley/impl/core/key"
	"parley/impl/core/oauth"
	"parley/impl/httpd"
)

// API implements the generated server, one struct a resource.
type API struct {
	document
	health
	keys
	oauthClients
}

var _ gen.StrictServerInterface = API{}

// New returns the surface. Ready is nil while the server can serve, otherwise
// the reason why not, for the log.
func New(ready func(context.Context) error, k *key.Service, o *oauth.Service) httpd.Surface {
	api := API{document: newDocument(), health: health{ready: ready}, keys: keys{service: k}, oauthClients: oauthClients{service: o}}
	return httpd.Surface{Name: "platform", Fault: httpd.Problem, Mount: api.mount}
}

func (a API) mount(r chi.Router, fail func(http.ResponseWriter, *http.Request, error)) {
	strict := gen.NewStrictHandlerWithOptions(a, nil, gen.StrictHTTPServerOptions{
		RequestErrorHandlerFunc: httpd.BadRequest(fail), ResponseErrorHandlerFunc: fail,
	})
	gen.HandlerWithOptions(strict, gen.ChiServerOptions{BaseRouter: r, ErrorHandlerFunc: httpd.BadRequest(fail)})
}
