package platform

import (
	"context"
	"net/http"

	gen "parley/gen/platform"
	"parley/impl/core/fault"
	"parley/impl/core/user"
	"parley/impl/httpd"
)

// sessionCookie names the cookie of people who signed in.
const sessionCookie = "parley_session"

type signIn struct {
	service *user.Service
	secure  bool // the cookie is for HTTPS alone
}

// SignIn begins a session with a password.
func (s signIn) SignIn(ctx context.Context, request gen.SignInRequestObject) (gen.SignInResponseObject, error) {
	made, err := s.service.SignIn(ctx, user.SignInInput{
		Email: request.Body.Email, Password: request.Body.Password, Network: httpd.ClientNetwork(ctx),
	})
	if err != nil {
		return nil, err
	}
	return gen.SignIn200JSONResponse{Body: toAPIUser(made.User), Headers: gen.SignIn200ResponseHeaders{SetCookie: s.cookie(made)}}, nil
}

// SetUp makes the first person of the server, and begins a session.
func (s signIn) SetUp(ctx context.Context, request gen.SetUpRequestObject) (gen.SetUpResponseObject, error) {
	body := request.Body
	made, err := s.service.SetUp(ctx, user.SetUpInput{Token: body.Token, Email: body.Email, Name: value(body.Name), Password: body.Password})
	if err != nil {
		return nil, err
	}
	return gen.SetUp200JSONResponse{Body: toAPIUser(made.User), Headers: gen.SetUp200ResponseHeaders{SetCookie: s.cookie(made)}}, nil
}

// SetPassword sets a password by a one-time token or by the present password, and begins a session.
func (s signIn) SetPassword(ctx context.Context, request gen.SetPasswordRequestObject) (gen.SetPasswordResponseObject, error) {
	body := request.Body
	byToken, byPassword := body.Token != nil, body.Email != nil && body.Password != nil
	var made user.Session
	var err error
	switch {
	case byToken == byPassword || (byToken && (body.Email != nil || body.Password != nil)):
		err = fault.New(fault.Unauthenticated, "Give either token, or email and password.")
	case byToken:
		made, err = s.service.RedeemLink(ctx, *body.Token, body.NewPassword)
	default:
		present := user.SignInInput{Email: *body.Email, Password: *body.Password, Network: httpd.ClientNetwork(ctx)}
		made, err = s.service.ChangePassword(ctx, present, body.NewPassword)
	}
	if err != nil {
		return nil, err
	}
	return gen.SetPassword200JSONResponse{Body: toAPIUser(made.User), Headers: gen.SetPassword200ResponseHeaders{SetCookie: s.cookie(made)}}, nil
}

// SignOut ends the session of the cookie, or all of its person, and takes the cookie back.
func (s signIn) SignOut(ctx context.Context, request gen.SignOutRequestObject) (gen.SignOutResponseObject, error) {
	if err := s.service.SignOut(ctx, value(request.Params.ParleySession), *request.Params.Everywhere); err != nil {
		return nil, err
	}
	return gen.SignOut204Response{Headers: gen.SignOut204ResponseHeaders{SetCookie: s.cookie(user.Session{})}}, nil
}

// cookie is the header that keeps a session; without a text, that which ends one.
func (s signIn) cookie(made user.Session) string {
	c := http.Cookie{
		Name: sessionCookie, Value: made.Text, Path: "/", MaxAge: int(made.Life.Seconds()), HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode,
	}
	if made.Text == "" {
		c.MaxAge = -1
	}
	return c.String()
}

// GetMe tells what the credential of the request stands for.
func (s signIn) GetMe(ctx context.Context, _ gen.GetMeRequestObject) (gen.GetMeResponseObject, error) {
	caller := httpd.Caller(ctx)
	me := gen.Me{
		AccountID: caller.AccountID, Kind: gen.MeKind(caller.By), ID: caller.KeyID, Scopes: make(gen.KeyScopes, len(caller.Scopes)), Plan: caller.Plan,
	}
	for i, scope := range caller.Scopes {
		me.Scopes[i] = gen.KeyScope(scope)
	}
	if caller.Role != "" {
		row, err := s.service.Get(ctx, caller.AccountID, caller.KeyID)
		if err != nil {
			return nil, err
		}
		me.Role, me.Email, me.Name = &row.Role, &row.Email, &row.Name
	}
	return gen.GetMe200JSONResponse(me), nil
}
