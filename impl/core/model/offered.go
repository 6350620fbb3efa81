package model

import (
	"context"
	"sync"
	"time"

	"parley/db"
)

const (
	// confirmedFor is how long what was read of an account's offer holds after a
	// look-up of a caller confirmed it: work that no request of the account stands behind asks the database.
	confirmedFor = 2 * time.Second
	// keptFor bounds what a change that raised no version can spoil: one by a server of an older release, or by hand.
	keptFor = time.Minute
	// answersMost and accountsMost bound what is kept.
	answersMost  = 1_000
	accountsMost = 10_000
)

// offered keeps what was read of the offers to accounts, as long as their
// versions stay the same. The zero value is ready for use.
type offered struct {
	mu    sync.Mutex
	known map[string]*offer
}

// offer is what was read at one version, or after it.
type offer struct {
	version   int64
	begun     time.Time
	confirmed time.Time
	answers   map[question]any
}

// question is what is asked of an account's offer.
type question struct{ about, id string }

// Confirm takes in the version of an account's offer that a look-up of a caller
// saw. What changed before that look-up holds for all that is asked after it.
func (c *Catalog) Confirm(accountID string, version int64) {
	now := c.Now()
	c.offered.mu.Lock()
	defer c.offered.mu.Unlock()
	o := c.offered.known[accountID]
	switch {
	case o == nil && len(c.offered.known) >= accountsMost, c.offered.known == nil:
		c.offered.known = map[string]*offer{}
		fallthrough
	case o == nil, o.version < version, o.version == version && now.Sub(o.begun) >= keptFor:
		c.offered.known[accountID] = &offer{version: version, begun: now, confirmed: now, answers: map[question]any{}}
	case o.version == version:
		o.confirmed = now
	}
}

// current returns the offer that was confirmed lately; nil without one, and
// within an act, which sees changes that are not made yet.
func (c *Catalog) current(ctx context.Context, accountID string) *offer {
	if c.DB.InAct(ctx) {
		return nil
	}
	now := c.Now()
	c.offered.mu.Lock()
	defer c.offered.mu.Unlock()
	o := c.offered.known[accountID]
	if o == nil || now.Sub(o.confirmed) >= confirmedFor {
		return nil
	}
	return o
}

// kept answers a question about an account's offer by what is kept of it, or else by read.
func kept[T any](ctx context.Context, c *Catalog, accountID string, q question, read func() (T, error)) (T, error) {
	o := c.current(ctx, accountID)
	if o == nil {
		return read()
	}
	c.offered.mu.Lock()
	answer, ok := o.answers[q].(T)
	c.offered.mu.Unlock()
	if ok {
		return answer, nil
	}
	answer, err := read()
	if err == nil {
		c.offered.mu.Lock()
		if len(o.answers) >= answersMost {
			clear(o.answers)
		}
		o.answers[q] = answer
		c.offered.mu.Unlock()
	}
	return answer, err
}

// model returns an enabled model that the account may use, its own before everyone's.
func (c *Catalog) model(ctx context.Context, accountID, modelID string) (db.Model, error) {
	return kept(ctx, c, accountID, question{"model", modelID}, func() (db.Model, error) { return c.DB.Model(ctx, accountID, modelID) })
}

// Default returns the model of a kind that answers where a request names none; db.ErrNotFound when there is none.
func (c *Catalog) Default(ctx context.Context, accountID, kind string) (db.Model, error) {
	return kept(ctx, c, accountID, question{"default", kind}, func() (db.Model, error) { return c.DB.DefaultModel(ctx, accountID, kind) })
}

// provider returns the stored provider of a model that the account uses.
func (c *Catalog) provider(ctx context.Context, accountID string, m db.Model) (db.Provider, error) {
	q := question{"provider of " + m.AccountID, m.ProviderID}
	return kept(ctx, c, accountID, q, func() (db.Provider, error) { return c.DB.Provider(ctx, m.AccountID, m.ProviderID) })
}

func (c *Catalog) aliasesFor(ctx context.Context, accountID string) ([]db.ModelAlias, error) {
	return kept(ctx, c, accountID, question{about: "aliases"}, func() ([]db.ModelAlias, error) { return c.DB.AliasesFor(ctx, accountID, 2*aliasesMax) })
}
