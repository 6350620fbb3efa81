package turn_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/db/dbtest"
	"parley/impl/core/budget"
	"parley/impl/core/fault"
	"parley/impl/core/provider/providertest"
)

func (b *bundle) budget(t *testing.T, kind, subject, period string, micros int64) budget.Budget {
	t.Helper()
	s := &budget.Service{DB: b.db, Now: b.clock.now}
	made, err := s.Create(t.Context(), budget.CreateInput{AccountID: b.caller.AccountID, Kind: kind, Subject: subject, Period: period, AmountMicros: micros})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (b *bundle) budgetNow(t *testing.T, budgetID string) budget.Budget {
	t.Helper()
	s := &budget.Service{DB: b.db, Now: b.clock.now}
	got, err := s.Get(t.Context(), b.caller.AccountID, budgetID)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// However many servers ask at once, what is held and spent never exceeds a
// budget, and all of it can be spent.
func TestBudgetsAreExactOverServers(t *testing.T) {
	t.Parallel()
	script, gate := gated("a")
	b := setup(t, providertest.NewScripted(script))
	b.caller.EndUser = "visitor"
	probe := b.start(t, b.input("Hi"))
	each := b.turn(t, probe.ID).HeldMicros
	month := b.budget(t, budget.EndUser, "visitor", budget.Month, 6*each)
	day := b.budget(t, budget.EndUser, "visitor", budget.Day, 5*each+each/2)
	b.budget(t, budget.EndUser, "somebody", budget.Day, 0)
	other := *b
	other.engine = b.newEngine(t, dbtest.Open(t, b.dsn, 8))
	var admitted atomic.Int64
	var workers sync.WaitGroup
	for i := range 48 {
		workers.Go(func() {
			server := []*bundle{b, &other}[i%2]
			_, err := server.engine.Start(context.WithoutCancel(t.Context()), server.input("Hi"))
			if err == nil {
				admitted.Add(1)
			} else if fault.KindOf(err) != fault.NoFunds {
				t.Error(err)
			}
		})
	}
	workers.Wait()
	if d := b.budgetNow(t, day.ID); admitted.Load() != 5 || d.HeldMicros != 5*each || d.RemainingMicros != each/2 {
		t.Errorf("admitted %d within a budget for 5: %+v", admitted.Load(), d)
	}
	close(gate)
	b.engine.Stop(t.Context())
	other.engine.Stop(t.Context())
	spent := int64(ask(t, b.dsn, "select sum(cost_micros) from turns where account_id = $1 and budget_ids is not null", b.caller.AccountID))
	for _, id := range []string{day.ID, month.ID} {
		if got := b.budgetNow(t, id); got.HeldMicros != 0 || got.SpentMicros != spent || spent == 0 {
			t.Errorf("budget %+v, its turns cost %d", got, spent)
		}
	}
}

// A new period starts with nothing spent; what began in the one before ends there.
func TestBudgetsBeginAgain(t *testing.T) {
	t.Parallel()
	script, gate := gated("a")
	d, dsn := dbtest.Own(t)
	b := setupOn(t, d, dsn, providertest.NewScripted(script))
	b.caller.EndUser = "visitor"
	noon := b.clock.now().Truncate(24 * time.Hour).Add(36 * time.Hour)
	b.clock.advance(noon.Sub(b.clock.now()))
	probe := b.start(t, b.input("Hi"))
	each := b.turn(t, probe.ID).HeldMicros
	day := b.budget(t, budget.EndUser, "visitor", budget.Day, each)
	total := b.budget(t, budget.EndUser, "visitor", budget.Total, 2*each)
	old := b.start(t, b.input("Hi"))
	_, err := b.engine.Start(t.Context(), b.input("Hi"))
	wantKind(t, err, fault.NoFunds)
	b.clock.advance(24 * time.Hour)
	if got := b.budgetNow(t, day.ID); got.RemainingMicros != each {
		t.Errorf("the new day begins with %+v", got)
	}
	fresh := b.start(t, b.input("Hi"))
	_, err = b.engine.Start(t.Context(), b.input("Hi"))
	wantKind(t, err, fault.NoFunds)
	close(gate)
	for _, live := range []string{old.ID, fresh.ID} {
		for b.turn(t, live).EndedAt == nil {
			if t.Context().Err() != nil {
				t.Fatal("a turn did not end")
			}
		}
	}
	cost := b.turn(t, fresh.ID).CostMicros
	if got := b.budgetNow(t, day.ID); got.HeldMicros != 0 || got.SpentMicros != cost {
		t.Errorf("the day has %+v, its turn cost %d", got, cost)
	}
	if got := b.budgetNow(t, total.ID); got.HeldMicros != 0 || got.SpentMicros != cost+b.turn(t, old.ID).CostMicros {
		t.Errorf("all days have %+v", got)
	}
}
