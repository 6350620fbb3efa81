// Package oauth is the client credentials grant of OAuth 2.0 (RFC 6749, 4.4):
// clients, the tokens that they get, looking tokens up (RFC 7662) and ending
// them (RFC 7009). Tokens are opaque and looked up on every request, so that
// the end of a token or of its client holds at once, and so do fewer scopes of
// the client: RFC 6749 lets the server alter what it granted, and who takes a right away wants it gone. Package key admits them.
package oauth

import (
	"context"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"
	"time"

	"parley/db"
	"parley/impl/core/credential"
	"parley/impl/core/fault"
	"parley/impl/core/key"
)

// TokenLife is how long an access token works.
const TokenLife = time.Hour

// Service makes clients and their tokens.
type Service struct {
	DB          *db.DB
	Credentials *credential.Minter
	Now         func() time.Time
}

var errClient = fault.New(fault.Unauthenticated, "The client is unknown or its secret is wrong.").Coded("invalid_client")

// Client returns the active client with the id and secret. Every other pair is
// the same Unauthenticated fault; a secret that was never minted costs no statement.
func (s *Service) Client(ctx context.Context, clientID, secret string) (db.OauthClient, error) {
	if kind, genuine := s.Credentials.Genuine(secret); !genuine || kind != credential.ClientSecret {
		return db.OauthClient{}, errClient
	}
	digest := credential.Digest(secret)
	row, err := s.DB.OauthClientBySecret(ctx, digest[:])
	if errors.Is(err, db.ErrNotFound) {
		return db.OauthClient{}, errClient
	}
	if err != nil {
		return db.OauthClient{}, err
	}
	replaced := row.ReplacedUntil != nil && !s.Now().Before(*row.ReplacedUntil)
	same := subtle.ConstantTimeCompare([]byte(row.ID), []byte(clientID)) == 1
	if !row.Active || replaced || !same {
		return db.OauthClient{}, errClient
	}
	return row.OauthClient, nil
}

// Token is a new access token with its text, which is never available again.
type Token struct {
	Text   string
	Scopes []string
	Life   time.Duration
}

// Issue makes a token with those of the client's scopes that scope names,
// separated by spaces; "" names all. Others are an Invalid fault.
func (s *Service) Issue(ctx context.Context, c db.OauthClient, scope string) (Token, error) {
	scopes, err := granted(c.Scopes, scope)
	if err != nil {
		return Token{}, err
	}
	now := s.Now()
	t := Token{Text: s.Credentials.Mint(credential.AccessToken), Scopes: scopes, Life: TokenLife}
	digest := credential.Digest(t.Text)
	err = s.DB.InsertOauthToken(ctx, db.OauthToken{
		AccountID: c.AccountID, ClientID: c.ID, Scopes: scopes, CreatedAt: now, ExpiresAt: now.Add(TokenLife),
	}, digest[:])
	if errors.Is(err, db.ErrNotFound) {
		return Token{}, errClient // deactivated or deleted since it was looked up
	}
	return t, err
}

// granted is the part of what a client holds that scope asks for. A scope
// alone holds its verbs: "webchat" grants "webchat:read".
func granted(held []string, scope string) ([]string, error) {
	wanted := strings.Fields(scope)
	if len(wanted) == 0 {
		return held, nil
	}
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	for _, w := range wanted {
		area, _, _ := strings.Cut(w, ":")
		if !slices.Contains(held, w) && !slices.Contains(held, area) {
			return nil, fault.New(fault.Invalid, "The client does not hold every scope that is asked for.").Coded("invalid_scope")
		}
	}
	if err := key.CheckScopes(key.Secret, wanted); err != nil {
		return nil, fault.New(fault.Invalid, "There is no such scope.").Coded("invalid_scope").Because(err)
	}
	return wanted, nil
}

// Introspect returns the token with the text, with the scopes that it has at this
// moment, when it works and belongs to the client's account; otherwise ok is false. A
// token whose client holds none of its scopes any more does not work.
func (s *Service) Introspect(ctx context.Context, c db.OauthClient, text string) (t db.OauthToken, ok bool, err error) {
	if kind, genuine := s.Credentials.Genuine(text); !genuine || kind != credential.AccessToken {
		return db.OauthToken{}, false, nil
	}
	digest := credential.Digest(text)
	t, err = s.DB.OauthToken(ctx, c.AccountID, digest[:])
	if errors.Is(err, db.ErrNotFound) {
		return db.OauthToken{}, false, nil
	}
	if err != nil || !t.Active || !s.Now().Before(t.ExpiresAt) {
		return db.OauthToken{}, false, err
	}
	t.Scopes = key.Within(t.Scopes, t.HolderScopes)
	return t, len(t.Scopes) > 0, nil
}

// Revoke ends a token of the client. Any other text is left alone, without a word.
func (s *Service) Revoke(ctx context.Context, c db.OauthClient, text string) error {
	if kind, genuine := s.Credentials.Genuine(text); !genuine || kind != credential.AccessToken {
		return nil
	}
	digest := credential.Digest(text)
	err := s.DB.DeleteOauthToken(ctx, c.AccountID, c.ID, digest[:])
	if errors.Is(err, db.ErrNotFound) {
		return nil
	}
	return err
}
