package key

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"parley/db"
	"parley/impl/core/audit"
	"parley/impl/core/event"
)

const (
	// flushEvery is how often a server adds what it saw to the habits of keys.
	flushEvery = time.Minute
	// Bounds of what a server remembers between two flushes.
	watchedKeys   = 20_000
	placesAMinute = 16
	longestOrigin = 255
)

// tally is the use of a key since the last flush.
type tally struct {
	kind     Kind
	requests int64
	origins  map[string]bool
	networks map[string]bool
}

type watchedKey struct{ accountID, keyID string }

// Watch notices unusual use of keys: from an origin or a network that a key was
// never used from, or far more often than it is used as a rule. Requests are
// counted in memory and added to the stored habits once a minute, so none costs
// a statement; a server that is killed forgets the last minute.
type Watch struct {
	DB  *db.DB
	Now func() time.Time

	mu   sync.Mutex
	seen map[watchedKey]*tally
}

// Saw notes a request that was admitted, with its Origin header and the address
// it came from. Only keys have habits: tokens are short-lived and people sign in from everywhere.
func (w *Watch) Saw(c Caller, origin, address string) {
	if c.By != "key" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	at := watchedKey{c.AccountID, c.KeyID}
	t := w.seen[at]
	if t == nil {
		if len(w.seen) >= watchedKeys {
			return
		}
		if w.seen == nil {
			w.seen = map[watchedKey]*tally{}
		}
		t = &tally{kind: c.Kind, origins: map[string]bool{}, networks: map[string]bool{}}
		w.seen[at] = t
	}
	t.requests++
	if origin != "" && len(origin) <= longestOrigin && len(t.origins) < placesAMinute {
		t.origins[origin] = true
	}
	if address != "" && len(t.networks) < placesAMinute {
		t.networks[address] = true
	}
}

// Keep flushes once a minute until ctx ends.
func (w *Watch) Keep(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := w.Flush(ctx); err != nil && ctx.Err() == nil {
			log.Warn("storing how keys are used failed; a minute of it is lost", "error", err)
		}
	}
}

// Flush adds what was seen to the stored habits and tells what is unusual: an
// event and an entry in the audit log for each reason, at most one a day.
func (w *Watch) Flush(ctx context.Context) error {
	w.mu.Lock()
	seen := w.seen
	w.seen = nil
	w.mu.Unlock()
	byAccount := map[string]map[string]*tally{}
	for at, t := range seen {
		if byAccount[at.accountID] == nil {
			byAccount[at.accountID] = map[string]*tally{}
		}
		byAccount[at.accountID][at.keyID] = t
	}
	var failed error
	for accountID, tallies := range byAccount {
		failed = errors.Join(failed, w.flush(ctx, accountID, tallies))
	}
	return failed
}

func (w *Watch) flush(ctx context.Context, accountID string, tallies map[string]*tally) error {
	now := w.Now()
	return w.DB.InTx(ctx, func(q *db.Queries) error {
		rows, err := q.LockKeyHabits(ctx, accountID, slices.Sorted(maps.Keys(tallies)))
		if err != nil {
			return err
		}
		for i, row := range rows {
			h, err := readHabit(row.Habit)
			if err != nil {
				return err
			}
			for _, u := range h.add(tallies[row.KeyID], now) {
				u.KeyID = row.KeyID
				if err := tellUnusual(ctx, q, accountID, u, now); err != nil {
					return err
				}
			}
			if rows[i].Habit, err = h.text(); err != nil {
				return err
			}
		}
		return q.UpdateKeyHabits(ctx, accountID, rows)
	})
}

func tellUnusual(ctx context.Context, q *db.Queries, accountID string, u event.UnusualUse, now time.Time) error {
	if err := event.Record(ctx, q, accountID, event.KeyUnusualUsage, now, u); err != nil {
		return err
	}
	return audit.Record(ctx, q, audit.Event{AccountID: accountID, Action: event.KeyUnusualUsage, Target: u.KeyID, Details: map[string]any{
		"reason": u.Reason, "place": u.Place, "requests": u.Requests, "usual_requests": u.Usual,
	}})
}

// byText makes what is told of many new places at once the same on every run.
func byText(places map[string]bool) []string { return slices.Sorted(maps.Keys(places)) }
