package httpd

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"go.opentelemetry.io/otel/trace"

	"parley/impl/core/fault"
	"parley/impl/core/key"
)

// protocolHeader lists the subprotocols that a client offers. A browser, which
// cannot set headers, puts its key among them.
const protocolHeader = "Sec-Websocket-Protocol"

// BadHandshake is the code of the Invalid fault of a handshake that asks for a WebSocket in a wrong way.
const BadHandshake = "bad_handshake"

// Upgrade completes the handshake of a request that the edge has let through to
// an operation with x-websocket. Of the protocols that the client offers it
// chooses one that is listed, so never one that carries a key; none when there
// is none. The origin is the edge's business and was checked.
//
// What the handler does with the connection ends with the request's context.
// Draining tells it earlier that the server is about to stop.
func Upgrade(w http.ResponseWriter, r *http.Request, protocols ...string) (*websocket.Conn, error) {
	// Compression would keep a window of memory for every connection, also an idle one.
	return websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: protocols, InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled,
	})
}

// Detach completes the handshake as Upgrade does and serves the connection after
// the handler has returned, so that a long silence costs neither the request nor
// the stack of the gates that it passed. Of the request's context what belongs to
// the edge goes on: the caller, Again, Draining. A panic ends the connection alone.
// False says that the handshake failed: the client has been told, and serve is not called.
func Detach(w http.ResponseWriter, r *http.Request, serve func(context.Context, *websocket.Conn), protocols ...string) bool {
	c, err := Upgrade(w, r, protocols...)
	if err != nil {
		return false
	}
	s, note := r.Context().Value(socketsKey).(*sockets), noteOf(r.Context())
	traced := trace.ContextWithSpan(context.Background(), trace.SpanFromContext(r.Context()))
	ctx, cancel := context.WithCancel(context.WithValue(context.WithValue(context.WithValue(traced,
		socketsKey, s), noteKey, note), callerKey, Caller(r.Context())))
	s.enter() // before the handler's own is done
	go func() {
		defer s.exit()
		defer cancel()
		defer context.AfterFunc(s.ended, cancel)()
		defer func() {
			if p := recover(); p != nil {
				s.log.Error("panic", "request", note.requestID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				_ = c.CloseNow() // it is of no more use
			}
		}()
		serve(ctx, c)
	}()
	return true
}

// Draining ends when the server is about to stop: then a handler of a WebSocket
// ends what it is doing and closes the connection.
func Draining(ctx context.Context) context.Context { return ctx.Value(socketsKey).(*sockets).draining }

// Again decides anew who the sender of a request is and whether they may still
// make it: a WebSocket lasts longer than that can be taken for granted. Faults
// are those of the request itself.
func Again(ctx context.Context) (key.Caller, error) { return noteOf(ctx).again(ctx) }

// OfferedProtocols lists the subprotocols that the client offers.
func OfferedProtocols(r *http.Request) []string { return listed(r.Header, protocolHeader) }

// checkHandshake is an UpgradeRequired fault for a request that does not ask for
// a WebSocket, an Invalid one when it asks in a wrong way.
func checkHandshake(w http.ResponseWriter, r *http.Request) error {
	names := func(header, token string) bool {
		return slices.ContainsFunc(listed(r.Header, header), func(t string) bool { return strings.EqualFold(t, token) })
	}
	if r.ProtoMajor != 1 || !names("Connection", "upgrade") || !names("Upgrade", "websocket") || !slices.Equal(r.Header.Values("Sec-Websocket-Version"), []string{"13"}) {
		h := w.Header()
		h.Set("Upgrade", "websocket")
		h.Set("Sec-Websocket-Version", "13")
		if r.ProtoMajor == 1 {
			h.Set("Connection", "Upgrade")
		}
		return fault.New(fault.UpgradeRequired, "This address takes WebSocket connections of version 13 alone.")
	}
	keys := r.Header.Values("Sec-Websocket-Key")
	if len(keys) != 1 {
		return fault.New(fault.Invalid, "The WebSocket handshake needs one Sec-WebSocket-Key.").Coded(BadHandshake)
	}
	if raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(keys[0])); err != nil || len(raw) != 16 {
		return fault.New(fault.Invalid, "The Sec-WebSocket-Key must be 16 bytes in base64.").Coded(BadHandshake)
	}
	return nil
}

// listed returns the tokens of a header that is a list.
func listed(h http.Header, name string) []string {
	var tokens []string
	for _, value := range h.Values(name) {
		for token := range strings.SplitSeq(value, ",") {
			if token = strings.TrimSpace(token); token != "" {
				tokens = append(tokens, token)
			}
		}
	}
	return tokens
}

// sockets counts the open WebSockets: the server's own shutdown knows nothing of them.
type sockets struct {
	log             *slog.Logger
	draining, ended context.Context
	drain, end      context.CancelFunc

	mu      sync.Mutex
	leaving bool
	open    sync.WaitGroup
	count   atomic.Int64 // of those that are open
}

func (s *sockets) enter() {
	s.open.Add(1)
	s.count.Add(1)
}

func (s *sockets) exit() {
	s.count.Add(-1)
	s.open.Done()
}

func newSockets(log *slog.Logger) *sockets {
	s := &sockets{log: log}
	s.draining, s.drain = context.WithCancel(context.Background())
	s.ended, s.end = context.WithCancel(context.Background())
	return s
}

// serve runs a handler of a WebSocket.
func (s *sockets) serve(w http.ResponseWriter, r *http.Request, next http.Handler) error {
	s.mu.Lock()
	if s.leaving {
		s.mu.Unlock()
		f := fault.New(fault.Unavailable, "The server is shutting down.")
		f.RetryAfter = time.Second
		return f
	}
	s.enter()
	s.mu.Unlock()
	defer s.exit()
	ctx, cancel := context.WithCancel(context.WithValue(r.Context(), socketsKey, s))
	defer cancel()
	defer context.AfterFunc(s.ended, cancel)()
	next.ServeHTTP(w, r.WithContext(ctx))
	return nil
}

// Drain refuses new WebSockets, asks the handlers of open ones to end, and waits
// until they have. When ctx ends first their contexts end with it.
func (e *Edge) Drain(ctx context.Context) {
	s := e.sockets
	s.mu.Lock()
	s.leaving = true
	s.mu.Unlock()
	s.drain()
	gone := make(chan struct{})
	go func() { s.open.Wait(); close(gone) }()
	select {
	case <-gone:
	case <-ctx.Done():
		s.end()
		<-gone
	}
}
