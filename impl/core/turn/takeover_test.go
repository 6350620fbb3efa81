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
		expire(t, b.dsn)
		if err := heir.TakeOver(t.Context()); err != nil {
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
	gate <- struct{}{}
	b.flushed(t, live, 2)
	gate <- struct{}{} // this one may be stored
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
	close(gate)
	_, err := live.Wait(t.Context())
	if err == nil {
		t.Error("the old owner told its readers that the turn is complete")
	}
	for e := range live.Follow(t.Context(), 0) {
		if e.Terminal() {
			t.Errorf("the old owner told its readers of an end: %+v", e)
		}
	}
	if again := b.turn(t, live.ID); again.State != row.State || *again.EndedAt != *row.EndedAt || b.usageRows(t, live.ID) != 1 ||
		!sameLog(b.stored(t, live.ID), events) || len(b.messages(t, in.Conversation.ID)) != 2 {
		t.Errorf("the old owner changed the turn: %+v, events %+v", again, b.stored(t, live.ID))
	}
	expire(t, dsn)
	if err := heir.TakeOver(t.Context()); err != nil || b.usageRows(t, live.ID) != 1 {
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
		expire(t, dsn)
		if err := b.engine.KeepLeases(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := other.TakeOver(t.Context()); err != nil {
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
	p, _ := hanging("")
	b := setupOn(t, d, dsn, p)
	in := b.input("Hi")
	live := b.start(t, in)
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
	expire(t, dsn)
	if err := b.newEngine(t, d).TakeOver(t.Context()); err == nil {
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
	gate <- struct{}{}
	b.flushed(t, live, 1)
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

// A server that stood still for longer than its lease wakes up while its turn
// runs elsewhere, or while it takes the turn over from itself: it cannot write
// as it used to.
func TestAPausedOwnerCannotWriteAgain(t *testing.T) {
	t.Parallel()
	for name, itself := range map[string]bool{"another server": false, "itself": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, dsn := dbtest.Own(t)
			script, gate := gated("Once", " upon", " a time")
			b := setupOn(t, d, dsn, providertest.NewScripted(script))
			in := b.input("Tell me a story")
			live := b.start(t, in)
			gate <- struct{}{}
			b.flushed(t, live, 1)
			heir := b.engine
			if !itself {
				heir = b.newEngine(t, d)
			}
			b.takeOver(t, heir, live)
			events := b.stored(t, live.ID)
			contiguous(t, events, 1, turn.Failed)
			gate <- struct{}{} // it wakes up: writes events, renews, ends
			b.engine.Flush(t.Context())
			if err := b.engine.KeepLeases(t.Context()); err != nil {
				t.Fatal(err)
			}
			close(gate)
			_, err := live.Wait(t.Context())
			wantKind(t, err, fault.Unavailable)
			if row := b.turn(t, live.ID); row.State != db.TurnFailed || row.Generation == 0 || !sameLog(b.stored(t, live.ID), events) ||
				b.usageRows(t, live.ID) != 1 || b.account(t).SpentMicros != row.CostMicros {
				t.Errorf("the old owner changed the turn: %+v, %+v", row, b.stored(t, live.ID))
			}
		})
	}
}

// Servers need not agree on the time: leases are by the database's clock.
func TestServersWithWrongClocksTakeOverNothingThatLives(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{"ahead": time.Hour, "behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, dsn := dbtest.Own(t)
			script, gate := gated("a")
			b := setupOn(t, d, dsn, providertest.NewScripted(script))
			live := b.start(t, b.input("Hi"))
			skewed := *b
			skewed.clock = &clock{}
			skewed.clock.advance(ahead)
			other := skewed.newEngine(t, d)
			theirs := skewed
			theirs.engine = other
			abandoned := theirs.start(t, theirs.input("Hi"))
			for _, e := range []*turn.Engine{b.engine, other} {
				if err := e.TakeOver(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for _, l := range []*turn.Live{live, abandoned} {
				if row := b.turn(t, l.ID); row.State != db.TurnRunning || row.Generation != 0 {
					t.Errorf("taken over by a wrong clock: %+v", row)
				}
			}
			b.takeOver(t, b.engine, abandoned)
			close(gate)
			if _, err := theirs.engine.Find(t.Context(), b.caller.AccountID, abandoned.ID); err != nil {
				t.Error(err)
			}
		})
	}
}

// What a crash of Postgres took from the log is stored again, by the next batch
// or by the end.
func TestALogThatLostItsLastBatchIsMended(t *testing.T) {
	t.Parallel()
	for name, flushAgain := range map[string]bool{"by the next batch": true, "by the end": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, dsn := dbtest.Own(t)
			script, gate := gated("Once", " upon", " a time")
			b := setupOn(t, d, dsn, providertest.NewScripted(script))
			live := b.start(t, b.input("Tell me a story"))
			gate <- struct{}{}
			b.flushed(t, live, 1)
			ask(t, dsn, "with lost as (delete from turn_events returning 1) select count(*) from lost")
			if flushAgain {
				gate <- struct{}{}
				b.flushed(t, live, 2)
			}
			close(gate)
			if _, err := live.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			events := b.stored(t, live.ID)
			contiguous(t, events, 1, turn.Completed)
			if text(events) != "Once upon a time" {
				t.Errorf("stored %+v", events)
			}
		})
	}
}
