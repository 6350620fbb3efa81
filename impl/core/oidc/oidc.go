// Package oidc turns tokens of the operator's OpenID Connect issuer into
// callers: which account a token acts in, and with which scopes, is in its claims.
package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/key"
)

// Claims are those of a token that was checked.
type Claims struct {
	Subject string
	All     map[string]any
}

// App is the app of tokens that name none; it has no row and no agent.
const App = "app_oidc"

// appClaim names an app of the account.
const appClaim = "parley_app"

// Service admits tokens beside keys.
type Service struct {
	DB     *db.DB
	Keys   *key.Service
	Verify func(ctx context.Context, text string) (Claims, error)

	Account      string // of tokens that name none; "" refuses those
	AccountClaim string // holds the account's id
	ScopeClaim   string // holds scopes: a list, or a text separated by spaces
}

// Authenticate returns the caller of a token or a key. Every bad one is the
// same Unauthenticated fault.
func (s *Service) Authenticate(ctx context.Context, text string) (key.Caller, error) {
	if !isJWT(text) {
		return s.Keys.Authenticate(ctx, text)
	}
	claims, err := s.Verify(ctx, text)
	if err != nil {
		if fault.KindOf(err) == fault.Unauthenticated {
			return key.Caller{}, key.ErrUnknown.Because(err)
		}
		return key.Caller{}, err
	}
	return s.caller(ctx, claims)
}

// isJWT tells whether text has the form of a signed JWT, which no credential of ours has.
func isJWT(text string) bool { return strings.HasPrefix(text, "eyJ") && strings.Count(text, ".") == 2 }

func (s *Service) caller(ctx context.Context, c Claims) (key.Caller, error) {
	accountID, appID := s.Account, App
	if named, given := c.All[s.AccountClaim]; given {
		accountID, _ = named.(string) // something else names no account
	}
	if named, given := c.All[appClaim]; given {
		appID, _ = named.(string)
	}
	if accountID == "" || appID == "" || c.Subject == "" {
		return key.Caller{}, key.ErrUnknown
	}
	row, err := s.DB.AccountCaller(ctx, accountID, appID)
	if errors.Is(err, db.ErrNotFound) || (err == nil && row.AppID != appID && appID != App) {
		return key.Caller{}, key.ErrUnknown // no such account, or no such app in it
	}
	if err != nil {
		return key.Caller{}, err
	}
	row.AppID, row.Kind, row.ID = appID, string(key.Secret), subject(c.Subject)
	row.Scopes = scopesOf(c.All[s.ScopeClaim])
	caller := key.CallerOf(row)
	caller.By = "user"
	return caller, nil
}

// subject is the id of a person of the issuer, within the bounds of our ids.
func subject(sub string) string {
	if len(sub) > 128 {
		sum := sha256.Sum256([]byte(sub))
		sub = "sha256-" + hex.EncodeToString(sum[:])
	}
	return "oidc:" + sub
}

// scopesOf are the known scopes in a claim. The operator's are not among them:
// who rules the whole server is not for an issuer of accounts' people to say.
func scopesOf(claim any) []string {
	var named []string
	switch v := claim.(type) {
	case string:
		named = strings.Fields(v)
	case []any:
		for _, item := range v {
			if text, ok := item.(string); ok {
				named = append(named, text)
			}
		}
	}
	known := key.Scopes()
	return slices.DeleteFunc(named, func(scope string) bool {
		area, _, _ := strings.Cut(scope, ":")
		return area == key.ScopeOperator || !slices.Contains(known, scope)
	})
}
