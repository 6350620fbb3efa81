package turn

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"parley/db"
	"parley/impl/core/fault"
)

// Live is a turn that this server runs. Any number of readers follow it, each
// at its own pace, without holding up the run. It is safe for concurrent use.
type Live struct {
	ID      string
	BeganAt time.Time

	cancel context.CancelCauseFunc
	encode encoding // the surface's view of it
	now    func() time.Time
	ended  chan struct{} // closed after the terminal event is published

	followed atomic.Bool // somebody follows it from another server

	mu      sync.Mutex
	events  []Event
	changed chan struct{} // closed at the next publication; nil while nobody waits for it
	bytes   int64         // what the events take
	answer  Answer
	lost    error // why its readers have to look elsewhere for the rest
}

func newLive(t db.Turn, cancel context.CancelCauseFunc, enc encoding, now func() time.Time) *Live {
	return &Live{ID: t.ID, BeganAt: t.CreatedAt, cancel: cancel, encode: enc, now: now, ended: make(chan struct{})}
}

func (l *Live) publish(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(e)
}

// add needs l.mu.
func (l *Live) add(e Event) {
	l.events = append(l.events, e)
	l.bytes += e.size()
	l.wake()
}

// wake needs l.mu.
func (l *Live) wake() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// size is what the events published so far take.
func (l *Live) size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes
}

func (l *Live) end(e Event, a Answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = a
	l.add(e)
	l.answer.Log = l.events
	close(l.ended)
}

// lose leaves the turn to the server that took it over: readers are cut without
// a terminal event, and find it in the stored log.
func (l *Live) lose(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = err
	l.answer = Answer{TurnID: l.ID, Failure: fault.From(err)}
	l.wake()
	close(l.ended)
}

// lostTo is why the events do not go on to a terminal one; nil when they do.
func (l *Live) lostTo() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// upTo returns the events from a number on and the last one, which is not
// published yet.
func (l *Live) upTo(last Event, from int64) []Event {
	events, _ := l.after(from - 1)
	return append(events[:len(events):len(events)], last)
}

// refuse ends a turn that never began, for whoever found it and waits.
func (l *Live) refuse(err error) {
	l.cancel(err)
	f := fault.From(err)
	events, _ := l.after(0)
	l.end(Event{N: int64(len(events)) + 1, Kind: stateOf(f), Text: f.Message}, Answer{TurnID: l.ID, Failure: f})
}

// after returns the events beyond number n, and what signals the next ones: nil
// when there are none to come, here at least. Beyond the end of a log is its terminal event.
// The events must not be changed.
func (l *Live) after(n int64) ([]Event, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	stored := int64(len(l.events))
	if l.lost != nil {
		return l.events[min(n, stored):], nil
	}
	if stored == 0 || !l.events[stored-1].Terminal() {
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		return l.events[min(n, stored):], l.changed
	}
	if n > stored {
		n = stored - 1
	}
	return l.events[n:], nil
}

// Follow yields the events beyond number n as they come, up to the terminal
// one; a negative n is 0. A cursor beyond the end of the log gets the terminal
// event. It stops early when ctx ends; the turn goes on.
func (l *Live) Follow(ctx context.Context, n int64) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for s := range l.steps(ctx, n) {
			if !yield(s.Event) {
				return
			}
		}
	}
}

// step is an event as a reader comes to it.
type step struct {
	Event
	more bool // the next one is there already
}

// steps is Follow for readers that send together what is there together.
func (l *Live) steps(ctx context.Context, n int64) iter.Seq[step] {
	return func(yield func(step) bool) {
		n := max(n, 0)
		for {
			events, changed := l.after(n)
			for i, e := range events {
				if !yield(step{e, i < len(events)-1}) {
					return
				}
				n = e.N
			}
			if changed == nil {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

// Wait returns the answer once it is durable. A failed turn's fault is its
// error; ctx ends the waiting, not the turn.
func (l *Live) Wait(ctx context.Context) (Answer, error) {
	select {
	case <-l.ended:
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
	a := l.Answer()
	if a.Failure != nil {
		return a, a.Failure
	}
	return a, nil
}

// Answer returns what the turn produced; it is complete after the terminal event.
func (l *Live) Answer() Answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answer
}
