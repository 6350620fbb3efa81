package turn_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/fault"
	"parley/impl/core/provider"
	"parley/impl/core/provider/providertest"
	"parley/impl/core/turn"
)

// `make overdraft` runs a thousand.
var overdraftTrials = flag.Int("overdraft-trials", 12, "trials of TestNobodyEverOverdraws")

// campaign is some servers on one Postgres whose provider answers when it may.
type campaign struct {
	*bundle
	engines []*turn.Engine
	gate    atomic.Pointer[chan struct{}]
	each    int64 // what a turn holds
}

func newCampaign(t *testing.T, servers int) *campaign {
	t.Helper()
	c := &campaign{}
	open := make(chan struct{})
	close(open)
	c.gate.Store(&open)
	d, dsn := dbtest.Own(t)
	c.bundle = setupOn(t, d, dsn, chatFunc(func(ctx context.Context, emit func(provider.Delta) error) (provider.Result, error) {
		select {
		case <-*c.gate.Load():
		case <-ctx.Done():
			return provider.Result{}, ctx.Err()
		}
		return providertest.NewScripted(providertest.Text("fine")).Chat(ctx, provider.Request{}, emit)
	}))
	for range servers {
		c.engines = append(c.engines, c.newEngine(t, dbtest.Open(t, dsn, 12)))
	}
	live := c.start(t, c.input("Hi"))
	if _, err := live.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.each = c.turn(t, live.ID).HeldMicros
	return c
}

// rush asks as often as calls at once, over all servers, and returns the turns
// that began and how many calls were refused for lack of money.
func (c *campaign) rush(t *testing.T, b *bundle, calls int) (begun []*turn.Live, refused int) {
	t.Helper()
	var mu sync.Mutex
	var workers sync.WaitGroup
	for i := range calls {
		workers.Go(func() {
			live, err := c.engines[i%len(c.engines)].Start(context.WithoutCancel(t.Context()), b.input("Hi"))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				begun = append(begun, live)
			case fault.KindOf(err) == fault.NoFunds:
				refused++
			case fault.KindOf(err) != fault.Unavailable: // which a machine that stands still for seconds may be
				t.Error(err)
			}
		})
	}
	workers.Wait()
	return begun, refused
}

// Money for so many calls admits exactly so many of the many that are asked at
// once, wherever the money lies and whichever server is asked.
func TestNobodyEverOverdraws(t *testing.T) {
	t.Parallel()
	c := newCampaign(t, 3)
	spread := make(chan error, 1)
	for trial := range *overdraftTrials {
		covered, calls := 1+rand.IntN(24), 64<<rand.IntN(4)
		rest := rand.Int64N(c.each)
		b := c.withAccount(t, int64(covered)*c.each+rest)
		if trial%3 > 0 { // in purses that each hold a fraction of a call, or some calls
			if err := c.db.SpreadMoney(t.Context(), b.caller.AccountID, 1); err != nil {
				t.Fatal(err)
			}
		}
		gate := make(chan struct{})
		c.gate.Store(&gate)
		if trial%3 == 0 { // or while the calls are asked
			go func() { spread <- c.db.SpreadMoney(t.Context(), b.caller.AccountID, 1) }()
		} else {
			spread <- nil
		}
		begun, refused := c.rush(t, b, calls)
		if err := <-spread; err != nil {
			t.Fatal(err)
		}
		c.wantCovered(t, b, covered, refused, int64(covered)*c.each+rest)
		close(gate)
		for _, live := range begun {
			_, _ = live.Wait(t.Context()) // what is stored tells how it ended
		}
		c.wantSettled(t, b, int64(covered)*c.each+rest)
		if t.Failed() {
			t.Fatalf("trial %d: %d calls with money for %d, %d began", trial, calls, covered, len(begun))
		}
	}
	c.wantBalanced(t)
}

// wantCovered holds the turns that run to the money that was granted: none runs
// without its hold, and nobody was refused while there was money for another.
func (c *campaign) wantCovered(t *testing.T, b *bundle, covered, refused int, granted int64) {
	t.Helper()
	const count = "select count(*) from turns where account_id = $1 and (state = 'running') = $2"
	running, lapsed := ask(t, c.dsn, count, b.caller.AccountID, true), ask(t, c.dsn, count, b.caller.AccountID, false)
	a := b.account(t)
	if running > covered || a.HeldMicros != int64(running)*c.each || a.BalanceMicros < 0 || a.BalanceMicros+a.HeldMicros+a.SpentMicros != granted {
		t.Errorf("%d run, %d lapsed; account %+v of %d, a call holds %d", running, lapsed, a, granted, c.each)
	}
	// A turn that another server ended gave its hold back, maybe after somebody was refused.
	if refused > 0 && lapsed == 0 && running != covered {
		t.Errorf("%d calls were refused, but %d of %d run", refused, running, covered)
	}
}

// wantSettled holds an account without running turns to what its turns cost.
func (c *campaign) wantSettled(t *testing.T, b *bundle, granted int64) {
	t.Helper()
	running := ask(t, c.dsn, "select count(*) from turns where account_id = $1 and state = 'running'", b.caller.AccountID)
	cost := ask(t, c.dsn, "select coalesce(sum(cost_micros), 0)::bigint from turns where account_id = $1", b.caller.AccountID)
	if a := b.account(t); running != 0 || a.HeldMicros != 0 || a.SpentMicros != int64(cost) || a.BalanceMicros != granted-int64(cost) {
		t.Errorf("%d still run, all cost %d of %d; account %+v", running, cost, granted, a)
	}
}

func (c *campaign) wantBalanced(t *testing.T) {
	t.Helper()
	if found, err := c.db.Imbalances(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("the ledger does not balance: %+v, %v", found, err)
	}
}

// Turns that come and go while money moves between purses, is added and taken
// away again never find less than there is, nor spend more.
func TestMoneyInPursesIsConserved(t *testing.T) {
	t.Parallel()
	c := newCampaign(t, 2)
	b := c.withAccount(t, 40*c.each)
	stop := make(chan struct{})
	var movers sync.WaitGroup
	move := func(act func(n int64) error) {
		movers.Go(func() {
			for n := int64(1); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := act(n); err != nil {
					t.Error(err)
				}
				b.account(t)
			}
		})
	}
	id := b.caller.AccountID
	move(func(int64) error { return c.db.SpreadMoney(t.Context(), id, 1) })
	move(func(n int64) error {
		return c.db.Grant(t.Context(), id, fmt.Sprintf("entry_grant%d", n), 3, b.clock.now())
	})
	move(func(n int64) error {
		return c.db.InTx(t.Context(), func(q *db.Queries) error {
			if err := q.LockPurses(t.Context(), id); err != nil {
				return err
			}
			if _, err := q.LockAccount(t.Context(), id); err != nil {
				return err
			}
			_, err := q.Withdraw(t.Context(), id, fmt.Sprintf("entry_taken%d", n), 2, b.clock.now())
			return err
		})
	})
	var asked sync.WaitGroup
	for i := range 8 {
		asked.Go(func() {
			for range 25 {
				live, err := c.engines[i%2].Start(t.Context(), b.input("Hi"))
				if err == nil {
					_, err = live.Wait(t.Context())
				}
				if err != nil {
					t.Error(err) // 8 at once need 8 holds; there are about 40
				}
			}
		})
	}
	asked.Wait()
	close(stop)
	movers.Wait()
	if a := b.account(t); a.HeldMicros != 0 {
		t.Errorf("account %+v", a)
	}
	c.wantBalanced(t)
}

// A server that is killed takes no money with it: who takes over its turns
// finds their holds wherever they lie.
func TestHoldsInPursesOfADeadServerAreSettled(t *testing.T) {
	t.Parallel()
	c := newCampaign(t, 2)
	b := c.withAccount(t, 50*c.each)
	if err := c.db.SpreadMoney(t.Context(), b.caller.AccountID, 1); err != nil {
		t.Fatal(err)
	}
	gate := make(chan struct{})
	c.gate.Store(&gate)
	begun, _ := c.rush(t, b, 30)
	where := ask(t, c.dsn, "select count(distinct purse) from turns where account_id = $1 and state = 'running'", b.caller.AccountID)
	if len(begun) != 30 || where == 0 {
		t.Fatalf("%d turns began, in %d purses", len(begun), where)
	}
	heir := c.newEngine(t, c.db)
	// The servers that began them live on here: they must not renew what is to be taken over.
	ask(t, c.dsn, "with died as (update turns set owner = 'a dead server', lease_until = '-infinity' where state = 'running' returning 1) select count(*) from died")
	if err := heir.TakeOver(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(gate)
	running := ask(t, c.dsn, "select count(*) from turns where account_id = $1 and state = 'running'", b.caller.AccountID)
	if a := b.account(t); a.HeldMicros != 0 || running != 0 {
		t.Errorf("%d turns still run, account %+v", running, a)
	}
	c.wantBalanced(t)
}
