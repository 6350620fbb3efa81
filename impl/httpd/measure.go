package httpd

import (
	"net/http"
	"strings"
	"time"

	"parley/impl/tracing"
)

// Meter counts requests. Its methods must be quick: every request waits for them.
type Meter interface {
	// Request is told of every request that was answered. A lasting one was a stream or a WebSocket.
	Request(operation string, status int, took time.Duration, lasting bool)
	// Refused is told which limit of the edge refused a request: "requests" or "address".
	Refused(limit string)
}

// Streams is how many streams of events are open.
func (e *Edge) Streams() int64 { return e.streams.Load() }

// Sockets is how many WebSockets are open.
func (e *Edge) Sockets() int64 { return e.sockets.count.Load() }

func (e *Edge) measure(rec *recorder, n *note, took time.Duration) {
	if e.meter != nil {
		e.meter.Request(n.operationID(), rec.status, took, rec.stream || rec.status == http.StatusSwitchingProtocols)
	}
}

func (e *Edge) endSpan(span *tracing.Span, rec *recorder, n *note) {
	span.End(tracing.Outcome{
		Operation: n.operationID(), RequestID: n.requestID, Turn: rec.Header().Get("Parley-Turn"), Account: n.caller.AccountID, Status: rec.status,
	})
}

func (e *Edge) refused(limit string) {
	if e.meter != nil {
		e.meter.Refused(limit)
	}
}

// operationID is the operation of the document, else what the page belongs to; "none" for any other path.
func (n *note) operationID() string {
	switch {
	case n.operation != nil:
		return n.operation.id
	case n.page != "":
		return n.page
	}
	return "none"
}

// noteStream looks at the answer's header, which is about to be sent.
func (w *recorder) noteStream() {
	if strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
		w.stream = true
		w.streams.Add(1)
	}
}

// close notes the answer's end.
func (w *recorder) close() {
	if w.stream {
		w.streams.Add(-1)
	}
}
