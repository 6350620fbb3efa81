package oauth

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"parley/db"
	"parley/impl/core/audit"
	"parley/impl/core/credential"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/key"
)

// Created is a client with its secret, which is never available again.
type Created struct {
	db.OauthClient
	Secret string
}

// CreateInput describes a client to make.
type CreateInput struct {
	By     key.Caller // whose request it is, and so the account
	Name   string
	Scopes []string
	AppID  string // an existing app; "" makes one
}

// Create stores a client. Bad names and scopes are Invalid faults, an app that
// does not exist is NotFound, more than the caller's own rights is Forbidden.
func (s *Service) Create(ctx context.Context, in CreateInput) (Created, error) {
	c := db.OauthClient{
		AccountID: in.By.AccountID, ID: id.New(id.Client), AppID: in.AppID, Name: strings.TrimSpace(in.Name), Scopes: in.Scopes,
		Active: true, CreatedAt: s.Now(),
	}
	if err := check(in.By, c); err != nil {
		return Created{}, err
	}
	made := Created{Secret: s.Credentials.Mint(credential.ClientSecret)}
	digest := credential.Digest(made.Secret)
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		if c.AppID == "" {
			c.AppID = id.New(id.App)
			app := db.App{AccountID: c.AccountID, ID: c.AppID, Name: c.Name, CreatedAt: c.CreatedAt}
			if err := q.InsertApp(ctx, app); err != nil {
				return err
			}
		}
		if err := q.InsertOauthClient(ctx, c, digest[:]); err != nil {
			return err
		}
		return record(ctx, q, c, "oauth_client.created")
	})
	var conflict *db.ConflictError
	if errors.As(err, &conflict) && conflict.Constraint == db.OauthClientsAppKey {
		return Created{}, fault.New(fault.NotFound, "App not found").Because(err)
	}
	made.OauthClient = c
	return made, err
}

func check(by key.Caller, c db.OauthClient) error {
	if c.Name == "" || utf8.RuneCountInString(c.Name) > 200 {
		return fault.New(fault.Invalid, "The name of a client has 1 to 200 characters.")
	}
	if len(c.Scopes) == 0 {
		return fault.New(fault.Invalid, "A client holds at least one scope.")
	}
	if err := key.CheckScopes(key.Secret, c.Scopes); err != nil {
		return err
	}
	return by.CheckGrant(c.Scopes, nil)
}

// record books what was done to a client.
func record(ctx context.Context, q *db.Queries, c db.OauthClient, action string) error {
	return audit.Record(ctx, q, audit.Event{AccountID: c.AccountID, Action: action, Target: c.ID, Details: map[string]any{
		"name": c.Name, "scopes": c.Scopes, "active": c.Active, "app_id": c.AppID,
	}})
}

// List returns the account's clients, the newest first, from before an id ("" from the newest).
func (s *Service) List(ctx context.Context, accountID, beforeID string, limit int) ([]db.OauthClient, error) {
	return s.DB.OauthClients(ctx, accountID, beforeID, limit)
}

// Get returns a client of the account; any other is a NotFound fault.
func (s *Service) Get(ctx context.Context, accountID, clientID string) (db.OauthClient, error) {
	c, err := s.DB.OauthClient(ctx, accountID, clientID)
	return c, missing(err)
}

func missing(err error) error {
	if errors.Is(err, db.ErrNotFound) {
		return fault.New(fault.NotFound, "Client not found")
	}
	return err
}

// UpdateInput is what to change of a client; nil leaves it.
type UpdateInput struct {
	Name   *string
	Active *bool
	Scopes []string
}

// Update changes a client of the caller's account. It holds from the next
// request on. A client with more rights than the caller's, before or after, is Forbidden.
func (s *Service) Update(ctx context.Context, by key.Caller, clientID string, in UpdateInput) (db.OauthClient, error) {
	return s.change(ctx, by, clientID, "oauth_client.updated", func(_ *db.Queries, c *db.OauthClient) error {
		if in.Name != nil {
			c.Name = strings.TrimSpace(*in.Name)
		}
		if in.Active != nil {
			c.Active = *in.Active
		}
		if in.Scopes != nil {
			c.Scopes = in.Scopes
		}
		return check(by, *c)
	})
}

// Rotate gives a client a new secret; the old one works for grace more.
func (s *Service) Rotate(ctx context.Context, by key.Caller, clientID string, grace time.Duration) (Created, error) {
	secret := s.Credentials.Mint(credential.ClientSecret)
	digest := credential.Digest(secret)
	c, err := s.change(ctx, by, clientID, "oauth_client.rotated", func(q *db.Queries, c *db.OauthClient) error {
		now := s.Now()
		return q.ReplaceOauthSecret(ctx, c.AccountID, c.ID, digest[:], now, now.Add(grace))
	})
	return Created{OauthClient: c, Secret: secret}, err
}

// change edits a locked client that the caller may rule, stores and books it.
func (s *Service) change(ctx context.Context, by key.Caller, clientID, action string, edit func(*db.Queries, *db.OauthClient) error) (db.OauthClient, error) {
	var c db.OauthClient
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		var err error
		if c, err = q.LockOauthClient(ctx, by.AccountID, clientID); err != nil {
			return missing(err)
		}
		if err := by.CheckGrant(c.Scopes, nil); err != nil {
			return err
		}
		if err := edit(q, &c); err != nil {
			return err
		}
		if err := q.UpdateOauthClient(ctx, c); err != nil {
			return err
		}
		return record(ctx, q, c, action)
	})
	return c, err
}

// Delete ends a client, its secrets and tokens for good. Its app stays.
func (s *Service) Delete(ctx context.Context, accountID, clientID string) error {
	return s.DB.InTx(ctx, func(q *db.Queries) error {
		c, err := q.LockOauthClient(ctx, accountID, clientID)
		if err == nil {
			err = q.DeleteOauthClient(ctx, accountID, clientID)
		}
		if err != nil {
			return missing(err)
		}
		return record(ctx, q, c, "oauth_client.deleted")
	})
}
