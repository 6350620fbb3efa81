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
	// batchEnough is how many calls are worth a second statement beside the first.
	// Fewer wait for its end: a second one for whatever comes would mostly carry
	// one call, and cost as much as for many.
	batchEnough = 16
	// batchPatience is how long fewer wait: the first may be held up by a lock.
	batchPatience = 10 * time.Millisecond
	// batchMost is how many calls one statement answers at most.
	batchMost = 64
)

// batcher joins calls that wait at the same time into one statement, so that
// they share its round trip, its execution and its commit. A call that is alone
// waits for nobody. No call is answered by a statement that was sent before it.
type batcher[Q, A any] struct {
	// send answers each of calls, in their order.
	send func(ctx context.Context, calls []Q) ([]A, error)

	mu      sync.Mutex
	flying  int
	waiting []*waiter[Q, A] // pointers, because calls are large
	hurry   *time.Timer     // set off by the first that waits for a statement under way
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
	w := &waiter[Q, A]{ctx: ctx, call: call, done: make(chan outcome[A], 1)}
	b.mu.Lock()
	b.waiting = append(b.waiting, w)
	switch {
	case b.flying == 0 || len(b.waiting) >= batchEnough:
		b.launch()
	case len(b.waiting) == 1:
		b.hurryUp()
	}
	b.mu.Unlock()
	select {
	case o := <-w.done:
		return o.answer, o.err
	case <-ctx.Done():
		var none A
		return none, translateIn(ctx, ctx.Err())
	}
}

// launch begins a flight, unless there are enough. It needs b.mu, as does hurryUp.
func (b *batcher[Q, A]) launch() {
	if b.flying < batchFlights {
		b.flying++
		go b.fly()
	}
}

// hurryUp lets those that wait now have a flight of their own when they wait too long.
func (b *batcher[Q, A]) hurryUp() {
	if b.hurry != nil {
		b.hurry.Reset(batchPatience)
		return
	}
	b.hurry = time.AfterFunc(batchPatience, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.waiting) > 0 {
			b.launch()
		}
	})
}

// fly sends statements until nobody waits.
func (b *batcher[Q, A]) fly() {
	for {
		batch := b.next()
		if len(batch) == 0 {
			return
		}
		b.answer(batch)
	}
}

// next takes those that wait, or ends the flight when there are none.
func (b *batcher[Q, A]) next() []*waiter[Q, A] {
	b.mu.Lock()
	defer b.mu.Unlock()
	var batch []*waiter[Q, A]
	for len(b.waiting) > 0 && len(batch) < batchMost {
		if w := b.waiting[0]; w.ctx.Err() == nil {
			batch = append(batch, w)
		}
		b.waiting[0] = nil // frees what it held
		b.waiting = b.waiting[1:]
	}
	if len(batch) == 0 {
		b.flying--
		b.waiting = nil
	}
	if b.hurry != nil && len(b.waiting) == 0 {
		b.hurry.Stop()
	}
	return batch
}

// answer sends one statement for a batch. What fails together is sent apart, at
// the same time, so that a call fails, or waits, for its own reasons only.
func (b *batcher[Q, A]) answer(batch []*waiter[Q, A]) {
	answers, err := b.sendOne(batch)
	if err != nil && len(batch) > 1 && !errors.Is(err, ErrUnavailable) {
		for _, w := range batch {
			go b.answer([]*waiter[Q, A]{w})
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

func (b *batcher[Q, A]) sendOne(batch []*waiter[Q, A]) ([]A, error) {
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
