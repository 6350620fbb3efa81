package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// errClosed says that the answer was complete but no last event was among its events.
var errClosed = fmt.Errorf("closed before the last event: %w", io.ErrUnexpectedEOF)

// Stream sends a call when the iteration begins and yields the events of
// its answer as they come, each decoded by decode, which also says whether the
// event is the last one of its stream. An endless stream has no last event: it ends when the server ends it.
//
// A connection that breaks is made anew, and the stream goes on after the last event that was yielded. The iteration ends after
// the last event or after an error, which comes with
// a zero T: a *Refusal when the API refused, the context's error when it ended,
// io.ErrUnexpectedEOF when the stream stopped before its last event and cannot go on. Breaking off
// closes the connection. Every iteration sends the request again.
func Stream[T any](
	ctx context.Context, c *Caller, call *Call, options []Option, endless bool, decode func(Event) (value T, last bool, err error),
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		s := &stream{caller: c, call: call.with(options), endless: endless}
		defer s.close()
		for {
			value, last, err := next(ctx, s, decode)
			if errors.Is(err, errEnd) {
				return
			}
			if err != nil {
				var zero T
				yield(zero, reason(ctx, err))
				return
			}
			if !yield(value, nil) || last {
				return
			}
		}
	}
}

func next[T any](ctx context.Context, s *stream, decode func(Event) (T, bool, error)) (value T, last bool, err error) {
	event, err := s.next(ctx)
	if err != nil {
		return value, false, err
	}
	value, last, err = decode(event)
	if err != nil {
		return value, false, fmt.Errorf("decode event %q: %w", event.Name, err)
	}
	return value, last, nil
}

// errEnd says that a stream without a last event has ended.
var errEnd = errors.New("end of the stream")

// stream is where one iteration is.
type stream struct {
	caller  *Caller
	call    *Call
	endless bool

	body     io.ReadCloser // nil while there is no connection
	events   *Reader
	seen     bool          // an event was yielded
	position string        // the id of the last event
	named    string        // what the answer's header named, to resume at
	wait     time.Duration // what the server asks to wait for before a new connection
	failures int           // connections in a row that brought nothing
}

func (s *stream) close() {
	if s.body != nil {
		_ = s.body.Close() // all that can be read was, or is unwanted
	}
	s.body = nil
}

// next returns the next event, from as many connections as it takes.
func (s *stream) next(ctx context.Context) (Event, error) {
	if s.events == nil {
		if err := s.begin(ctx); err != nil {
			return Event{}, err
		}
	}
	for {
		event, err := s.events.Next()
		if err == nil {
			s.seen, s.wait = true, event.Retry
			if event.ID != "" && event.ID != s.position { // the same event again is no progress
				s.position, s.failures = event.ID, 0
			}
			return event, nil
		}
		if errors.Is(err, io.EOF) {
			if s.endless {
				return Event{}, errEnd
			}
			err = errClosed // a stream ends with its last event, not with its connection
		}
		if err := s.resume(ctx, fmt.Errorf("read event stream: %w", err)); err != nil {
			return Event{}, err
		}
	}
}

// begin sends the call, repeated as any other.
func (s *stream) begin(ctx context.Context) error {
	s.call.header.Set("Accept", "text/event-stream")
	return s.caller.repeat(ctx, s.call, func() error { return s.connect(ctx, s.call) })
}

// connect takes up the events of a call's answer.
func (s *stream) connect(ctx context.Context, call *Call) error {
	response, err := s.caller.open(ctx, call)
	if err != nil {
		return err
	}
	kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || kind != "text/event-stream" {
		_ = response.Body.Close() // it is not what was asked for
		return final{fmt.Errorf("open event stream: content type is %q", response.Header.Get("Content-Type"))}
	}
	s.body, s.events = response.Body, NewReader(response.Body)
	if name := s.call.resumes.header; name != "" && s.named == "" {
		s.named = response.Header.Get(name)
	}
	return nil
}

// resume connects anew after the last event that came. It returns what broke the stream when that cannot be.
func (s *stream) resume(ctx context.Context, broken error) error {
	s.close()
	call := s.rest()
	for call != nil && s.failures < s.caller.Resume && !errors.Is(broken, ErrTooLong) && ctx.Err() == nil {
		if wait := max(s.wait, s.caller.Retry.pause(s.failures)); !inTime(ctx, wait) || pause(ctx, wait) != nil {
			return broken
		}
		s.failures++
		err := s.connect(ctx, call)
		if err == nil {
			return nil
		}
		var refused *Refusal
		if errors.As(err, &refused) && !transient(refused) || hopeless(err) {
			return fmt.Errorf("%w; resume it: %w", broken, err)
		}
		if refused != nil {
			s.wait = min(refused.RetryAfter, s.caller.Retry.Longest)
		}
	}
	return broken
}

// rest is the call for what is missing of the stream; nil when there is none.
func (s *stream) rest() *Call {
	if s.seen && s.position == "" {
		return nil // its events have no numbers
	}
	var call *Call
	switch {
	case s.call.resumes.self:
		call = s.call.with(nil)
		if s.position != "" {
			call.query.Del(s.call.resumes.after)
		}
	case s.named != "":
		call = NewCall(http.MethodGet, strings.Replace(s.call.resumes.path, "{}", url.PathEscape(s.named), 1))
		call.edit, call.into = s.call.edit, s.call.into
		call.header = s.call.header.Clone()
		call.header.Del("Idempotency-Key")
	default:
		return nil
	}
	if s.position != "" {
		call.header.Set("Last-Event-ID", s.position)
	}
	return call
}
