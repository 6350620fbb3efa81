package turn_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"parley/db"
	"parley/impl/core/account"
	"parley/impl/core/fault"
	"parley/impl/core/money"
	"parley/impl/core/provider"
	"parley/impl/core/provider/providertest"
)

func TestTheHighestCostIsHeldWhileATurnRuns(t *testing.T) {
	t.Parallel()
	script, gate := gated("a")
	b := setup(t, providertest.NewScripted(script))
	live := b.start(t, b.input("Hi"))
	row := b.turn(t, live.ID)
	atLeast := money.Cost(row.InputTokens, 4096, priceIn, priceOut)
	if a := b.account(t); a.HeldMicros != row.HeldMicros || a.HeldMicros < atLeast || a.BalanceMicros != credit-row.HeldMicros {
		t.Errorf("account %+v, turn %+v, the answer can cost %d", a, row, atLeast)
	}
	close(gate)
	if _, err := live.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := b.account(t); a.HeldMicros != 0 || a.SpentMicros == 0 {
		t.Errorf("account %+v", a)
	}
}

func TestConcurrentTurnsNeverOverdraw(t *testing.T) {
	t.Parallel()
	const asked, covered = 200, 7
	script, gate := gated("a")
	probe := setup(t, providertest.NewScripted(providertest.Text("a"), script))
	first := probe.start(t, probe.input("Hi"))
	if _, err := first.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := probe.withAccount(t, covered*probe.turn(t, first.ID).HeldMicros)
	var admitted, refused atomic.Int64
	var workers sync.WaitGroup
	for range asked {
		workers.Go(func() {
			_, err := b.engine.Start(context.WithoutCancel(t.Context()), b.input("Hi"))
			switch {
			case err == nil:
				admitted.Add(1)
			case fault.KindOf(err) == fault.NoFunds:
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	workers.Wait()
	if admitted.Load() != covered || refused.Load() != asked-covered || b.account(t).BalanceMicros != 0 {
		t.Errorf("admitted %d of %d with money for %d; account %+v", admitted.Load(), asked, covered, b.account(t))
	}
	for table, want := range map[string]int{"conversations": covered, "messages": covered, "turns": covered, "turn_events": 0} {
		if n := ask(t, b.dsn, "select count(*) from "+table+" where account_id = $1", b.caller.AccountID); n != want {
			t.Errorf("%d rows in %s, want %d: a refused turn stores nothing", n, table, want)
		}
	}
	close(gate)
	b.engine.Stop(t.Context())
	if a := b.account(t); a.HeldMicros != 0 || a.SpentMicros == 0 {
		t.Errorf("account %+v", a)
	}
}

func TestFreeModelsNeedNoMoneyAndDoNotTouchTheBalance(t *testing.T) {
	t.Parallel()
	b := setup(t, providertest.NewScripted()).withAccount(t, 0)
	if err := b.models.SetPrice(t.Context(), b.caller.AccountID, "scripted", 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	const version = "select xmin::text::bigint from accounts where account_id = $1"
	before := ask(t, b.dsn, version, b.caller.AccountID)
	live := b.start(t, b.input("Hi"))
	if _, err := live.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := ask(t, b.dsn, version, b.caller.AccountID); after != before || b.usageRows(t, live.ID) != 1 {
		t.Errorf("the account's row was written for a free answer, or its usage was not booked")
	}
}

func TestAnUpstreamThatCountsMoreCannotCostMoreThanTheHold(t *testing.T) {
	t.Parallel()
	script := providertest.Text("a")
	script.Usage = &provider.Usage{InputTokens: 1_000_000_000, OutputTokens: 1_000_000_000}
	b := setup(t, providertest.NewScripted(script))
	live := b.start(t, b.input("Hi"))
	if _, err := live.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	row := b.turn(t, live.ID)
	if a := b.account(t); row.CostMicros != row.HeldMicros || a.SpentMicros != row.HeldMicros || row.InputTokens != 1_000_000_000 {
		t.Errorf("turn %+v, account %+v", row, a)
	}
}

func TestUsageThatWeCountedIsMarked(t *testing.T) {
	t.Parallel()
	reported := providertest.Text("a")
	reported.Usage = &provider.Usage{InputTokens: 3, OutputTokens: 1}
	b := setup(t, providertest.NewScripted(reported, providertest.Text("a")))
	for estimated := range 2 { // the first reports, the second does not
		live := b.start(t, b.input("Hi"))
		answer, err := live.Wait(t.Context())
		if err != nil || answer.Usage.Estimated != (estimated == 1) || answer.Usage.InputTokens == 0 {
			t.Errorf("usage %+v, %v", answer.Usage, err)
		}
		const marked = "select estimated::int from ledger where account_id = $1 and turn_id = $2"
		if got := ask(t, b.dsn, marked, b.caller.AccountID, live.ID); got != estimated {
			t.Errorf("the ledger's mark is %d, want %d", got, estimated)
		}
	}
}

// Money is conserved at every moment that anyone can see, whatever happens to
// the turns: they share one account and a few conversations.
func TestMoneyIsConservedUnderLoad(t *testing.T) {
	t.Parallel()
	failing := providertest.Text("one", "two")
	failing.Err, failing.FailAfter = fault.New(fault.Upstream, "cut"), 1
	scripts := []providertest.Script{providertest.Text("fine"), failing, providertest.Text("fine", "too")}
	b := setup(t, chatFunc(func(ctx context.Context, emit func(provider.Delta) error) (provider.Result, error) {
		return providertest.NewScripted(scripts[rand.N(len(scripts))]).Chat(ctx, provider.Request{}, emit)
	}))
	shared := make([]*db.Conversation, 3)
	for i := range shared {
		in := b.input("first")
		shared[i] = in.Conversation
		_, _ = b.start(t, in).Wait(t.Context())
	}
	accounts := &account.Service{DB: b.db, Now: b.clock.now}
	var workers sync.WaitGroup
	for range 12 {
		workers.Go(func() {
			for range 10 {
				in := b.input("Hi")
				in.Conversation, in.Begins = shared[rand.N(len(shared))], false
				live, err := b.engine.Start(t.Context(), in)
				if err != nil {
					t.Error(err)
					return
				}
				b.account(t)
				if _, err := live.Wait(t.Context()); err != nil && fault.KindOf(err) != fault.Upstream {
					t.Error(err)
				}
				if _, err := accounts.Adjust(t.Context(), b.caller.AccountID, 1, "test"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
	a := b.account(t)
	const sum = "select coalesce(sum(amount_micros), 0)::bigint from ledger where account_id = $1 and kind = $2"
	granted, spent := ask(t, b.dsn, sum, a.ID, "grant"), ask(t, b.dsn, sum, a.ID, "usage")
	if a.HeldMicros != 0 || a.GrantedMicros != int64(granted) || a.SpentMicros != int64(spent) {
		t.Errorf("account %+v, ledger %d granted and %d spent", a, granted, spent)
	}
	for _, c := range shared {
		for i, m := range b.messages(t, c.ID) {
			if m.Seq != int64(i+1) {
				t.Fatalf("message %d of %s has the number %d", i+1, c.ID, m.Seq)
			}
		}
	}
}

func TestATurnNeedsItsOwnAccountsConversation(t *testing.T) {
	t.Parallel()
	b := setup(t, providertest.NewScripted())
	in := b.input("Hi")
	if _, err := b.start(t, in).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	foreign := b.withAccount(t, credit)
	stolen := foreign.input("Hi")
	stolen.Conversation, stolen.Begins = in.Conversation, false
	_, err := foreign.engine.Start(t.Context(), stolen)
	wantKind(t, err, fault.NotFound)
	too := foreign.input("Hi")
	too.ModelID = "no such model"
	_, err = foreign.engine.Start(t.Context(), too)
	wantKind(t, err, fault.Invalid)
	if a := foreign.account(t); a.BalanceMicros != credit || len(b.messages(t, in.Conversation.ID)) != 2 {
		t.Errorf("account %+v, messages %+v", a, b.messages(t, in.Conversation.ID))
	}
}
