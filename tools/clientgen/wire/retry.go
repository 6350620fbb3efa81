package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

// Retry says how calls are repeated. Only what does no harm is: reads, PUT, DELETE, and what carries an
// Idempotency-Key; anything else only when no connection came about.
type Retry struct {
	Tries   int           // how often a call is repeated; 0 is never
	First   time.Duration // the pause before the first repetition; each further one is twice as long, give or take a half
	Longest time.Duration // the longest pause; a server that asks for a longer one in Retry-After is not asked again
}

// final is an error that no repetition changes.
type final struct{ error }

// Unwrap gives the error itself.
func (f final) Unwrap() error { return f.error }

// after tells whether a call that failed may be sent again after so many repetitions, and when.
func (r Retry) after(tries int, call *Call, err error) (time.Duration, bool) {
	if tries >= r.Tries || !call.replays() || hopeless(err) {
		return 0, false
	}
	var refused *Refusal
	if !errors.As(err, &refused) {
		return r.pause(tries), call.safe() || undialled(err)
	}
	if !call.safe() || !transient(refused) || refused.RetryAfter > r.Longest {
		return 0, false
	}
	if refused.RetryAfter > 0 {
		return refused.RetryAfter, true
	}
	return r.pause(tries), true
}

// transient tells whether a refusal may pass. A 429 that does not say when is about money, not about time.
func transient(refused *Refusal) bool {
	switch refused.StatusCode {
	case http.StatusTooManyRequests:
		return refused.Header.Get("Retry-After") != ""
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// hopeless tells whether an error comes from this side and stays.
func hopeless(err error) bool {
	var stays final
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &stays) || errors.As(err, &certificate) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// undialled tells whether nothing was sent because no connection came about.
func undialled(err error) bool {
	var operation *net.OpError
	return errors.As(err, &operation) && operation.Op == "dial"
}

// pause is how long to wait before a repetition when the server did not say.
func (r Retry) pause(tries int) time.Duration {
	longest := r.First << min(tries, 20)
	if longest > r.Longest || longest < r.First { // the second when the shift overflowed
		longest = r.Longest
	}
	if longest <= 0 {
		return 0
	}
	return longest/2 + rand.N(longest/2+1)
}

// inTime tells whether a context lasts longer than a pause.
func inTime(ctx context.Context, wait time.Duration) bool {
	end, ends := ctx.Deadline()
	return ctx.Err() == nil && (!ends || time.Until(end) > wait)
}

func pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reason prefers the context's error: what the transport says after a
// cancellation varies.
func reason(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	var stays final
	if errors.As(err, &stays) {
		return stays.error
	}
	return err
}
