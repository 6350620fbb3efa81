package db

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// gate lets statements of a batcher through one by one and notes their calls.
type gate struct {
	mu   sync.Mutex
	sent [][]int
	open chan struct{}
}

func (g *gate) send(_ context.Context, calls []int) ([]int, error) {
	g.mu.Lock()
	g.sent = append(g.sent, slices.Clone(calls))
	g.mu.Unlock()
	<-g.open
	if slices.Contains(calls, 13) {
		return nil, errors.New("unlucky")
	}
	doubled := make([]int, len(calls))
	for i, call := range calls {
		doubled[i] = 2 * call
	}
	return doubled, nil
}

// ask sends calls one after the other, each when those before it are under way or wait.
func ask(ctx context.Context, b *batcher[int, int], calls ...int) (wait func() map[int]outcome[int]) {
	var mu sync.Mutex
	var all sync.WaitGroup
	got := map[int]outcome[int]{}
	for _, call := range calls {
		all.Go(func() {
			answer, err := b.do(ctx, call)
			mu.Lock()
			defer mu.Unlock()
			got[call] = outcome[int]{answer, err}
		})
		synctest.Wait()
	}
	return func() map[int]outcome[int] { all.Wait(); return got }
}

func TestCallsThatWaitShareAStatement(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		b := &batcher[int, int]{send: g.send}
		answers := ask(t.Context(), b, 1, 2, 3, 4, 5)
		if want := [][]int{{1}}; !slices.EqualFunc(g.sent, want, slices.Equal) {
			t.Errorf("sent %v at first, want %v: who is alone waits for nobody, few wait for a statement's end", g.sent, want)
		}
		close(g.open)
		for call, got := range answers() {
			if got.err != nil || got.answer != 2*call {
				t.Errorf("%d: %d, %v", call, got.answer, got.err)
			}
		}
		if want := [][]int{{1}, {2, 3, 4, 5}}; !slices.EqualFunc(g.sent, want, slices.Equal) {
			t.Errorf("sent %v, want %v", g.sent, want)
		}
		synctest.Wait()
		if b.flying != 0 || len(b.waiting) != 0 {
			t.Errorf("%d statements and %d calls are left", b.flying, len(b.waiting))
		}
	})
}

func TestManyCallsAreWorthASecondStatement(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		b := &batcher[int, int]{send: g.send}
		calls := make([]int, 1+2*batchEnough)
		for i := range calls {
			calls[i] = 100 + i
		}
		answers := ask(t.Context(), b, calls...)
		if len(g.sent) != batchFlights || len(g.sent[1]) != batchEnough {
			t.Errorf("sent %v", g.sent)
		}
		close(g.open)
		answers()
	})
}

func TestAHeldStatementHoldsUpOthersForAMomentOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		b := &batcher[int, int]{send: g.send}
		answers := ask(t.Context(), b, 1, 2, 3)
		<-time.After(batchPatience) // of the bubble's clock
		synctest.Wait()
		if want := [][]int{{1}, {2, 3}}; !slices.EqualFunc(g.sent, want, slices.Equal) {
			t.Errorf("sent %v, want %v", g.sent, want)
		}
		close(g.open)
		answers()
	})
}

func TestACallFailsForItsOwnReasonsOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		b := &batcher[int, int]{send: g.send}
		answers := ask(t.Context(), b, 1, 2, 12, 13, 14)
		close(g.open)
		for call, got := range answers() {
			if (got.err != nil) != (call == 13) || got.err == nil && got.answer != 2*call {
				t.Errorf("%d: %d, %v", call, got.answer, got.err)
			}
		}
	})
}

func TestWhoLeavesHoldsUpNobodyAndIsNotAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		b := &batcher[int, int]{send: g.send}
		stay := ask(t.Context(), b, 1, 2)
		ctx, leave := context.WithCancel(t.Context())
		gone := ask(ctx, b, 3)
		more := ask(t.Context(), b, 4)
		leave()
		if got := gone()[3]; !errors.Is(got.err, context.Canceled) {
			t.Errorf("who left got %+v", got)
		}
		close(g.open)
		stay()
		if got := more()[4]; got.err != nil || got.answer != 8 {
			t.Errorf("who stayed got %+v", got)
		}
		if slices.ContainsFunc(g.sent, func(calls []int) bool { return slices.Contains(calls, 3) }) {
			t.Errorf("sent %v, with the call of who had left", g.sent)
		}
	})
}

func TestAStatementHasACeiling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		b := &batcher[int, int]{send: g.send}
		calls := make([]int, batchMost+10)
		for i := range calls {
			calls[i] = 100 + i
		}
		answers := ask(t.Context(), b, calls...)
		close(g.open)
		if got := answers(); len(got) != len(calls) {
			t.Errorf("%d answers to %d calls", len(got), len(calls))
		}
		for _, sent := range g.sent {
			if len(sent) > batchMost {
				t.Errorf("%d calls in one statement", len(sent))
			}
		}
	})
}
