package turn_test

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/impl/core/provider/providertest"
	"parley/impl/core/turn"
)

// pull reads frames as long as want tells to go on.
func pull(t *testing.T, next func() (turn.Frame, error, bool), want func(turn.Frame) bool) (got []string, last int64, err error) {
	t.Helper()
	for {
		f, err, more := next()
		if err != nil || !more {
			return got, last, err
		}
		got, last = append(got, fmt.Sprintf("%s %v", f.Event, f.Data)), max(last, f.N)
		if !want(f) {
			return got, last, nil
		}
	}
}

// A reader that does not keep up is cut, never held against the others, and
// gets exactly the rest when it comes back.
func TestASlowReaderIsCutAndResumes(t *testing.T) {
	t.Parallel()
	const pieces = 40
	piece := strings.Repeat("x", 16<<10)
	all := make([]string, pieces)
	for i := range all {
		all[i] = piece
	}
	script, gate := gated(all...)
	b := encoded(setup(t, providertest.NewScripted(script)))
	live := b.start(t, b.input("Tell me everything"))
	slow, leave := iter.Pull2(live.Frames(t.Context(), 0))
	defer leave()
	healthy, stop := iter.Pull2(live.Frames(t.Context(), 0))
	defer stop()
	gate <- struct{}{}
	first := func(turn.Frame) bool { return false }
	got, last, err := pull(t, slow, first)
	if err != nil || len(got) != 1 {
		t.Fatalf("the first frame: %d frames, %v", len(got), err)
	}
	close(gate)
	everything := func(turn.Frame) bool { return true }
	whole, _, err := pull(t, healthy, everything)
	if err != nil || len(whole) != pieces+2 {
		t.Fatalf("the healthy reader got %d frames, %v", len(whole), err)
	}
	few := 0
	more, next, err := pull(t, slow, func(turn.Frame) bool { few++; return few < 3 })
	if err != nil {
		t.Fatalf("cut at once: %v", err)
	}
	got, last = append(got, more...), max(last, next)
	b.clock.advance(time.Minute)
	rest, _, err := pull(t, slow, everything)
	if !errors.Is(err, turn.ErrSlow) {
		t.Fatalf("the slow reader got %d more frames and %v, want to be cut", len(rest), err)
	}
	row, err := b.engine.Find(t.Context(), b.caller.AccountID, live.ID)
	if err != nil {
		t.Fatal(err)
	}
	frames, err := b.engine.Frames(t.Context(), row, last)
	if err != nil {
		t.Fatal(err)
	}
	again, done := iter.Pull2(frames)
	defer done()
	rest, _, err = pull(t, again, everything)
	if err != nil || !slices.Equal(append(got, rest...), whole) {
		t.Errorf("resumed after %d: %d frames, %v", last, len(rest), err)
	}
}

// One that begins with a long log may take its time with it.
func TestALongLogIsNoReasonToCutAReader(t *testing.T) {
	t.Parallel()
	script, gate := gated(strings.Repeat("x", 300<<10), strings.Repeat("y", 300<<10), "z")
	b := encoded(setup(t, providertest.NewScripted(script)))
	live := b.start(t, b.input("Tell me everything"))
	gate <- struct{}{}
	gate <- struct{}{}
	for e := range live.Follow(t.Context(), 0) {
		if e.N == 2 {
			break
		}
	}
	late, leave := iter.Pull2(live.Frames(t.Context(), 0))
	defer leave()
	close(gate)
	if got, _, err := pull(t, late, func(turn.Frame) bool { return true }); err != nil || len(got) != 5 {
		t.Errorf("%d frames, %v", len(got), err)
	}
}
