package provider

import (
	"context"
	"errors"
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
	timer  *time.Timer
	stop   func()
}

func newWatchdog(caller context.Context, total time.Duration) *watchdog {
	limited, release := context.WithTimeoutCause(caller, total, errTooLong)
	ctx, cancel := context.WithCancelCause(limited)
	w := &watchdog{ctx: ctx, caller: caller, cancel: cancel}
	w.timer = time.AfterFunc(time.Hour, func() { cancel(errSilent) })
	w.timer.Stop()
	w.stop = func() {
		w.timer.Stop()
		cancel(nil)
		release()
	}
	return w
}

func (w *watchdog) arm(d time.Duration) { w.timer.Reset(d) }

func (w *watchdog) disarm() { w.timer.Stop() }

// wait reports whether the call is still wanted after d.
func (w *watchdog) wait(d time.Duration) bool {
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
