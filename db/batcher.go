package db

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// batchFlights is how many statements of one batcher are under way at most.
	batchFlights = 2
	// batchMost is how many calls one statement answers at most.
	batchMost = 64
	// gatherFor is how far apart statements are sent while calls come so often that
	// gatherLeast of them meet in that time. To begin a statement costs Postgres as
	// much as ten of its rows.
	gatherFor   = 5 * time.Millisecond
	gatherLeast = 3
	// gatherAgain is how long nobody is kept waiting after a wait that brought too
	// few together: calls came often, but one after the other.
	gatherAgain = 250 * time.Millisecond
)

// batcher joins calls that come at the same time into one statement, so that
// they share its round trip, its execution and its commit. A call that is alone
// waits for nobody; where many come, each waits some milliseconds for the
// others. No call is answered by a statement that was sent before it.
type batcher[Q, A any] struct {
	// send answers each of calls, in their order.
	send func(ctx context.Context, calls []Q) ([]A, error)

	mu        sync.Mutex
	flying    int
	gathering bool // those that wait are sent when their time is up
	waiting   []waiter[Q, A]
	sent      time.Time // when the latest statement was
	alone     time.Time // until when to keep nobody waiting
	came      arrivals
}

type waiter[Q, A any] struct {
	ctx  context.Context //nolint:containedctx // tells whether the caller still waits
	call Q
	done chan outcome[A]
}

type outcome[A any] struct {
	answer A
	err    error
}

// do answers a call. A caller that leaves does not interrupt a statement that
// others wait for; a call that was not sent by then is dropped.
func (b *batcher[Q, A]) do(ctx context.Context, call Q) (A, error) {
	w := waiter[Q, A]{ctx: ctx, call: call, done: make(chan outcome[A], 1)}
	b.mu.Lock()
	b.waiting = append(b.waiting, w)
	b.came.note(time.Now())
	b.dispatch()
	b.mu.Unlock()
	select {
	case o := <-w.done:
		return o.answer, o.err
	case <-ctx.Done():
		var none A
		return none, translateIn(ctx, ctx.Err())
	}
}

// dispatch sends those that wait, or sees to it that they are sent, if one more
// statement may be under way: else the end of one sends them.
func (b *batcher[Q, A]) dispatch() {
	full := len(b.waiting) >= batchMost
	if len(b.waiting) == 0 || b.flying >= batchFlights || b.gathering && !full {
		return
	}
	if wait := b.patience(time.Now()); wait > 0 && !full {
		b.gathering = true
		time.AfterFunc(wait, b.gathered)
		return
	}
	b.launch(time.Now())
}

// gathered sends those that came together.
func (b *batcher[Q, A]) gathered() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gathering = false
	if len(b.waiting) < gatherLeast {
		b.alone = time.Now().Add(gatherAgain)
	}
	if b.flying < batchFlights {
		b.launch(time.Now())
	}
}

// patience is how long those that wait are to wait for others.
func (b *batcher[Q, A]) patience(now time.Time) time.Duration {
	if b.came.often < gatherLeast || now.Before(b.alone) {
		return 0
	}
	return gatherFor - now.Sub(b.sent)
}

// launch sends a statement for those that wait.
func (b *batcher[Q, A]) launch(now time.Time) {
	batch := b.next()
	if len(batch) == 0 {
		return
	}
	b.sent = now
	b.flying++
	go func() {
		b.answer(batch)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.flying--
		b.dispatch()
	}()
}

// arrivals tells how often calls come as of late.
type arrivals struct {
	often float64   // in gatherFor
	since time.Time // when the count began
	count int
}

func (a *arrivals) note(now time.Time) {
	if spans := float64(now.Sub(a.since)) / float64(gatherFor); spans >= 1 {
		a.often = (a.often/spans + float64(a.count)/spans) / 2
		a.since, a.count = now, 0
	}
	a.count++
}

// next takes those that still wait, up to batchMost.
func (b *batcher[Q, A]) next() []waiter[Q, A] {
	var batch []waiter[Q, A]
	for len(b.waiting) > 0 && len(batch) < batchMost {
		if w := b.waiting[0]; w.ctx.Err() == nil {
			batch = append(batch, w)
		}
		b.waiting[0] = waiter[Q, A]{} // frees what it held
		b.waiting = b.waiting[1:]
	}
	if len(b.waiting) == 0 {
		b.waiting = nil
	}
	return batch
}

// answer sends one statement for a batch. What fails together is sent apart, at
// the same time, so that a call fails, or waits, for its own reasons only.
func (b *batcher[Q, A]) answer(batch []waiter[Q, A]) {
	answers, err := b.sendOne(batch)
	if err != nil && len(batch) > 1 && !errors.Is(err, ErrUnavailable) {
		for _, w := range batch {
			go b.answer([]waiter[Q, A]{w})
		}
		return
	}
	for i, w := range batch {
		o := outcome[A]{err: err}
		if err == nil {
			o.answer = answers[i]
		}
		w.done <- o
	}
}

func (b *batcher[Q, A]) sendOne(batch []waiter[Q, A]) ([]A, error) {
	ctx, cancel := context.WithTimeout(context.Background(), statementMax)
	defer cancel()
	calls := make([]Q, len(batch))
	for i, w := range batch {
		calls[i] = w.call
	}
	answers, err := b.send(ctx, calls)
	if err == nil && len(answers) != len(calls) {
		err = fmt.Errorf("a statement answered %d of %d calls", len(answers), len(calls))
	}
	return answers, err
}
