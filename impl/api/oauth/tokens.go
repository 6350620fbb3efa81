package oauth

import (
	"context"
	"strings"

	gen "parley/gen/oauth"
	"parley/impl/core/fault"
)

// CreateOauthToken exchanges a client's secret for an access token.
func (a API) CreateOauthToken(ctx context.Context, request gen.CreateOauthTokenRequestObject) (gen.CreateOauthTokenResponseObject, error) {
	form := request.Body
	client, err := a.client(ctx, form.ClientID, form.ClientSecret)
	if err != nil {
		return nil, err
	}
	if form.GrantType != "client_credentials" {
		return nil, fault.New(fault.Invalid, "The grant type must be client_credentials.").Coded("unsupported_grant_type")
	}
	token, err := a.service.Issue(ctx, client, value(form.Scope))
	if err != nil {
		return nil, err
	}
	return gen.CreateOauthToken200JSONResponse{
		Body: gen.OauthToken{
			AccessToken: token.Text, TokenType: gen.OauthTokenTokenTypeBearer, ExpiresIn: int32(token.Life.Seconds()),
			Scope: strings.Join(token.Scopes, " "),
		},
		Headers: gen.CreateOauthToken200ResponseHeaders{CacheControl: "no-store", Pragma: "no-cache"},
	}, nil
}

// IntrospectOauthToken tells what a token of the client's account is.
func (a API) IntrospectOauthToken(ctx context.Context, request gen.IntrospectOauthTokenRequestObject) (gen.IntrospectOauthTokenResponseObject, error) {
	form := request.Body
	client, err := a.client(ctx, form.ClientID, form.ClientSecret)
	if err != nil {
		return nil, err
	}
	token, active, err := a.service.Introspect(ctx, client, form.Token)
	if err != nil || !active {
		return gen.IntrospectOauthToken200JSONResponse{}, err
	}
	scope, kind := strings.Join(token.Scopes, " "), gen.OauthIntrospectionTokenTypeBearer
	issued, expires := token.CreatedAt.Unix(), token.ExpiresAt.Unix()
	return gen.IntrospectOauthToken200JSONResponse{
		Active: true, Scope: &scope, ClientID: &token.ClientID, TokenType: &kind, Iat: &issued, Exp: &expires,
	}, nil
}

// RevokeOauthToken ends a token of the client.
func (a API) RevokeOauthToken(ctx context.Context, request gen.RevokeOauthTokenRequestObject) (gen.RevokeOauthTokenResponseObject, error) {
	form := request.Body
	client, err := a.client(ctx, form.ClientID, form.ClientSecret)
	if err != nil {
		return nil, err
	}
	return gen.RevokeOauthToken200Response{}, a.service.Revoke(ctx, client, form.Token)
}
