package key

import (
	"context"
	"errors"
	"strings"
	"time"

	"parley/db"
	"parley/impl/core/audit"
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
	Agents    []string // empty but not nil: all
	ExpiresAt *time.Time
	// NeverExpires removes an expiry.
	NeverExpires bool
}

// Update changes a key of the caller's account. It holds from the next request
// on. A key with more rights than the caller's, before or after, is Forbidden.
func (s *Service) Update(ctx context.Context, by Caller, keyID string, in UpdateInput) (db.Key, error) {
	return s.change(ctx, by, keyID, "key.updated", func(q *db.Queries, k *db.Key) error {
		wasActive := k.Active
		if err := in.apply(k); err != nil {
			return err
		}
		if wasActive && !k.Active {
			if err := tell(ctx, q, *k, "key.revoked"); err != nil {
				return err
			}
		}
		if err := checkKey(*k); err != nil {
			return err
		}
		if err := checkAgents(ctx, q, *k); err != nil {
			return err
		}
		return by.CheckGrant(k.Scopes, k.Agents)
	})
}

// apply changes what is given.
func (in UpdateInput) apply(k *db.Key) error {
	if in.Name != nil {
		k.Name = strings.TrimSpace(*in.Name)
	}
	if in.Active != nil {
		k.Active = *in.Active
	}
	if in.Scopes != nil {
		k.Scopes = in.Scopes
	}
	if in.Agents != nil {
		k.Agents = in.Agents
	}
	if in.NeverExpires {
		k.ExpiresAt = nil
	}
	if in.ExpiresAt != nil {
		if in.NeverExpires {
			return fault.New(fault.Conflict, "A key either expires or never does.")
		}
		k.ExpiresAt = in.ExpiresAt
	}
	if in.Origins != nil {
		origins, err := normalOrigins(in.Origins)
		if err != nil {
			return err
		}
		k.Origins = origins
	}
	return nil
}

// Rotate gives a key of the caller's account a new text; the old one works for
// grace more. Everything else of the key stays. A key with more rights than
// the caller's is Forbidden: its text would be theirs.
func (s *Service) Rotate(ctx context.Context, by Caller, keyID string, grace time.Duration) (Created, error) {
	var text string
	k, err := s.change(ctx, by, keyID, "key.rotated", func(q *db.Queries, k *db.Key) error {
		var digest []byte
		text, digest = s.mint(k)
		now := s.Now()
		return q.ReplaceHash(ctx, k.AccountID, keyID, digest, now, now.Add(grace))
	})
	return Created{Key: k, Text: text}, err
}

// change edits a locked key that the caller may rule, stores and books it.
func (s *Service) change(ctx context.Context, by Caller, keyID, action string, edit func(*db.Queries, *db.Key) error) (db.Key, error) {
	var k db.Key
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		var err error
		if k, err = q.LockKey(ctx, by.AccountID, keyID); err != nil {
			return missing(err)
		}
		if err := by.CheckGrant(k.Scopes, k.Agents); err != nil {
			return err
		}
		if err := edit(q, &k); err != nil {
			return err
		}
		if err := q.UpdateKey(ctx, k); err != nil {
			return err
		}
		return recordKey(ctx, q, k, action)
	})
	s.refused.clear()
	return k, err
}

// Delete ends a key for good. Its app stays, with sessions and usage.
func (s *Service) Delete(ctx context.Context, accountID, keyID string) error {
	return s.DB.InTx(ctx, func(q *db.Queries) error {
		k, err := q.LockKey(ctx, accountID, keyID)
		if err == nil {
			err = q.DeleteKey(ctx, accountID, keyID)
		}
		if err != nil {
			return missing(err)
		}
		return recordKey(ctx, q, k, "key.deleted")
	})
}

// Revoke ends a key for good, whatever account it belongs to: it is for
// operators, who name a key by its id. An unknown id is a NotFound fault.
func (s *Service) Revoke(ctx context.Context, keyID string) error {
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		accountID, err := q.KeyAccount(ctx, keyID)
		if err != nil {
			return err
		}
		if err := q.RevokeKey(ctx, accountID, keyID); err != nil {
			return err
		}
		if err := tell(ctx, q, db.Key{AccountID: accountID, ID: keyID}, "key.revoked"); err != nil {
			return err
		}
		return audit.Record(ctx, q, audit.Event{AccountID: accountID, Action: "key.revoked", Target: keyID})
	})
	if errors.Is(err, db.ErrNotFound) {
		return fault.New(fault.NotFound, "No key has the id %q.", keyID)
	}
	return err
}
