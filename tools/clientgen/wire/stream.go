package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"
)

// Accept asks for a stream; it is a request editor of every generated client.
func Accept(_ context.Context, request *http.Request) error {
	request.Header.Set("Accept", "text/event-stream")
	return nil
}

// Stream sends a request when the iteration begins and yields the events of
// its answer as they come, each decoded by decode, which also says whether the
// event is the last one of its stream.
//
// The iteration ends after the last event or after an error, which comes with
// a zero T: *Error when the API refused, the context's error when it ended,
// io.ErrUnexpectedEOF when the stream stopped before its last event. Breaking off
// closes the connection. Every iteration sends the request again.
func Stream[T any](
	ctx context.Context, send func() (*http.Response, error), decode func(Event) (value T, last bool, err error),
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		response, err := open(send)
		if err != nil {
			var zero T
			yield(zero, reason(ctx, err))
			return
		}
		defer func() { _ = response.Body.Close() }() // all that can be read was, or is unwanted
		events := NewReader(response.Body)
		for {
			value, last, err := next(events, decode)
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

// errClosed says that the answer was complete but no last event was among its events.
var errClosed = fmt.Errorf("closed before the last event: %w", io.ErrUnexpectedEOF)

// UntilClosed is for streams whose last event has no name of its own: the end
// of the answer ends the iteration without an error, a cut connection does not.
func UntilClosed[T any](events iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for event, err := range events {
			if errors.Is(err, errClosed) || !yield(event, err) {
				return
			}
		}
	}
}

// open returns an answer that is a stream; its body is the caller's to close.
func open(send func() (*http.Response, error)) (*http.Response, error) {
	response, err := send()
	if err != nil {
		return nil, err
	}
	if err := refused(response); err != nil {
		_ = response.Body.Close() // the refusal says more
		return nil, err
	}
	return response, nil
}

func refused(response *http.Response) error {
	if response.StatusCode < 200 || response.StatusCode >= 300 {
		return refusal(response)
	}
	kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || kind != "text/event-stream" {
		return fmt.Errorf("open event stream: content type is %q", response.Header.Get("Content-Type"))
	}
	return nil
}

func next[T any](events *Reader, decode func(Event) (T, bool, error)) (value T, last bool, err error) {
	event, err := events.Next()
	if errors.Is(err, io.EOF) {
		err = errClosed // a stream ends with its last event, not with its connection
	}
	if err != nil {
		return value, false, fmt.Errorf("read event stream: %w", err)
	}
	value, last, err = decode(event)
	if err != nil {
		return value, false, fmt.Errorf("decode event %q: %w", event.Name, err)
	}
	return value, last, nil
}

// reason prefers the context's error: what the transport says after a
// cancellation varies.
func reason(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}
