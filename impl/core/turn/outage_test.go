package turn_test

import (
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/fault"
	"parley/impl/core/provider"
	"parley/impl/core/provider/providertest"
	"parley/impl/core/turn"
)

// setupBehindProxy is a bundle whose engine reaches its own database through a
// proxy; watch is the same account seen past the proxy.
func setupBehindProxy(t *testing.T, p provider.Provider) (b, watch *bundle, proxy *dbtest.Proxy) {
	t.Helper()
	direct, dsn := dbtest.Own(t)
	proxy = dbtest.NewProxy(t, dsn)
	b = setupOn(t, dbtest.Open(t, proxy.DSN, 8), dsn, p)
	seen := *b
	seen.db, seen.models = direct, catalog(t, direct, p, b.clock.now)
	return b, &seen, proxy
}

func TestTheEndIsNotLostWithItsReply(t *testing.T) {
	t.Parallel()
	b, watch, proxy := setupBehindProxy(t, providertest.NewScripted(providertest.Text("the", " answer")))
	lost := proxy.LoseReply("ended as (")
	live := b.start(t, b.input("Hi"))
	answer, err := live.Wait(t.Context())
	<-lost
	if err != nil || answer.Content != "the answer" {
		t.Errorf("answer %+v, %v", answer, err)
	}
	contiguous(t, follow(t.Context(), live, 0), 1, turn.Completed)
	if row := watch.turn(t, live.ID); row.State != turn.Completed || watch.usageRows(t, live.ID) != 1 || len(watch.messages(t, answer.ConversationID)) != 2 {
		t.Errorf("turn %+v, messages %+v", row, watch.messages(t, answer.ConversationID))
	}
}

func TestAFlushWhoseReplyIsLostIsStoredOnceWithWhatFollows(t *testing.T) {
	t.Parallel()
	script, gate := gated("a", "b", "c", "d")
	b, watch, proxy := setupBehindProxy(t, providertest.NewScripted(script))
	live := b.start(t, b.input("Hi"))
	lost := proxy.CutAfter("insert into turn_events")
	gate <- struct{}{}
	b.clock.advance(time.Second)
	gate <- struct{}{}
	gate <- struct{}{}
	<-lost
	proxy.Restore()
	close(gate)
	answer, err := live.Wait(t.Context())
	if err != nil || answer.Content != "abcd" {
		t.Errorf("answer %+v, %v", answer, err)
	}
	if stored := watch.stored(t, live.ID); !sameLog(stored, follow(t.Context(), live, 0)) {
		t.Errorf("stored log %+v", stored)
	}
}

func TestAStreamGoesOnWithoutTheDatabaseAndIsStoredAfterwards(t *testing.T) {
	t.Parallel()
	script, gate := gated("a", "b", "c")
	b, watch, proxy := setupBehindProxy(t, providertest.NewScripted(script))
	live := b.start(t, b.input("Hi"))
	proxy.Cut()
	b.clock.advance(time.Second) // so that pieces are to be stored at once
	close(gate)
	var events []turn.Event
	proxy.Traffic()
	for e := range live.Follow(t.Context(), 0) {
		events = append(events, e)
		if text(events) == "abc" && !e.Terminal() {
			for proxy.Traffic().Refused == 0 { // until the run has tried to store
			}
			proxy.Restore()
		}
	}
	contiguous(t, events, 1, turn.Completed)
	if row := watch.turn(t, live.ID); row.State != turn.Completed || !sameLog(watch.stored(t, live.ID), events) || watch.account(t).HeldMicros != 0 {
		t.Errorf("turn %+v, stored %+v", row, watch.stored(t, live.ID))
	}
}

func TestTerminatedConnectionsDoNotCostAnAnswer(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	script, gate := gated("a")
	b := setupOn(t, d, dsn, providertest.NewScripted(script))
	live := b.start(t, b.input("Hi"))
	ask(t, dsn, "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
	close(gate)
	if answer, err := live.Wait(t.Context()); err != nil || answer.Content != "a" || b.usageRows(t, live.ID) != 1 {
		t.Errorf("answer %+v, %v", answer, err)
	}
}

func TestABeginIsNotLostWithItsReply(t *testing.T) {
	t.Parallel()
	b, watch, proxy := setupBehindProxy(t, providertest.NewScripted())
	lost := proxy.LoseReply("insert into turns")
	in := b.input("Hi")
	live := b.start(t, in)
	<-lost
	if _, err := live.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if a := watch.account(t); a.HeldMicros != 0 || len(watch.messages(t, in.Conversation.ID)) != 2 || watch.usageRows(t, live.ID) != 1 {
		t.Errorf("account %+v, messages %+v", a, watch.messages(t, in.Conversation.ID))
	}
}

// A server that never learned that its turn began does not run it. The turn
// must not stay behind with its hold, however busy that server is.
func TestABeginThatNobodyLearnedOfIsTakenBack(t *testing.T) {
	t.Parallel()
	p, _ := hanging("busy")
	b, watch, proxy := setupBehindProxy(t, p)
	busy := b.start(t, b.input("keeps the server busy"))
	firstPiece(t, busy)
	held := watch.account(t).HeldMicros
	lost := proxy.CutAfter("insert into turns")
	_, err := b.engine.Start(t.Context(), b.input("Hi"))
	<-lost
	proxy.Restore()
	wantKind(t, err, fault.Unavailable)
	if after := watch.account(t).HeldMicros; after <= held {
		t.Fatalf("held %d before and %d after: the begin was not carried out", held, after)
	}
	expire(t, b.dsn)
	if err := b.engine.KeepLeases(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := watch.account(t); a.HeldMicros != held || a.SpentMicros != 0 {
		t.Errorf("account %+v, want %d held", a, held)
	}
	if row := watch.turn(t, busy.ID); row.State != db.TurnRunning || row.LeaseUntil.Before(time.Now()) {
		t.Errorf("the running turn: %+v", row)
	}
}

func TestStopDoesNotWaitForADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	p, _ := hanging("partial")
	b, watch, proxy := setupBehindProxy(t, p)
	live := b.start(t, b.input("Hi"))
	firstPiece(t, live)
	proxy.Cut()
	b.engine.Stop(expired())
	_, err := live.Wait(t.Context())
	wantKind(t, err, fault.Unavailable)
	contiguous(t, follow(t.Context(), live, 0), 1, turn.Failed)
	// Whoever comes next settles it.
	expire(t, b.dsn)
	if err := watch.newEngine(t, watch.db).TakeOver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if row := watch.turn(t, live.ID); row.State != db.TurnFailed || watch.account(t).HeldMicros != 0 {
		t.Errorf("turn %+v", row)
	}
}
