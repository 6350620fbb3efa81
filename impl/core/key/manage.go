package key

import (
	"context"
	"errors"
	"strings"
	"time"

	"parley/db"
	"parley/impl/core/event"
	"parley/impl/core/fault"
)

// List returns the account's keys, the newest first, from before an id ("" from the newest).
func (s *Service) List(ctx context.Context, accountID, beforeID string, limit int) ([]db.Key, error) {
	return s.DB.Keys(ctx, accountID, beforeID, limit)
}

// Get returns a key of the account; any other is a NotFound fault.
func (s *Service) Get(ctx context.Context, accountID, keyID string) (db.Key, error) {
	k, err := s.DB.Key(ctx, accountID, keyID)
	return k, missing(err)
}

func missing(err error) error {
	if errors.Is(err, db.ErrNotFound) {
		return fault.New(fault.NotFound, "Key not found")
	}
	return err
}

// UpdateInput is what to change of a key; nil leaves it.
type UpdateInput struct {
	Name      *string
	Active    *bool
	Scopes    []string
	Origins   []string
	ExpiresAt *time.Time
}

// Update changes a key. It holds from the next request on.
func (s *Service) Update(ctx context.Context, accountID, keyID string, in UpdateInput) (db.Key, error) {
	return s.change(ctx, accountID, keyID, func(q *db.Queries, k *db.Key) error {
		if in.Active != nil && k.Active && !*in.Active {
			if err := s.tell(ctx, q, *k, event.KeyRevoked); err != nil {
				return err
			}
		}
		if in.Name != nil {
			k.Name = strings.TrimSpace(*in.Name)
		}
		if in.Active != nil {
			k.Active = *in.Active
		}
		if in.Scopes != nil {
			k.Scopes = in.Scopes
		}
		if in.ExpiresAt != nil {
			k.ExpiresAt = in.ExpiresAt
		}
		if in.Origins != nil {
			origins, err := normalOrigins(in.Origins)
			if err != nil {
				return err
			}
			k.Origins = origins
		}
		return checkKey(*k)
	})
}

// Rotate gives a key a new text; the old one works for grace more. Everything
// else of the key stays.
func (s *Service) Rotate(ctx context.Context, accountID, keyID string, grace time.Duration) (Created, error) {
	var text string
	k, err := s.change(ctx, accountID, keyID, func(q *db.Queries, k *db.Key) error {
		text = mint(Kind(k.Kind))
		k.Prefix = text[:shownChars]
		now := s.Now()
		if err := s.tell(ctx, q, *k, event.KeyRotated); err != nil {
			return err
		}
		return q.ReplaceHash(ctx, accountID, keyID, digest(text), now, now.Add(grace))
	})
	return Created{Key: k, Text: text}, err
}

// change edits a locked key and stores it.
func (s *Service) change(ctx context.Context, accountID, keyID string, edit func(*db.Queries, *db.Key) error) (db.Key, error) {
	var k db.Key
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		var err error
		if k, err = q.LockKey(ctx, accountID, keyID); err != nil {
			return missing(err)
		}
		if err := edit(q, &k); err != nil {
			return err
		}
		return q.UpdateKey(ctx, k)
	})
	return k, err
}

// Delete ends a key for good. Its app stays, with sessions and usage.
func (s *Service) Delete(ctx context.Context, accountID, keyID string) error {
	return missing(s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.DeleteKey(ctx, accountID, keyID); err != nil {
			return err
		}
		return s.tell(ctx, q, db.Key{AccountID: accountID, ID: keyID}, event.KeyRevoked)
	}))
}

// tell records what happened to a key, for webhooks.
func (s *Service) tell(ctx context.Context, q *db.Queries, k db.Key, kind string) error {
	return event.Record(ctx, q, k.AccountID, kind, s.Now(), event.Key{KeyID: k.ID})
}

// Revoke ends a key for good, whatever account it belongs to: it is for
// operators, who name a key by its id. An unknown id is a NotFound fault.
func (s *Service) Revoke(ctx context.Context, keyID string) error {
	accountID, err := s.DB.KeyAccount(ctx, keyID)
	if err == nil {
		err = s.DB.InTx(ctx, func(q *db.Queries) error {
			if err := q.RevokeKey(ctx, accountID, keyID); err != nil {
				return err
			}
			return s.tell(ctx, q, db.Key{AccountID: accountID, ID: keyID}, event.KeyRevoked)
		})
	}
	if errors.Is(err, db.ErrNotFound) {
		return fault.New(fault.NotFound, "No key has the id %q.", keyID)
	}
	return err
}
