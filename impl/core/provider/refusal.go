package provider

import (
	"context"
	"errors"
	"net/http"

	"parley/impl/core/fault"
)

// Refusal is in the chain of a provider's error when it gave no byte of an
// answer and another may give one: it could not be reached, did not answer in
// time, failed, or was busy. A request that is at fault itself is no Refusal.
type Refusal struct {
	Busy  bool // it works, but takes no more at the moment
	cause error
}

// Refuse returns the fault f with a Refusal in its chain.
func Refuse(f *fault.Error, busy bool) *fault.Error {
	return f.Because(&Refusal{Busy: busy, cause: f.Unwrap()})
}

// Error is the log's view.
func (r *Refusal) Error() string {
	if r.cause == nil {
		return "refused before the first byte"
	}
	return r.cause.Error()
}

// Unwrap returns the reason, nil when there is none.
func (r *Refusal) Unwrap() error { return r.cause }

// RefusalIn returns the Refusal in err's chain, nil when there is none.
func RefusalIn(err error) *Refusal {
	r, _ := errors.AsType[*Refusal](err)
	return r
}

// refusal is fault for a call of which no answer may have begun.
func (w *watchdog) refusal(a *answer, failure error) error {
	err := w.fault(failure)
	if a.begun || w.caller.Err() != nil {
		return err
	}
	f, ok := errors.AsType[*fault.Error](err)
	if late := context.Cause(w.ctx) != nil; !ok || !late && !passing(failure) {
		return err
	}
	status, ok := errors.AsType[*statusError](failure)
	return Refuse(f, ok && status.status == http.StatusTooManyRequests)
}
