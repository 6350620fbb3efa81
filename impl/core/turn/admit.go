package turn

import (
	"context"
	"sync"
	"time"

	"parley/db"
	"parley/impl/core/fault"
)

const (
	// crowd is how many turns of an account must begin at once to have its money spread.
	crowd = 4
	// spreadEvery bounds how often the money of one account is spread.
	spreadEvery = time.Second
	// spreadHolds is how many turns each purse must be able to hold: less is not
	// worth spreading, because turns that find their purse empty gather it again.
	spreadHolds = 32
)

// ceilings are those of the caller's plan for a turn that is charged tokens.
func ceilings(in Input, tokens int64) db.Ceilings {
	c := db.Ceilings{Bucket: in.Caller.Bucket, Tokens: tokens}
	if in.Caller.ConcurrentStreams > 0 {
		c.ConcurrentStreams = &in.Caller.ConcurrentStreams
	}
	if in.Caller.TokensPerMinute > 0 {
		c.TokensPerMinute = &in.Caller.TokensPerMinute
	}
	return c
}

// endUser is whom a turn is made for: the credential's end user, or else whom
// the request names; nil when neither does.
func endUser(in Input) *string {
	name := in.Caller.EndUser
	if name == "" {
		name = in.Sampling.EndUser
	}
	if name == "" {
		return nil
	}
	return &name
}

// refusal is why BeginTurn stored nothing; nil when it did.
func refusal(in Input, limits db.Ceilings, begun db.Begun) error {
	switch {
	case !begun.Conversation:
		return fault.New(fault.NotFound, "Conversation not found")
	case begun.Funded:
		return nil
	case !begun.Room:
		// When one of the running answers ends, nobody can tell.
		return fault.New(fault.RateLimited, "Too many answers at once: the plan %s admits %d per key.", in.Caller.Plan, in.Caller.ConcurrentStreams)
	case !begun.Tokens && limits.Tokens > int64(in.Caller.TokensPerMinute):
		return fault.New(fault.RateLimited, "The request can take %d tokens; the plan %s admits %d per minute. Shorten it, or ask for a shorter answer.",
			limits.Tokens, in.Caller.Plan, in.Caller.TokensPerMinute)
	case !begun.Tokens:
		f := fault.New(fault.RateLimited, "Token limit exceeded: the plan %s admits %d tokens per minute.", in.Caller.Plan, in.Caller.TokensPerMinute)
		f.RetryAfter = wait(begun.Verdict, int64(in.Caller.TokensPerMinute)-limits.Tokens)
		return f
	case !begun.Budgeted:
		return fault.New(fault.NoFunds, "The budget of this key or end user is used up.")
	}
	return fault.New(fault.NoFunds, "Insufficient account balance")
}

// wait is how long it takes until the minute holds no more than room tokens.
func wait(v db.Verdict, room int64) time.Duration {
	var used int64
	for _, n := range v.WindowTokens {
		used += n
	}
	for i, second := range v.WindowSeconds {
		if used -= v.WindowTokens[i]; used <= room {
			return time.Duration(second+db.TokenWindow+1-v.Second) * time.Second
		}
	}
	return (db.TokenWindow + 1) * time.Second
}

// crowds counts, by account, the turns that this server is beginning.
type crowds struct {
	mu        sync.Mutex
	beginning map[string]int
	spread    map[string]time.Time
}

// enter counts a turn in and returns how many of its account are beginning.
func (c *crowds) enter(accountID string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beginning[accountID]++
	return c.beginning[accountID]
}

func (c *crowds) leave(accountID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.beginning[accountID]--; c.beginning[accountID] == 0 {
		delete(c.beginning, accountID)
	}
}

// due tells whether an account's money may be spread again, and notes that it is.
func (c *crowds) due(accountID string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for other, at := range c.spread {
		if now.Sub(at) >= spreadEvery {
			delete(c.spread, other)
		}
	}
	if _, recent := c.spread[accountID]; recent {
		return false
	}
	c.spread[accountID] = now
	return true
}

// beginTurn stores a turn's beginning. When a crowd of turns, each in a statement
// of its own, had to wait for the account's own row, it spreads the account's
// money for those that follow.
func (e *Engine) beginTurn(ctx context.Context, t db.Turn, b db.Beginning) (db.Begun, error) {
	together := e.crowds.enter(t.AccountID)
	begun, err := e.db.BeginTurn(ctx, t, b)
	e.crowds.leave(t.AccountID)
	if err != nil || begun.Together || together < crowd || !begun.Funded || begun.Purse != 0 || t.HeldMicros == 0 || !e.crowds.due(t.AccountID, e.now()) {
		return begun, err
	}
	if err := e.db.SpreadMoney(ctx, t.AccountID, spreadHolds*t.HeldMicros); err != nil {
		e.log.Warn("spreading an account's money failed; its turns wait for each other", "account", t.AccountID, "error", err)
	}
	return begun, nil
}
