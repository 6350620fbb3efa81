// Package job runs work that outlives requests and servers: deliveries,
// exports, erasures, housekeeping. Its queue is a table of the same Postgres,
// so that a job is stored in the transaction of the act that causes it.
//
// A job runs at least once: one whose server died is claimed by another when
// its lease lapses, and its handler must bear being repeated. A finished job
// never runs again. To add a kind: a constant and a handler in the package of
// its noun, and Runner.Handle where the server is wired.
package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/id"
)

// MaxAttempts is how often a job is tried unless it says otherwise.
const MaxAttempts = 10

// New describes a job to enqueue. Args are encoded as JSON; they hold ids and
// figures, never texts or secrets. Zero values mean: an id of its own, at
// once, MaxAttempts, not unique, the server's own.
type New struct {
	AccountID   string
	ID          string
	Kind        string
	Args        any
	UniqueKey   string // at most one unfinished job of the account and kind has it
	MaxAttempts int
	RunAt       time.Time
}

// Enqueue stores a job, on the pool or within the transaction of the act that
// causes it. A job with the id, or an unfinished one with the unique key, makes it do nothing.
func Enqueue(ctx context.Context, q *db.Queries, now time.Time, n New) error {
	row := db.Job{AccountID: n.AccountID, ID: n.ID, Kind: n.Kind, MaxAttempts: n.MaxAttempts, RunAt: n.RunAt, CreatedAt: now}
	if row.ID == "" {
		row.ID = id.New(id.Job)
	}
	if row.MaxAttempts == 0 {
		row.MaxAttempts = MaxAttempts
	}
	if row.RunAt.IsZero() {
		row.RunAt = now
	}
	if n.UniqueKey != "" {
		row.UniqueKey = &n.UniqueKey
	}
	if n.Args == nil {
		n.Args = struct{}{}
	}
	var err error
	if row.Args, err = json.Marshal(n.Args); err != nil {
		return fmt.Errorf("encode arguments of a job of kind %s: %w", n.Kind, err)
	}
	return q.EnqueueJob(ctx, row)
}

// Run is one attempt at a job.
type Run struct {
	db.Job
}

// Last tells whether no attempt follows this one.
func (r Run) Last() bool { return r.Attempt >= r.MaxAttempts }

// Handler does the jobs of one kind. Do must end soon after its context does.
type Handler struct {
	Do      func(ctx context.Context, r Run) error
	Slots   int                             // how many run at once on a server; 2 when zero
	Timeout time.Duration                   // of one attempt; a minute when zero
	Backoff func(attempt int) time.Duration // how long to wait after an attempt failed; Backoff when nil
}

const (
	defaultSlots   = 2
	defaultTimeout = time.Minute
)

func (h Handler) withDefaults() Handler {
	if h.Slots == 0 {
		h.Slots = defaultSlots
	}
	if h.Timeout == 0 {
		h.Timeout = defaultTimeout
	}
	if h.Backoff == nil {
		h.Backoff = Backoff
	}
	return h
}

// Typed makes a handler's Do of a function that wants its arguments decoded.
func Typed[Args any](do func(ctx context.Context, r Run, args Args) error) func(context.Context, Run) error {
	return func(ctx context.Context, r Run) error {
		var args Args
		if err := json.Unmarshal(r.Args, &args); err != nil {
			return Final(fmt.Errorf("decode arguments: %w", err))
		}
		return do(ctx, r, args)
	}
}

// Backoff doubles from 2 seconds to an hour.
func Backoff(attempt int) time.Duration {
	const first, longest = 2 * time.Second, time.Hour
	if attempt > 11 {
		return longest
	}
	return min(first<<(attempt-1), longest)
}

type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

// Final marks an error that no other attempt can mend: the job has failed.
func Final(err error) error { return finalError{err} }

// IsFinal tells whether an error is marked by Final.
func IsFinal(err error) bool {
	_, ok := errors.AsType[finalError](err)
	return ok
}

type retryError struct {
	error
	after time.Duration
}

func (e retryError) Unwrap() error { return e.error }

// Retry makes the next attempt follow after a time of the handler's choice, without jitter.
func Retry(err error, after time.Duration) error { return retryError{err, after} }

// excuse is what is stored of an error. Errors of libraries may quote what
// they choked on, so only texts of our own are kept; the log has the rest.
func excuse(err error) string {
	var own *fault.Error
	switch {
	case errors.As(err, &own):
		return own.Message
	case errors.Is(err, db.ErrUnavailable):
		return "The database was not available."
	case errors.Is(err, context.DeadlineExceeded):
		return "The attempt took too long."
	case errors.Is(err, context.Canceled):
		return "The attempt was cancelled."
	case errors.Is(err, errPanic):
		return "The attempt panicked; the log tells where."
	}
	return "Internal error; the log tells more."
}
