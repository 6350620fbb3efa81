package turn_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"parley/db/dbtest"
	"parley/impl/core/provider/providertest"
	"parley/impl/core/turn"
)

// plainly writes each event as one frame, the end as two.
func plainly(v turn.View, e turn.Event) []turn.Frame {
	if !e.Terminal() {
		return []turn.Frame{{Event: e.Kind, Data: e.Text}}
	}
	return []turn.Frame{{Event: "whole", Data: v.Content}, {Event: e.Kind, Data: e.Text}}
}

func encoded(b *bundle) *bundle {
	b.engine.Encoders = map[string]turn.Encoder{surface: plainly}
	return b
}

// read collects the frames of a turn as an engine tells them.
func read(t *testing.T, e *turn.Engine, b *bundle, turnID string, after int64) []string {
	t.Helper()
	row, err := e.Find(t.Context(), b.caller.AccountID, turnID)
	if err != nil {
		t.Fatal(err)
	}
	frames, err := e.Frames(t.Context(), row, after)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for f, err := range frames {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%d %s %v", f.N, f.Event, f.Data))
	}
	return out
}

// Another server reads a running turn from the stored log, up to its end.
func TestAnotherServerFollowsATurnToItsEnd(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	script := providertest.Text("One", " two")
	script.Gate = gate
	b := encoded(setup(t, providertest.NewScripted(script)))
	other := b.newEngine(t, b.db)
	other.Encoders = b.engine.Encoders
	live := b.start(t, b.input("Hi"))
	followed := make(chan []string)
	go func() { followed <- read(t, other, b, live.ID, 0) }()
	close(gate)
	want := []string{"1 delta One", "2 delta  two", "0 whole One two", "3 completed "}
	if got := <-followed; !slices.Equal(got, want) {
		t.Errorf("the other server tells %q, want %q", got, want)
	}
	if _, err := live.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	for after := range int64(5) {
		cut := min(after, 2)
		if got := read(t, other, b, live.ID, after); !slices.Equal(got, want[cut:]) {
			t.Errorf("after %d: %q", after, got)
		}
	}
}

// A turn is cancelled by a server that does not run it: its owner hears of it
// when it keeps its leases.
func TestAnotherServerCancelsATurn(t *testing.T) {
	t.Parallel()
	p, _ := hanging("Half")
	b := encoded(setup(t, p))
	other := b.newEngine(t, b.db)
	live := b.start(t, b.input("Hi"))
	firstPiece(t, live)
	if row, err := other.Cancel(t.Context(), b.caller.AccountID, live.ID); err != nil || row.State != "running" {
		t.Fatalf("%+v, %v", row, err)
	}
	if err := b.engine.KeepLeases(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := live.Wait(t.Context()); err == nil {
		t.Error("the turn completed")
	}
	if row := b.turn(t, live.ID); row.State != turn.Cancelled {
		t.Errorf("turn %+v", row)
	}
	if a := b.account(t); a.HeldMicros != 0 || a.SpentMicros == 0 {
		t.Errorf("account %+v", a)
	}
}

// listening makes an engine hear the others.
func (b *bundle) listening(t *testing.T, engines ...*turn.Engine) {
	t.Helper()
	for _, e := range engines {
		e.Listen(b.dsn)
	}
	heard := "select count(*) from pg_stat_activity where datname = current_database() and query ilike 'listen%'"
	for ask(t, b.dsn, heard) < len(engines) {
		if t.Context().Err() != nil {
			t.Fatal("nobody ever listened")
		}
	}
}

// A cancel is told to the server that runs the turn: the upstream's call ends
// long before leases are kept.
func TestACancelElsewhereIsHeardAtOnce(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	p, cancelled := hanging("Half")
	b := encoded(setupOn(t, d, dsn, p))
	other := b.newEngine(t, b.db)
	b.listening(t, b.engine, other)
	live := b.start(t, b.input("Hi"))
	firstPiece(t, live)
	asked := time.Now()
	if _, err := other.Cancel(t.Context(), b.caller.AccountID, live.ID); err != nil {
		t.Fatal(err)
	}
	if cause := <-cancelled; cause == nil {
		t.Error("the provider was not told why")
	}
	took := time.Since(asked)
	t.Logf("the upstream's call ended after %s", took)
	if took > time.Second { // the lease loop would take up to three
		t.Errorf("the upstream's call ended after %s", took)
	}
	if _, err := live.Wait(t.Context()); err == nil {
		t.Error("the turn completed")
	}
}

// A piece reaches the reader of another server although no other piece follows
// it, and so does the end.
func TestAReaderElsewhereHearsOfEachPiece(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	script, gate := gated("One", " two", " three", " four")
	b := encoded(setupOn(t, d, dsn, providertest.NewScripted(script)))
	other := b.newEngine(t, b.db)
	other.Encoders = b.engine.Encoders
	b.listening(t, b.engine, other)
	live := b.start(t, b.input("Hi"))
	row := b.turn(t, live.ID)
	frames, err := other.Frames(t.Context(), row, 0)
	if err != nil {
		t.Fatal(err)
	}
	gate <- struct{}{}
	sent := time.Now()
	n := 0
	for f, err := range frames {
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(sent)
		t.Logf("frame %d %v after %s", f.N, f.Data, took)
		if took > time.Second { // as long as a reader waits that hears nothing
			t.Errorf("frame %d came after %s", f.N, took)
		}
		if n++; n < 4 {
			sent = time.Now()
			gate <- struct{}{}
		}
	}
	if n != 6 {
		t.Errorf("%d frames", n)
	}
}
