package turn_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/conversation"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/provider"
	"parley/impl/core/provider/providertest"
	"parley/impl/core/turn"
)

// hanging answers with one piece, then waits for its cancellation and reports it.
func hanging(piece string) (p chatFunc, cancelled chan error) {
	cancelled = make(chan error, 64)
	return func(ctx context.Context, emit func(provider.Delta) error) (provider.Result, error) {
		if err := emit(provider.Delta{Text: piece}); err != nil {
			return provider.Result{}, err
		}
		<-ctx.Done()
		cancelled <- context.Cause(ctx)
		return provider.Result{}, ctx.Err()
	}, cancelled
}

// firstPiece waits until the turn has begun to answer.
func firstPiece(t testing.TB, live *turn.Live) {
	t.Helper()
	for range live.Follow(t.Context(), 0) {
		return
	}
}

func TestDeletingAConversationCancelsItsTurnAndLeavesNoText(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	p, cancelled := hanging("canary-answer")
	b := setupOn(t, d, dsn, p)
	in := b.input("canary-question")
	in.Conversation.Title, in.Conversation.SystemPrompt = "canary-title", "canary-prompt"
	live := b.start(t, in)
	firstPiece(t, live)
	if err := b.conversations.Delete(t.Context(), b.caller.AccountID, surface, b.caller.AppID, in.Conversation.ID); err != nil {
		t.Fatal(err)
	}
	if cause := <-cancelled; cause == nil {
		t.Error("the provider was not told why")
	}
	_, err := live.Wait(t.Context())
	wantKind(t, err, fault.Canceled)
	contiguous(t, follow(t.Context(), live, 0), 1, turn.Cancelled)
	row := b.turn(t, live.ID)
	if a := b.account(t); row.State != db.TurnCancelled || a.HeldMicros != 0 || a.SpentMicros != row.CostMicros || row.CostMicros == 0 {
		t.Errorf("turn %+v, account %+v", row, a)
	}
	if found := search(t, dsn, "canary"); len(found) > 0 {
		t.Errorf("text of a deleted conversation remains in %v", found)
	}
}

func TestDeletingElsewhereEndsTheRunAtItsNextPiece(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	script, gate := gated("canary-a", "canary-b", "canary-c")
	b := setupOn(t, d, dsn, providertest.NewScripted(script))
	in := b.input("canary-question")
	live := b.start(t, in)
	gate <- struct{}{}
	b.flushed(t, live, 1)
	other := &conversation.Service{DB: d, Models: b.models, Turns: b.newEngine(t, d), Now: b.clock.now}
	if err := other.Delete(t.Context(), b.caller.AccountID, surface, "", in.Conversation.ID); err != nil {
		t.Fatal(err)
	}
	gate <- struct{}{} // found out when this piece is to be stored; the last is never let go
	_, err := live.Wait(t.Context())
	wantKind(t, err, fault.Canceled)
	if found := search(t, dsn, "canary"); len(found) > 0 || b.account(t).HeldMicros != 0 {
		t.Errorf("text remains in %v; account %+v", found, b.account(t))
	}
}

func TestDeletingAllSessionsCancelsThem(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	p, cancelled := hanging("piece")
	b := setupOn(t, d, dsn, p)
	live := b.start(t, b.input("canary"))
	kept := b.input("kept")
	kept.Caller.AppID, kept.Conversation.AppID = "app_other", "app_other"
	elsewhere := b.start(t, kept)
	firstPiece(t, live)
	firstPiece(t, elsewhere)
	n, err := b.conversations.DeleteAll(t.Context(), b.caller.AccountID, surface, b.caller.AppID)
	if err != nil || n != 1 {
		t.Fatalf("deleted %d: %v", n, err)
	}
	if cause := <-cancelled; cause == nil {
		t.Error("the provider was not told why")
	}
	if ms := b.messages(t, kept.Conversation.ID); len(ms) != 1 || ms[0].Content != "kept" {
		t.Errorf("another app's messages: %+v", ms)
	}
	if found := search(t, dsn, "canary"); len(found) > 0 {
		t.Errorf("the question remains in %v", found)
	}
	// The other app's turn says the same pieces and keeps them.
	if batches, err := d.TurnEvents(t.Context(), b.caller.AccountID, live.ID, 0); err != nil || len(batches) > 0 {
		t.Errorf("of the answer remains %+v, %v", batches, err)
	}
}

// search returns the tables with a row that contains text in any column.
func search(t testing.TB, dsn, text string) []string {
	t.Helper()
	raw, err := sqlx.Connect("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	var tables, found []string
	if err := raw.Select(&tables, "select table_name from information_schema.tables where table_schema = 'public'"); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		var n int
		if err := raw.Get(&n, fmt.Sprintf("select count(*) from %q x where x::text like $1", table), "%"+text+"%"); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			found = append(found, table)
		}
	}
	return found
}

func TestStopLetsTurnsFinishAndRefusesNewOnes(t *testing.T) {
	t.Parallel()
	script, gate := gated("a", "b")
	b := setup(t, providertest.NewScripted(script))
	live := b.start(t, b.input("Hi"))
	stopped := make(chan struct{})
	go func() { b.engine.Stop(t.Context()); close(stopped) }()
	for !b.refuses(t) { // until Stop has begun
	}
	close(gate)
	<-stopped
	if answer, err := live.Wait(t.Context()); err != nil || answer.Content != "ab" {
		t.Errorf("answer %+v, %v", answer, err)
	}
	_, err := b.engine.Start(t.Context(), b.input("Hi"))
	wantKind(t, err, fault.Unavailable)
}

// refuses tells whether the engine takes no more turns, by one that is refused in any case.
func (b *bundle) refuses(t testing.TB) bool {
	in := b.input("Hi")
	in.Begins = false // in a conversation that does not exist
	_, err := b.engine.Start(t.Context(), in)
	return fault.KindOf(err) == fault.Unavailable
}

func TestStopWithoutGraceFailsTurnsWithTheirPartialText(t *testing.T) {
	t.Parallel()
	p, cancelled := hanging("partial")
	b := setup(t, p)
	live := b.start(t, b.input("Hi"))
	firstPiece(t, live)
	b.engine.Stop(expired())
	if cause := <-cancelled; cause == nil {
		t.Error("the provider was not told why")
	}
	answer, err := live.Wait(t.Context())
	wantKind(t, err, fault.Unavailable)
	row := b.turn(t, live.ID)
	if row.State != db.TurnFailed || b.account(t).HeldMicros != 0 {
		t.Errorf("turn %+v", row)
	}
	if ms := b.messages(t, answer.ConversationID); len(ms) != 2 || ms[1].Content != "partial" {
		t.Errorf("messages %+v", ms)
	}
	b.engine.Stop(t.Context()) // again is harmless
}

func TestWhoeverWaitsForARefusedTurnIsTold(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	b := setupOn(t, d, dsn, providertest.NewScripted())
	in := b.input("Hi")
	refused := make(chan error, 1)
	waited := make(chan struct{})
	err := d.InTx(t.Context(), func(q *db.Queries) error {
		rival := db.Turn{AccountID: b.caller.AccountID, ID: id.New(id.Turn), ModelID: "scripted", HeldMicros: credit,
			CreatedAt: b.clock.now(), Lease: time.Hour}
		if _, err := q.BeginTurn(t.Context(), rival, db.Beginning{}); err != nil {
			return err
		}
		go func() {
			_, err := b.engine.Start(t.Context(), in)
			refused <- err
		}()
		waitForLock(t, dsn)
		go func() {
			b.engine.CancelConversation(t.Context(), b.caller.AccountID, in.Conversation.ID)
			close(waited)
		}()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, <-refused, fault.NoFunds)
	<-waited
}

// Whether a statement that was interrupted took effect is not known, so a
// caller that leaves interrupts none: the answer is made for its history.
func TestACallerThatLeavesDoesNotInterruptTheBegin(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	b := setupOn(t, d, dsn, providertest.NewScripted())
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	in := b.input("Hi")
	started := make(chan error, 1)
	err := d.InTx(t.Context(), func(q *db.Queries) error {
		if err := q.Grant(t.Context(), b.caller.AccountID, id.New(id.Entry), 1, b.clock.now()); err != nil {
			return err
		}
		go func() {
			live, err := b.engine.Start(ctx, in)
			if err == nil {
				_, err = live.Wait(t.Context())
			}
			started <- err
		}()
		waitForLock(t, dsn)
		leave()
		for range 50 { // an interrupted statement would be gone by then
			if waiting(t, dsn) == 0 {
				t.Error("the begin was interrupted")
				break
			}
		}
		return nil
	})
	if err := errors.Join(err, <-started); err != nil {
		t.Fatal(err)
	}
	if ms := b.messages(t, in.Conversation.ID); len(ms) != 2 {
		t.Errorf("messages %+v", ms)
	}
}

func TestACancelReachesTheServerThatRunsTheTurn(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	p, cancelled := hanging("partial")
	b := setupOn(t, d, dsn, p)
	in := b.input("Hi")
	live := b.start(t, in)
	firstPiece(t, live)
	other := b.newEngine(t, d)
	if row, err := other.Cancel(t.Context(), b.caller.AccountID, live.ID); err != nil || row.State != db.TurnRunning {
		t.Errorf("turn %+v, %v", row, err)
	}
	if err := b.engine.KeepLeases(t.Context()); err != nil {
		t.Fatal(err)
	}
	if cause := <-cancelled; cause == nil {
		t.Error("the provider was not told why")
	}
	_, err := live.Wait(t.Context())
	wantKind(t, err, fault.Canceled)
	for range 2 { // again is harmless
		if row, err := other.Cancel(t.Context(), b.caller.AccountID, live.ID); err != nil || row.State != db.TurnCancelled || row.CostMicros == 0 {
			t.Errorf("turn %+v, %v", row, err)
		}
	}
	if ms := b.messages(t, in.Conversation.ID); len(ms) != 2 || ms[1].Content != "partial" || b.account(t).HeldMicros != 0 {
		t.Errorf("messages %+v, account %+v", ms, b.account(t))
	}
	_, err = other.Cancel(t.Context(), id.New(id.Account), live.ID)
	wantKind(t, err, fault.NotFound)
}
