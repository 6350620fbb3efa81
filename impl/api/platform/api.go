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
	"parley/impl/core/file"
	"parley/impl/core/health"
	"parley/impl/core/image"
	"parley/impl/core/key"
	"parley/impl/core/model"
	"parley/impl/core/oauth"
	"parley/impl/core/oidc"
	"parley/impl/core/privacy"
	"parley/impl/core/talk"
	"parley/impl/core/usage"
	"parley/impl/core/user"
	"parley/impl/core/webhook"
	"parley/impl/httpd"
)

// Services are what the surface stands on.
type Services struct {
	// Ready is nil while the server can serve, otherwise the reason why not, for the log.
	Ready    func(context.Context) error
	Health   *health.Service
	Keys     *key.Service
	Accounts *account.Service
	Audit    *audit.Log
	Webhooks *webhook.Service
	Privacy  *privacy.Service
	Budgets  *budget.Service
	Usage    *usage.Service
	OAuth    *oauth.Service
	Users    *user.Service
	Images   *image.Service
	Links    *file.Links
	Models   *model.Catalog
	Talks    *talk.Service
	OIDC     *oidc.SignIn // nil without an issuer that signs people in
	// Secure says that clients reach the server by HTTPS.
	Secure bool
}

// API implements the generated server, one struct a resource.
type API struct {
	accounts
	aliases
	auditLog
	budgets
	document
	endUsers
	erasures
	exports
	files
	probes
	keys
	oauthClients
	offeredModels
	providers
	oidcSignIn
	signIn
	talks
	users
	plans
	usages
	retention
	webhooks
}

var _ gen.StrictServerInterface = API{}

// New returns the surface.
func New(s Services) httpd.Surface {
	people := signIn{service: s.Users, secure: s.Secure}
	api := API{
		accounts: accounts{service: s.Accounts, keys: s.Keys}, aliases: aliases{models: s.Models}, auditLog: auditLog{s.Audit}, budgets: budgets{s.Budgets}, document: newDocument(),
		endUsers: endUsers{service: s.Keys},
		probes:   probes{ready: s.Ready, status: s.Health.Status}, keys: keys{service: s.Keys}, plans: plans{service: s.Accounts},
		usages: usages{service: s.Usage}, files: files{images: s.Images, links: s.Links},
		oauthClients: oauthClients{service: s.OAuth},
		webhooks:     webhooks{service: s.Webhooks}, exports: exports{service: s.Privacy}, erasures: erasures{service: s.Privacy},
		retention: retention{service: s.Privacy}, providers: providers{s.Models}, offeredModels: offeredModels{s.Models},
		signIn: people, oidcSignIn: oidcSignIn{service: s.OIDC, signIn: people}, users: users{service: s.Users},
		talks: talks{service: s.Talks},
	}
	return httpd.Surface{Name: "platform", Fault: httpd.Problem, Mount: api.mount}
}

func (a API) mount(r chi.Router, fail func(http.ResponseWriter, *http.Request, error)) {
	strict := gen.NewStrictHandlerWithOptions(a, nil, gen.StrictHTTPServerOptions{
		RequestErrorHandlerFunc: httpd.BadRequest(fail), ResponseErrorHandlerFunc: fail,
	})
	gen.HandlerWithOptions(strict, gen.ChiServerOptions{BaseRouter: r, ErrorHandlerFunc: httpd.BadRequest(fail)})
}
