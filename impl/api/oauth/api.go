// Package oauth implements the OAuth 2.0 endpoints: tokens, introspection,
// revocation and the metadata by which libraries find them. Its errors are
// those of RFC 6749.
package oauth

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-chi/chi/v5"

	"parley/db"
	gen "parley/gen/oauth"
	"parley/impl/core/fault"
	"parley/impl/core/oauth"
	"parley/impl/httpd"
)

// API implements the generated server.
type API struct {
	service   *oauth.Service
	publicURL string
}

var _ gen.StrictServerInterface = API{}

// New returns the surface. PublicURL is where clients reach the server; ""
// says that it is where the request went to.
func New(service *oauth.Service, publicURL string) httpd.Surface {
	a := API{service: service, publicURL: publicURL}
	return httpd.Surface{Name: "oauth", Challenge: `Basic realm="parley"`, Fault: writeFault, Mount: a.mount}
}

func (a API) mount(r chi.Router, fail func(http.ResponseWriter, *http.Request, error)) {
	strict := gen.NewStrictHandlerWithOptions(a, []gen.StrictMiddlewareFunc{withRequest}, gen.StrictHTTPServerOptions{
		RequestErrorHandlerFunc: httpd.BadRequest(fail), ResponseErrorHandlerFunc: fail,
	})
	gen.HandlerWithOptions(strict, gen.ChiServerOptions{BaseRouter: r, ErrorHandlerFunc: httpd.BadRequest(fail)})
}

type contextKey struct{}

// withRequest hands on what the generated code does not: Basic credentials and the server's name.
func withRequest(next gen.StrictHandlerFunc, _ string) gen.StrictHandlerFunc {
	return func(ctx context.Context, w http.ResponseWriter, r *http.Request, request any) (any, error) {
		return next(context.WithValue(ctx, contextKey{}, r), w, r, request)
	}
}

// client authenticates the client by Basic credentials or by the form's, not by both.
func (a API) client(ctx context.Context, formID, formSecret *string) (db.OauthClient, error) {
	header := ctx.Value(contextKey{}).(*http.Request).Header.Get("Authorization")
	id, secret := value(formID), value(formSecret)
	if scheme, _, _ := strings.Cut(header, " "); !strings.EqualFold(scheme, "Basic") {
		return a.service.Client(ctx, id, secret)
	}
	basicID, basicSecret := basic(header)
	if secret != "" || (id != "" && id != basicID) {
		return db.OauthClient{}, fault.New(fault.Invalid, "The client names itself in the header or in the form, not in both.")
	}
	return a.service.Client(ctx, basicID, basicSecret)
}

// basic returns Basic credentials, which RFC 6749 wants encoded as a form's;
// empty ones when they are malformed.
func basic(header string) (id, secret string) {
	id, secret, _ = (&http.Request{Header: http.Header{"Authorization": {header}}}).BasicAuth()
	id, errID := url.QueryUnescape(id)
	secret, errSecret := url.QueryUnescape(secret)
	if errID != nil || errSecret != nil {
		return "", ""
	}
	return id, secret
}

func value[T ~string](p *T) string {
	if p == nil {
		return ""
	}
	return string(*p)
}
