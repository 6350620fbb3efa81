package provider

import (
	"context"
	"errors"
	"math"
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
	end    time.Time // of the whole call
	timer  *time.Timer
	stop   func()
}

func newWatchdog(caller context.Context, total time.Duration) *watchdog {
	ctx, cancel := context.WithCancelCause(caller)
	w := &watchdog{ctx: ctx, caller: caller, end: time.Now().Add(total)}
	w.timer = time.AfterFunc(total, func() {
		if time.Now().Before(w.end) {
			cancel(errSilent)
		} else {
			cancel(errTooLong)
		}
	})
	w.stop = func() {
		w.timer.Stop()
		cancel(nil)
	}
	return w
}

// arm gives the upstream so long, and no longer than the call may take.
func (w *watchdog) arm(d time.Duration) { w.timer.Reset(min(d, time.Until(w.end))) }

func (w *watchdog) disarm() { w.timer.Stop() }

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
