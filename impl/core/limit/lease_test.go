package limit_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/db/dbtest"
	"parley/impl/core/key"
	"parley/impl/core/limit"
)

const (
	leased = 600
	window = 3 * time.Second
	life   = 100 * time.Millisecond
)

// fleet is some servers' limiters, each with its own connections, of one account.
type fleet struct {
	limiters []*limit.Limiter
	caller   key.Caller

	mu       sync.Mutex
	admitted []time.Time
}

func newFleet(t *testing.T, servers int) *fleet {
	t.Helper()
	f := &fleet{caller: key.Caller{AccountID: dbtest.Account(t, dbtest.New(t), "free", 0), RequestsPerMinute: leased, Bucket: "account"}}
	for range servers {
		l := &limit.Limiter{DB: dbtest.Open(t, dbtest.DSN(t), 4), Now: time.Now}
		l.Hasten(window, life, func(at time.Time) {
			f.mu.Lock()
			f.admitted = append(f.admitted, at)
			f.mu.Unlock()
		})
		f.limiters = append(f.limiters, l)
	}
	return f
}

// offer sends requests to some of the servers, the first the most, until a time.
func (f *fleet) offer(t *testing.T, limiters []*limit.Limiter, until time.Time) {
	t.Helper()
	var workers sync.WaitGroup
	for i, l := range limiters {
		for range 6 / (i + 1) {
			workers.Go(func() {
				for time.Now().Before(until) {
					d, err := l.Admit(context.Background(), f.caller)
					if err != nil {
						t.Error(err)
						return
					}
					if d.Remaining < 0 || d.Remaining >= leased || (!d.Admitted && d.RetryAfter > window+life) {
						t.Errorf("decision %+v", d)
					}
				}
			})
		}
	}
	workers.Wait()
}

// wantWithinLimit checks every sliding window.
func (f *fleet) wantWithinLimit(t *testing.T) {
	t.Helper()
	slices.SortFunc(f.admitted, time.Time.Compare)
	for i := leased; i < len(f.admitted); i++ {
		if span := f.admitted[i].Sub(f.admitted[i-leased]); span < window {
			t.Fatalf("%d admissions within %v", leased+1, span)
		}
	}
}

// Three servers under unequal load admit no more than the limit in any sliding
// window, and nearly all of it when more is offered.
func TestALeasedLimitHoldsOverServers(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 3)
	const windows = 2
	f.offer(t, f.limiters, time.Now().Add(windows*window+window/4))
	f.wantWithinLimit(t)
	over := f.admitted[0].Add(windows * window)
	inTime := 0
	for _, at := range f.admitted {
		if at.Before(over) {
			inTime++
		}
	}
	if least := windows * leased * 98 / 100; inTime < least {
		t.Errorf("admitted %d in %d windows, want %d at least", inTime, windows, least)
	}
}

// Servers that die with a batch in hand lose what they hold and no more; those
// that start at the edge of a window do not get what the others used.
func TestServersThatDieAndStartKeepTheLimit(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 6)
	for i := range 3 {
		f.offer(t, f.limiters[i:i+3], time.Now().Add(window/2+rand.N(window)))
	}
	f.wantWithinLimit(t)
}

func TestWhatAServerDoesNotUseGoesToTheOthers(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2)
	idle, busy := f.limiters[0], f.limiters[1]
	for range 3 { // holds some more, which it never uses
		if d, err := idle.Admit(t.Context(), f.caller); err != nil || !d.Admitted {
			t.Fatalf("decision %+v, %v", d, err)
		}
	}
	deadline := time.Now().Add(window - 4*life)
	for len(f.admitted) < leased && time.Now().Before(deadline) {
		if _, err := busy.Admit(t.Context(), f.caller); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.admitted) != leased {
		t.Errorf("%d of %d were admitted: some stayed with the idle server", len(f.admitted), leased)
	}
}

// A client that waits as long as it is told gets in.
func TestWaitingAsToldGetsOneIntoALeasedLimit(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	l := f.limiters[0]
	for {
		d, err := l.Admit(t.Context(), f.caller)
		if err != nil {
			t.Fatal(err)
		}
		if d.Admitted {
			continue
		}
		if d.Remaining != 0 || d.RetryAfter <= 0 {
			t.Errorf("refused with %+v", d)
		}
		<-time.After(d.RetryAfter)
		break
	}
	if d, err := l.Admit(t.Context(), f.caller); err != nil || !d.Admitted {
		t.Errorf("refused after the time told: %+v, %v", d, err)
	}
}
