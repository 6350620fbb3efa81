package app

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"parley/impl/api/platform"
	"parley/impl/core/oidc"
	"parley/impl/httpd"
	"parley/impl/issuer"
)

// issuerOptions are how the operator's issuer is reached, for tokens meant for the audience.
func (a *App) issuerOptions() issuer.Options {
	return issuer.Options{URL: a.cfg.OIDCIssuer, Audience: a.cfg.OIDCAudience, Client: &http.Client{}, Now: a.clock.now}
}

// authenticator admits keys and, with an issuer whose tokens are taken, its tokens.
func (a *App) authenticator() httpd.Authenticator {
	if a.cfg.OIDCAudience == "" {
		return a.Keys
	}
	return &oidc.Service{
		DB: a.database.DB, Keys: a.Keys, Verify: issuer.New(a.issuerOptions()).Verify, Account: a.cfg.OIDCAccount,
		AccountClaim: a.cfg.OIDCAccountClaim, ScopeClaim: a.cfg.OIDCScopeClaim,
	}
}

// signIn signs people in at the issuer; nil unless this server is a client of one.
func (a *App) signIn() *oidc.SignIn {
	if a.cfg.OIDCClientID == "" {
		return nil
	}
	client := issuer.NewClient(a.issuerOptions(), issuer.ClientOptions{
		ID: a.cfg.OIDCClientID, Secret: a.cfg.OIDCClientSecret, Redirect: strings.TrimSuffix(a.cfg.PublicURL, "/") + platform.OIDCReturn,
	})
	return &oidc.SignIn{Box: a.box, Now: a.clock.now, People: a.Users, Issuer: a.cfg.OIDCIssuer, Ask: client.Ask, Exchange: client.Exchange}
}

// checkAdmission is an error when people of a domain would be admitted to an account that is not.
func (a *App) checkAdmission(ctx context.Context) error {
	if a.cfg.OIDCDomainsIn == "" {
		return nil
	}
	if _, err := a.Accounts.Get(ctx, a.cfg.OIDCDomainsIn); err != nil {
		return fmt.Errorf("PARLEY_OIDC_DOMAINS_ACCOUNT: %w", err)
	}
	return nil
}
