package httpd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/key"
)

// writeTimeout bounds how long a client may take to accept one write.
const writeTimeout = 30 * time.Second

// note collects what the access log says of a request.
type note struct {
	requestID string
	origin    string // scheme and host that the client addressed
	events    bool   // the client asks for server-sent events
	operation *operation
	page      string // the first segment of a page's path; "" for what the document has
	caller    key.Caller
	fault     *fault.Error
	uploads   map[string]*Upload // of a multipart form, by the names of its parts
	body      []byte             // as it was sent, once it was checked

	again func(context.Context) (key.Caller, error) // of a WebSocket: see Again
}

func noteOf(ctx context.Context) *note { return ctx.Value(noteKey).(*note) }

// RequestID returns the id that the response carries as X-Request-Id.
func RequestID(ctx context.Context) string { return noteOf(ctx).requestID }

// Origin returns the scheme and host that the client addressed. Only the
// request's own sender should be shown links to it: the host is what they say.
func Origin(ctx context.Context) string { return noteOf(ctx).origin }

func originOf(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// Body returns the request's body as it was sent, for surfaces that pass on
// what the document does not name. It was checked, and must not be changed.
func Body(ctx context.Context) []byte { return noteOf(ctx).body }

// WantsEvents tells whether the client's Accept header names text/event-stream.
func WantsEvents(ctx context.Context) bool { return noteOf(ctx).events }

// recorder notes status and size of an answer. It sets a fresh write deadline
// at the answer's beginning; the server has none of its own, because streams last.
type recorder struct {
	http.ResponseWriter
	body    arriving      // of the request
	streams *atomic.Int64 // counts it while it is a stream of events
	stream  bool
	status  int
	bytes   int64
	gone    bool // the client, or it takes nothing any more
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush passes on what the generated stream writer asks for.
func (w *recorder) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// WriteHeader notes the first final status; after that of an upgrade the
// connection is no longer the server's.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status == http.StatusSwitchingProtocols {
		w.status = status
	}
	if w.status == 0 && status >= 200 {
		w.status = status
		w.noteStream()
		control := http.NewResponseController(w.ResponseWriter)
		w.body.takeRest(control)
		_ = control.SetWriteDeadline(time.Now().Add(writeTimeout))
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write notes how much was written.
func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	w.gone = w.gone || err != nil
	return n, err
}

// The headers that every answer begins with; whatever replaces one sets a list of its own.
var noSniff, denied, notStored = []string{"nosniff"}, []string{"DENY"}, []string{"no-store"}

// observe gives the request an id, sets the headers that every answer has, and
// writes the one access line: no query, header or body ever stands in it.
func (e *Edge) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		r, span := e.traces.Request(r)
		n := &note{requestID: id.New(id.Request), origin: originOf(r), events: strings.Contains(r.Header.Get("Accept"), "text/event-stream")}
		rec := &recorder{ResponseWriter: w, streams: &e.streams}
		defer rec.close()
		h := w.Header()
		h.Set("X-Request-Id", n.requestID)
		h["X-Content-Type-Options"], h["X-Frame-Options"], h["Cache-Control"] = noSniff, denied, notStored
		r = r.WithContext(context.WithValue(r.Context(), noteKey, n))
		if r.Body != nil && r.Body != http.NoBody {
			rec.body = arriving{ReadCloser: r.Body, unasked: r.Header.Get("Expect") != ""}
			r.Body = &rec.body
		}
		next.ServeHTTP(rec, r)
		took := time.Since(start)
		e.measure(rec, n, took)
		e.endSpan(span, rec, n)
		e.logAccess(r, rec, n, span.ID(), took)
	})
}

func (e *Edge) logAccess(r *http.Request, rec *recorder, n *note, traceID string, took time.Duration) {
	attrs := []slog.Attr{
		slog.String("request", n.requestID), slog.String("operation", n.operationID()), slog.Int("status", rec.status),
		slog.Int64("bytes", rec.bytes), slog.Duration("took", took), slog.String("client", ClientIP(r.Context())),
	}
	if n.caller.KeyID != "" {
		attrs = append(attrs, slog.String("account", n.caller.AccountID), slog.String("key", n.caller.KeyID))
	}
	if turnID := rec.Header().Get("Parley-Turn"); turnID != "" {
		attrs = append(attrs, slog.String("turn", turnID))
	}
	if traceID != "" {
		attrs = append(attrs, slog.String("trace", traceID))
	}
	if n.fault != nil {
		attrs = append(attrs, slog.String("fault", n.fault.Kind.String()))
		if cause := errors.Unwrap(n.fault); cause != nil && level(n.fault) > slog.LevelInfo {
			attrs = append(attrs, slog.String("cause", cause.Error()))
		}
	}
	e.log.LogAttrs(r.Context(), level(n.fault), "request", attrs...)
}

// contain turns a panic into the surface's Internal fault; the process lives on.
func (e *Edge) contain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p) // the documented way to abort an answer
			}
			n := noteOf(r.Context())
			e.log.Error("panic", "request", n.requestID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			owner := e.fallback
			if n.operation != nil {
				owner = e.surfaces[n.operation.surface]
			}
			e.write(w, r, owner, fault.New(fault.Internal, "Internal error"))
		}()
		next.ServeHTTP(w, r)
	})
}
