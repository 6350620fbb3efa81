// Package fault holds the one error type that may reach a caller.
//
// A fault has a kind, which a surface's errors.go turns into a status, and a
// message written for the caller. Everything else that goes wrong is an
// ordinary error: it is Internal, logged once at the edge, and its text never
// leaves the server.
package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"parley/db"
)

// Kind says what went wrong in terms that every surface can map to a status.
type Kind int

// The kinds, from the caller's mistakes to the server's.
const (
	Internal        Kind = iota // a defect or an unknown failure; the zero value on purpose
	Invalid                     // the request breaks the document or a rule of the operation
	Unauthenticated             // no credential, or one that is unknown, revoked or expired
	NoFunds                     // the balance does not cover the highest cost of the call
	Forbidden                   // the credential is good but may not do this
	NotFound                    // no such thing, or it belongs to another account
	NotAllowed                  // the path exists, the method does not
	Conflict                    // the state of the thing does not admit the request
	TooLarge                    // a body, header or message over its ceiling
	Unsupported                 // a content type that the operation does not take
	RateLimited                 // over the plan's requests per minute
	Upstream                    // the model's provider failed or answered nonsense
	Unavailable                 // the server cannot serve this now; a retry may help
	Canceled                    // the caller went away
	Unprocessable               // the Idempotency-Key was used for another request
	UpgradeRequired             // the operation is a WebSocket, the request no handshake of one
)

var kindNames = [...]string{
	"internal", "invalid", "unauthenticated", "no_funds", "forbidden", "not_found", "not_allowed",
	"conflict", "too_large", "unsupported", "rate_limited", "upstream", "unavailable", "canceled", "unprocessable", "upgrade_required",
}

// String returns the kind's name as logs and metrics show it.
func (k Kind) String() string { return kindNames[k] }

// Named returns the kind that String calls name, Internal for any other text.
func Named(name string) Kind { return Kind(max(0, slices.Index(kindNames[:], name))) }

// Kinds lists every kind, for tables that must cover all of them.
func Kinds() []Kind {
	all := make([]Kind, len(kindNames))
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

// Field is one broken rule of a request.
type Field struct {
	In     string // "body", "query", "path" or "header"
	Path   string // JSON pointer into the body, or the parameter's name
	Rule   string // the schema keyword that failed, for example "maxLength"
	Reason string // for the caller; never holds the offending value
}

// Error is a failure that a caller may be told about.
type Error struct {
	Kind       Kind
	Message    string        // a sentence for the caller
	Code       string        // what programs read, where the kind says too little; "" lets the surface choose
	Fields     []Field       // for Invalid: which parts broke which rules
	RetryAfter time.Duration // for RateLimited, Unavailable and Conflict: when a retry can succeed; zero when unknown
	cause      error
}

// New returns a fault of kind whose message is for the caller.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Because returns the fault with err, for the log alone, as its reason.
func (e *Error) Because(err error) *Error {
	because := *e
	because.cause = err
	return &because
}

// Coded returns the fault with a protocol's own word.
func (e *Error) Coded(code string) *Error {
	coded := *e
	coded.Code = code
	return &coded
}

// Error is the log's view: the message and its cause.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.cause.Error()
}

// Unwrap returns the cause, nil when there is none.
func (e *Error) Unwrap() error { return e.cause }

// roomAfter is when a full disk is worth another try: somebody has to act first.
const roomAfter = 30 * time.Second

// From returns the fault in err's chain. An error without one is Canceled when
// the caller's context ended, Unavailable when the database is away or a disk is
// full, otherwise Internal with err as its cause.
// It returns nil for a nil err.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var f *Error
	if errors.As(err, &f) {
		return f
	}
	switch {
	case errors.Is(err, context.Canceled):
		return New(Canceled, "The request was canceled.").Because(err)
	case errors.Is(err, db.ErrUnavailable):
		f := New(Unavailable, "The database is not available.").Because(err)
		f.RetryAfter = time.Second
		return f
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		f := New(Unavailable, "There is no room to store this now.").Because(err)
		f.RetryAfter = roomAfter
		return f
	}
	return New(Internal, "Internal error").Because(err)
}

// KindOf returns the kind of err as From sees it.
func KindOf(err error) Kind { return From(err).Kind }
