// Package platform implements what belongs to the server rather than to a
// conversation: health, readiness, the document itself, and what administrators rule: keys, accounts,
// plans and the record of their acts. Its errors are problem documents (RFC 9457), which also answer paths that no surface owns.
package platform

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	gen "parley/gen/platform"
	"parley/impl/core/account"
	"parley/impl/core/audit"
	"parley/impl/core/budget"
	"parley/impl/core/key"
	"parley/impl/httpd"
)

// Services are what the surface stands on.
type Services struct {
	// Ready is nil while the server can serve, otherwise the reason why not, for the log.
	Ready    func(context.Context) error
	Keys     *key.Service
	Accounts *account.Service
	Audit    *audit.Log
	Budgets  *budget.Service
}

// API implements the generated server, one struct a resource.
type API struct {
	accounts
	auditLog
	budgets
	document
	health
	keys
	plans
}

var _ gen.StrictServerInterface = API{}

// New returns the surface.
func New(s Services) httpd.Surface {
	api := API{
		accounts: accounts{service: s.Accounts, keys: s.Keys}, auditLog: auditLog{s.Audit}, budgets: budgets{s.Budgets}, document: newDocument(),
		health: health{ready: s.Ready}, keys: keys{service: s.Keys}, plans: plans{service: s.Accounts},
	}
	return httpd.Surface{Name: "platform", Fault: httpd.Problem, Mount: api.mount}
}

func (a API) mount(r chi.Router, fail func(http.ResponseWriter, *http.Request, error)) {
	strict := gen.NewStrictHandlerWithOptions(a, nil, gen.StrictHTTPServerOptions{
		RequestErrorHandlerFunc: httpd.BadRequest(fail), ResponseErrorHandlerFunc: fail,
	})
	gen.HandlerWithOptions(strict, gen.ChiServerOptions{BaseRouter: r, ErrorHandlerFunc: httpd.BadRequest(fail)})
}
