package turn_test

import (
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/provider/providertest"
)

// The database's clock is set an hour forward, then two hours back, while an
// answer is made: the servers that look for abandoned answers leave it to its
// living owner, and it is charged once. One whose owner died just before the
// clock was put back is taken over soon, not in an hour or two.
func TestASetClockTakesNoAnswerFromItsOwner(t *testing.T) {
	t.Parallel()
	_, dsn := dbtest.Own(t)
	clock := dbtest.NewClock(t, dsn)
	script, gate := gated("Once", " upon", " a", " time")
	b := setupOn(t, dbtest.Open(t, dsn, 8), dsn, providertest.NewScripted(script))
	b.newEngine(t, dbtest.Open(t, dsn, 4)) // a second server looks, too
	live := b.start(t, b.input("Tell me a story"))
	gate <- struct{}{}
	lease := func(turnID string) (until time.Time) {
		t.Helper()
		row, err := b.db.Turn(t.Context(), b.caller.AccountID, turnID)
		if err != nil {
			t.Fatal(err)
		}
		return row.LeaseUntil
	}
	renewals := func(n int) {
		t.Helper()
		for seen, last := 0, lease(live.ID); seen < n; {
			waitTick(t)
			if now := lease(live.ID); !now.Equal(last) {
				seen, last = seen+1, now
			}
		}
	}
	renewals(2) // whoever looks has seen the clock before it is set
	clock.Step(time.Hour)
	renewals(2)
	dead := b.start(t, b.input("Tell me another"))
	ask(t, dsn, "with gone as (update turns set owner = 'dead', generation = 1, lease_until = lease_until where turn_id = $1 returning 1) select count(*) from gone", dead.ID)
	clock.Step(-2 * time.Hour)
	for b.turn(t, dead.ID).State == db.TurnRunning {
		waitTick(t)
	}
	if row := b.turn(t, dead.ID); row.State != db.TurnFailed || row.Generation != 2 {
		t.Errorf("the dead server's answer is %+v", row)
	}
	renewals(2)
	close(gate)
	if _, err := live.Wait(t.Context()); err != nil {
		t.Errorf("the living server's answer failed: %v", err)
	}
	if row := b.turn(t, live.ID); row.State != db.TurnCompleted || row.Generation != 0 || b.usageRows(t, live.ID) != 1 {
		t.Errorf("the answer is %+v", row)
	}
	if a := b.account(t); a.HeldMicros != 0 {
		t.Errorf("account %+v", a)
	}
}

// waitTick waits for what servers do every second.
func waitTick(t *testing.T) {
	t.Helper()
	select {
	case <-time.After(100 * time.Millisecond):
	case <-t.Context().Done():
		t.Fatal("it does not happen")
	}
}
