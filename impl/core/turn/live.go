package turn

import (
	"context"
	"iter"
	"slices"
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

	bytes atomic.Int64 // what the events take

	mu      sync.Mutex
	entries []entry         // of the events from number 1 on
	readers []chan struct{} // each gets a value when there is more, unless it has one
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
	l.entries = append(l.entries, entryOf(e))
	l.bytes.Add(e.size())
	l.wake()
}

// wake needs l.mu.
func (l *Live) wake() {
	for _, r := range l.readers {
		select {
		case r <- struct{}{}:
		default: // it will look anyhow
		}
	}
}

// enter registers a reader and returns what wakes it, until it leaves.
func (l *Live) enter() chan struct{} {
	r := make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readers = append(l.readers, r)
	return r
}

func (l *Live) leave(reader chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readers = slices.DeleteFunc(l.readers, func(r chan struct{}) bool { return r == reader })
}

// size is what the events published so far take.
func (l *Live) size() int64 { return l.bytes.Load() }

func (l *Live) end(e Event, a Answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = a
	l.add(e)
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
func (l *Live) upTo(last Event, from int64) []entry {
	_, entries, _ := l.after(from - 1)
	return append(entries[:len(entries):len(entries)], entryOf(last))
}

// Log returns the events published so far.
func (l *Live) Log() []Event {
	_, entries, _ := l.after(0)
	events := make([]Event, len(entries))
	for i, e := range entries {
		events[i] = e.event(int64(i) + 1)
	}
	return events
}

// refuse ends a turn that never began, for whoever found it and waits.
func (l *Live) refuse(err error) {
	l.cancel(err)
	f := fault.From(err)
	_, entries, _ := l.after(0)
	l.end(Event{N: int64(len(entries)) + 1, Kind: stateOf(f), Text: f.Message}, Answer{TurnID: l.ID, Failure: f})
}

// after returns the events beyond number n with the number of the first, and
// whether there are more to come, here at least. Beyond the end of a log is its
// terminal event. The entries must not be changed.
func (l *Live) after(n int64) (first int64, entries []entry, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	stored := int64(len(l.entries))
	ended := stored > 0 && l.entries[stored-1].form.Terminal()
	if n > stored {
		if n = stored; ended {
			n--
		}
	}
	return n + 1, l.entries[n:], !ended && l.lost == nil
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
		wake := l.enter()
		defer l.leave(wake)
		for {
			first, entries, more := l.after(n)
			for i, e := range entries {
				if n = first + int64(i); !yield(step{e.event(n), i < len(entries)-1}) {
					return
				}
			}
			if !more {
				return
			}
			select {
			case <-wake:
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
