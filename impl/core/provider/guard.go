package provider

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/openai/openai-go/v3/option"
)

const (
	errorBodyBytesMax = 64 << 10
	// drainTime and drainBytes bound what is read after the last event, so that
	// the connection can be used again.
	drainTime  = 50 * time.Millisecond
	drainBytes = 4 << 10
)

var (
	errEventTooLarge  = errors.New("event over its limit")
	errAnswerTooLarge = errors.New("answer over its limit")
	errContentType    = errors.New("answer is no event stream")
)

// statusError is an answer with a status other than 200. Its body decides what
// to do and is never shown.
type statusError struct {
	status     int
	retryAfter time.Duration
	body       []byte
	blamed     string // the member of our caller's own that the upstream does not accept; ""
}

func (e *statusError) Error() string { return "upstream answered " + http.StatusText(e.status) }

// plainAnswer is a whole answer in JSON from an upstream that does not stream.
type plainAnswer struct{ body []byte }

func (*plainAnswer) Error() string { return "upstream does not stream" }

func asPlain(err error) (*plainAnswer, bool) {
	plain, ok := errors.AsType[*plainAnswer](err)
	return plain, ok
}

// guard stands between the SDK and the wire for one attempt. The SDK reads error
// bodies whole and joins the lines of an event without limit.
type guard struct {
	watch         *watchdog
	eventBytesMax int
	bodyBytesMax  int
	idle          time.Duration

	body    io.ReadCloser
	event   int  // bytes since the last blank line
	line    int  // bytes since the last line end, carriage returns left out
	readAny bool // a byte of a stream came
	ended   bool // the body was read to its end; false after [DONE]
	aborted bool
}

// middleware implements the SDK's hook around one request.
func (g *guard) middleware(r *http.Request, next option.MiddlewareNext) (*http.Response, error) {
	res, err := next(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, readStatus(res)
	}
	switch media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); media {
	case "text/event-stream", "":
		g.body, res.Body = res.Body, g
		return res, nil
	case "application/json":
		return nil, readPlain(res, g.bodyBytesMax)
	}
	_ = res.Body.Close()
	return nil, errContentType
}

func readStatus(res *http.Response) error {
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, errorBodyBytesMax))
	return &statusError{status: res.StatusCode, retryAfter: retryAfter(res.Header), body: body}
}

func readPlain(res *http.Response, bytesMax int) error {
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(bytesMax)+1))
	if err != nil {
		return err
	}
	if len(body) > bytesMax {
		return errAnswerTooLarge
	}
	return &plainAnswer{body: body}
}

// Read implements io.Reader. It never returns bytes together with the end of the
// body, so that ended tells whether the SDK stopped by itself, at [DONE].
func (g *guard) Read(p []byte) (int, error) {
	n, err := g.body.Read(p)
	if n > 0 {
		g.readAny = true
		return n, g.measure(p[:n])
	}
	if err == io.EOF {
		g.ended = true
	}
	return n, err
}

// measure counts an event's bytes and keeps the watchdog quiet at each line:
// bytes that never make a line are a drip, not progress.
func (g *guard) measure(p []byte) error {
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			g.line += len(p)
			g.event += len(p)
			break
		}
		g.watch.arm(g.idle)
		g.event += i + 1
		if g.line+len(bytes.TrimSuffix(p[:i], []byte{'\r'})) == 0 {
			g.event = 0
		}
		g.line = 0
		p = p[i+1:]
	}
	if g.event > g.eventBytesMax {
		return errEventTooLarge
	}
	return nil
}

// abort makes the next Close immediate.
func (g *guard) abort() { g.aborted = true }

// Close implements io.Closer. After [DONE] the end of the body is due at once;
// reading it lets the connection serve the next call.
func (g *guard) Close() error {
	if !g.ended && !g.aborted && g.watch.ctx.Err() == nil {
		impatient := time.AfterFunc(drainTime, func() { _ = g.body.Close() })
		_, _ = io.CopyN(io.Discard, g.body, drainBytes)
		impatient.Stop()
	}
	return g.body.Close()
}
