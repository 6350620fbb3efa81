package turn_test

import (
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/fault"
	"parley/impl/core/provider/providertest"
	"parley/impl/core/turn"
)

// takeOver lets another server find the turn abandoned. A round passes by a turn
// whose owner is writing at that moment, so it may take several.
func (b *bundle) takeOver(t testing.TB, heir *turn.Engine, live *turn.Live) {
	t.Helper()
	for b.turn(t, live.ID).State == db.TurnRunning {
		if err := heir.TakeOver(t.Context(), b.clock.now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnAbandonedTurnIsTakenOverAndItsOldOwnerIsFencedOff(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	script, gate := gated("Once", " upon", " a", " time")
	b := setupOn(t, d, dsn, providertest.NewScripted(script))
	in := b.input("Tell me a story")
	live := b.start(t, in)
	gate <- struct{}{}
	b.clock.advance(time.Second)
	gate <- struct{}{} // "Once" is dealt with
	gate <- struct{}{} // " upon" too: both are stored, " a" may be
	heir := b.newEngine(t, d)
	b.takeOver(t, heir, live)
	row, events, ms := b.turn(t, live.ID), b.stored(t, live.ID), b.messages(t, in.Conversation.ID)
	contiguous(t, events, 1, turn.Failed)
	if partial := text(events); row.State != db.TurnFailed || row.LastEvent != int64(len(events)) || partial == "" || ms[1].Content != partial ||
		!row.Estimated || row.OutputTokens == 0 {
		t.Errorf("turn %+v, events %+v, messages %+v", row, events, ms)
	}
	if a := b.account(t); a.HeldMicros != 0 || a.SpentMicros != row.CostMicros || row.CostMicros == 0 {
		t.Errorf("account %+v", a)
	}
	b.clock.advance(time.Second)
	close(gate)
	_, err := live.Wait(t.Context())
	if err == nil {
		t.Error("the old owner told its readers that the turn is complete")
	}
	if again := b.turn(t, live.ID); again.State != row.State || *again.EndedAt != *row.EndedAt || b.usageRows(t, live.ID) != 1 ||
		!sameLog(b.stored(t, live.ID), events) || len(b.messages(t, in.Conversation.ID)) != 2 {
		t.Errorf("the old owner changed the turn: %+v, events %+v", again, b.stored(t, live.ID))
	}
	if err := heir.TakeOver(t.Context(), b.clock.now().Add(2*time.Hour)); err != nil || b.usageRows(t, live.ID) != 1 {
		t.Errorf("an ended turn was taken over again: %v", err)
	}
}

func TestALeaseIsRenewedWhileItsTurnRuns(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	script, gate := gated("a")
	b := setupOn(t, d, dsn, providertest.NewScripted(script))
	live := b.start(t, b.input("Hi"))
	other := b.newEngine(t, d)
	for range 4 {
		b.clock.advance(5 * time.Second)
		if err := b.engine.KeepLeases(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := other.TakeOver(t.Context(), b.clock.now()); err != nil {
			t.Fatal(err)
		}
	}
	close(gate)
	if _, err := live.Wait(t.Context()); err != nil {
		t.Errorf("a turn whose server lives was taken over: %v", err)
	}
}

func TestATurnAbandonedAtItsBeginningCostsNothing(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	p, _ := hanging("never stored")
	b := setupOn(t, d, dsn, p)
	in := b.input("Hi")
	live := b.start(t, in)
	firstPiece(t, live)
	b.takeOver(t, b.newEngine(t, d), live)
	contiguous(t, b.stored(t, live.ID), 1, turn.Failed)
	if a := b.account(t); a.BalanceMicros != credit || len(b.messages(t, in.Conversation.ID)) != 1 || b.usageRows(t, live.ID) != 1 {
		t.Errorf("account %+v, messages %+v", a, b.messages(t, in.Conversation.ID))
	}
}

func TestATurnThatCannotBeEndedDoesNotHoldUpOthers(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	p, _ := hanging("")
	b := setupOn(t, d, dsn, p)
	raw, err := sqlx.Connect("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	var turns []*turn.Live
	for range 5 {
		turns = append(turns, b.start(t, b.input("Hi")))
	}
	broken := turns[2]
	if _, err := raw.Exec(`insert into turn_events values ($1, $2, 1, '"no list"')`, b.caller.AccountID, broken.ID); err != nil {
		t.Fatal(err)
	}
	if err := b.newEngine(t, d).TakeOver(t.Context(), b.clock.now().Add(time.Hour)); err == nil {
		t.Error("a turn that cannot be read was taken over without a word")
	}
	for _, live := range turns {
		if state := b.turn(t, live.ID).State; (state == db.TurnFailed) != (live != broken) {
			t.Errorf("turn %s is %s", live.ID, state)
		}
	}
}

func TestAWithdrawnModelStillHasItsPriceAtATakeOver(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	script, gate := gated("a", "b")
	b := setupOn(t, d, dsn, providertest.NewScripted(script))
	live := b.start(t, b.input("Hi"))
	b.clock.advance(time.Second)
	gate <- struct{}{}
	gate <- struct{}{}
	providers, err := d.Providers(t.Context(), b.caller.AccountID)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.DisableModelsExcept(t.Context(), b.caller.AccountID, providers[0].ID, []string{}); err != nil {
		t.Fatal(err)
	}
	_, err = b.engine.Start(t.Context(), b.input("Hi"))
	wantKind(t, err, fault.Invalid)
	b.takeOver(t, b.newEngine(t, d), live)
	if row := b.turn(t, live.ID); row.CostMicros == 0 {
		t.Errorf("turn %+v", row)
	}
}
