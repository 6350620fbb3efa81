package issuer

import (
	"context"
	"errors"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"parley/impl/core/fault"
	core "parley/impl/core/oidc"
)

// exchangeTimeout bounds how long the issuer may take to say what a code stands for.
const exchangeTimeout = 10 * time.Second

// ClientOptions say as whom this server signs people in at an issuer.
type ClientOptions struct {
	ID       string
	Secret   string // "" for a public client, which PKCE alone guards
	Redirect string // where the issuer sends browsers back to
}

// Client signs people in at the issuer by the authorization code flow.
type Client struct {
	issuer  *Issuer // of ID tokens, which are meant for the client
	options ClientOptions
}

// NewClient makes a Client; it does not connect. The audience of the options is the client itself.
func NewClient(o Options, c ClientOptions) *Client {
	o.Audience = c.ID
	return &Client{issuer: New(o), options: c}
}

// Ask returns the address at which the issuer asks a browser who it is. Without
// an answer of the issuer about its addresses it is an Unavailable fault.
func (c *Client) Ask(ctx context.Context, q core.Question) (string, error) {
	config, err := c.config(ctx)
	if err != nil {
		return "", err
	}
	return config.AuthCodeURL(q.State, oidc.Nonce(q.Nonce), oauth2.SetAuthURLParam("code_challenge", q.Challenge),
		oauth2.SetAuthURLParam("code_challenge_method", "S256")), nil
}

// Exchange returns the claims of the ID token that the issuer gives for a code
// and the verifier of its challenge. A code that the issuer refuses and a token that is not
// its own, not for this client or not in force are Unauthenticated faults; an issuer that does not answer is Unavailable.
func (c *Client) Exchange(ctx context.Context, code, verifier string) (core.Claims, error) {
	config, err := c.config(ctx)
	if err != nil {
		return core.Claims{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, c.issuer.keys.client), exchangeTimeout)
	defer cancel()
	refused := fault.New(fault.Unauthenticated, "The issuer did not sign you in.")
	token, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	var answer *oauth2.RetrieveError
	if errors.As(err, &answer) && answer.ErrorCode == "invalid_grant" {
		return core.Claims{}, refused.Because(err)
	}
	if err != nil {
		return core.Claims{}, away(err)
	}
	text, _ := token.Extra("id_token").(string)
	claims, err := c.issuer.Verify(ctx, text)
	if err != nil {
		if fault.KindOf(err) == fault.Unauthenticated {
			return core.Claims{}, refused.Because(err)
		}
		return core.Claims{}, err
	}
	if party, given := claims.All["azp"]; given && party != c.options.ID {
		return core.Claims{}, refused // it was given to another client
	}
	return claims, nil
}

// config is the client with the issuer's addresses, which are asked for at most
// once in a while.
func (c *Client) config(ctx context.Context) (*oauth2.Config, error) {
	found, err := c.issuer.keys.endpoints(ctx)
	if err != nil {
		return nil, away(err)
	}
	style := oauth2.AuthStyleInHeader
	if c.options.Secret == "" || found.secretInBody() {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: c.options.ID, ClientSecret: c.options.Secret, RedirectURL: c.options.Redirect, Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
		Endpoint: oauth2.Endpoint{AuthURL: found.Authorization, TokenURL: found.Token, AuthStyle: style},
	}, nil
}

// away is the fault of an issuer that does not do its part.
func away(err error) error {
	f := fault.New(fault.Unavailable, "The issuer does not answer.").Because(err)
	f.RetryAfter = fetchPause
	return f
}
