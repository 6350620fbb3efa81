package provider

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"parley/impl/core/fault"
)

var (
	errSilent  = errors.New("upstream silent")
	errTooLong = errors.New("answer takes too long")
)

// watchdog ends a call whose upstream keeps it waiting. It is armed while the
// upstream is to move and disarmed while the reader of the answer is.
type watchdog struct {
	ctx    context.Context
	caller context.Context
	cancel context.CancelCauseFunc
	end    time.Time // of the whole call

	mu    sync.Mutex
	timer *time.Timer
	rings time.Time // when the timer does; zero after it did
	due   time.Time // when the upstream has kept the call waiting; zero while disarmed
}

func newWatchdog(caller context.Context, total time.Duration) *watchdog {
	w := &watchdog{caller: caller, end: time.Now().Add(total)}
	w.ctx, w.cancel = context.WithCancelCause(caller)
	w.rings, w.due = w.end, w.end
	w.timer = time.AfterFunc(total, w.look)
	return w
}

func (w *watchdog) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// look ends the call when it is due. The timer is set off once for many arms: each would cost as much as reading
// a small event.
func (w *watchdog) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rings = time.Time{}
	now := time.Now()
	switch {
	case w.due.IsZero(): // the next arm sets it off
	case now.Before(w.due):
		w.ring(now)
	case now.Before(w.end):
		w.cancel(errSilent)
	default:
		w.cancel(errTooLong)
	}
}

// ring sets the timer off. It needs w.mu.
func (w *watchdog) ring(now time.Time) {
	w.rings = w.due
	w.timer.Reset(w.due.Sub(now))
}

// arm gives the upstream so long from now on, which it returns, and no longer than the call may take.
func (w *watchdog) arm(d time.Duration) (now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now = time.Now()
	if w.due = w.end; d < w.end.Sub(now) {
		w.due = now.Add(d)
	}
	if w.rings.IsZero() || w.due.Before(w.rings) {
		w.ring(now)
	}
	return now
}

func (w *watchdog) disarm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.due = time.Time{}
}

// wait reports whether the call is still wanted after d.
func (w *watchdog) wait(d time.Duration) bool {
	w.arm(math.MaxInt64)
	defer w.disarm()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.ctx.Done():
		return false
	}
}

// fault turns the end of a call into what its caller is told. Contexts come
// first: an error that follows a cancellation only says that there was one.
func (w *watchdog) fault(failure error) error {
	var reader *emitError
	if errors.As(failure, &reader) {
		return reader.err
	}
	switch cause := context.Cause(w.ctx); {
	case errors.Is(w.caller.Err(), context.Canceled):
		return fault.New(fault.Canceled, "The request was canceled.").Because(w.caller.Err())
	case cause != nil:
		return fault.New(fault.Upstream, "The model did not answer in time.").Because(cause)
	}
	return faultOf(failure)
}
