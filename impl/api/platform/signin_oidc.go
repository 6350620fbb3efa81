package platform

import (
	"context"
	"net/http"

	gen "parley/gen/platform"
	"parley/impl/core/fault"
	"parley/impl/core/oidc"
)

const (
	// stateCookie names the cookie of a sign-in that was begun.
	stateCookie = "parley_sign_in"
	// statePath is where browsers send it.
	statePath = "/api/v1/sign-in/oidc"
)

// OIDCReturn is the path that issuers send browsers back to.
const OIDCReturn = statePath + "/callback"

type oidcSignIn struct {
	service *oidc.SignIn // nil without an issuer
	signIn  signIn
}

var errNoIssuer = fault.New(fault.NotFound, "Signing in by OpenID Connect is not configured.")

// StartOidcSignIn sends a browser to the issuer.
func (o oidcSignIn) StartOidcSignIn(ctx context.Context, request gen.StartOidcSignInRequestObject) (gen.StartOidcSignInResponseObject, error) {
	if o.service == nil {
		return nil, errNoIssuer
	}
	begun, err := o.service.Begin(ctx, *request.Params.ReturnTo)
	if err != nil {
		return nil, err
	}
	return gen.StartOidcSignIn302Response{Headers: gen.StartOidcSignIn302ResponseHeaders{Location: begun.URL, SetCookie: o.cookie(begun.Kept)}}, nil
}

// FinishOidcSignIn begins a session of whom the issuer vouches for.
func (o oidcSignIn) FinishOidcSignIn(ctx context.Context, request gen.FinishOidcSignInRequestObject) (gen.FinishOidcSignInResponseObject, error) {
	if o.service == nil {
		return nil, errNoIssuer
	}
	p := request.Params
	made, returnTo, err := o.service.Finish(ctx, oidc.Return{
		Kept: value(p.ParleySignIn), State: p.State, Code: value(p.Code), Issuer: value(p.Iss),
	})
	if err != nil {
		return nil, err
	}
	return oidcReturn{to: returnTo, session: o.signIn.cookie(made), ended: o.cookie("")}, nil
}

// cookie is the header that keeps a sign-in until it returns; without a text, that which ends it.
func (o oidcSignIn) cookie(kept string) string {
	c := http.Cookie{
		Name: stateCookie, Value: kept, Path: statePath, MaxAge: int(oidc.PendingLife.Seconds()), HttpOnly: true,
		Secure: o.signIn.secure, SameSite: http.SameSiteLaxMode,
	}
	if kept == "" {
		c.MaxAge = -1
	}
	return c.String()
}

// oidcReturn is the answer with both of its cookies, of which the generated one knows one.
type oidcReturn struct{ to, session, ended string }

// VisitFinishOidcSignInResponse implements the generated response.
func (r oidcReturn) VisitFinishOidcSignInResponse(w http.ResponseWriter) error {
	w.Header().Set("Location", r.to)
	w.Header().Add("Set-Cookie", r.session)
	w.Header().Add("Set-Cookie", r.ended)
	w.WriteHeader(http.StatusFound)
	return nil
}
