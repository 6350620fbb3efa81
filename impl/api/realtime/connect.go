package realtime

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"parley/impl/core/fault"
	"parley/impl/core/realtime"
	"parley/impl/httpd"
)

const (
	betaProtocol = "openai-beta.realtime-v1"
	// frameBytesMax is the ceiling of a message.
	frameBytesMax = 1 << 20
	// sendTimeout is how long a client may take to accept an event.
	sendTimeout = 30 * time.Second
	// pingEvery and pingTimeout are how a dead peer is noticed.
	pingEvery   = 20 * time.Second
	pingTimeout = 10 * time.Second
)

// shapeOf chooses the shape that the handshake asks for.
func shapeOf(r *http.Request) shape {
	if strings.Contains(strings.Join(r.Header.Values("OpenAI-Beta"), ","), "realtime=v1") || slices.Contains(httpd.OfferedProtocols(r), betaProtocol) {
		return beta
	}
	return today
}

// connect serves one connection. What does not open is an error of HTTP.
func (a API) connect(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	l := &link{shape: shapeOf(r), now: a.now, every: pingEvery, patience: pingTimeout}
	var err error
	l.session, err = a.service.Open(r.Context(), realtime.OpenInput{
		Caller: httpd.Caller(r.Context()), Again: httpd.Again, Model: query.Get("model"), SessionID: query.Get("session_id"),
		Unstored: query.Get("store") == "false", Send: l.send,
	})
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if !httpd.Detach(w, r, func(ctx context.Context, c *websocket.Conn) {
		l.conn = c
		l.serve(ctx)
	}, "realtime", betaProtocol) {
		l.session.Leave()
	}
}

// link is a connection with its session.
type link struct {
	shape   shape
	conn    *websocket.Conn
	session *realtime.Session
	now     func() time.Time

	every, patience time.Duration // of pings

	heard   atomic.Int64 // when the client last sent a message
	closing sync.Once
}

// serve reads messages until the connection ends, and then waits for the answers that are still being made.
func (l *link) serve(ctx context.Context) {
	l.conn.SetReadLimit(frameBytesMax)
	l.heard.Store(l.now().UnixNano())
	stop := l.watch(ctx)
	defer stop()
	defer l.session.Leave() // also after a panic
	leave := context.AfterFunc(httpd.Draining(ctx), func() {
		l.session.Close()
		l.close(websocket.StatusGoingAway, "The server is shutting down.")
	})
	defer leave()
	l.session.Greet()
	for {
		kind, raw, err := l.conn.Read(ctx)
		if err != nil {
			break
		}
		l.heard.Store(l.now().UnixNano())
		l.take(ctx, kind, raw)
	}
	_ = l.conn.CloseNow() // it has ended
}

// take carries out a message and tells what is wrong with it.
func (l *link) take(ctx context.Context, kind websocket.MessageType, raw []byte) {
	if kind != websocket.MessageText || !utf8.Valid(raw) {
		l.tell(fault.New(fault.Invalid, "Messages are JSON objects in text frames."), "")
		return
	}
	eventID, err := l.shape.obey(ctx, l.session, raw)
	if err == nil {
		return
	}
	l.tell(fault.From(err), eventID)
	if errors.Is(err, realtime.ErrGone) {
		l.close(websocket.StatusPolicyViolation, "The session was deleted.")
	}
}

// tell sends an error event.
func (l *link) tell(f *fault.Error, eventID string) {
	p := problemOf(f)
	if eventID != "" {
		p.EventID = &eventID
	}
	l.write(seal(object{"type": "error", "error": p}))
}

// send is how the session tells the client.
func (l *link) send(e realtime.Event) {
	if raw := l.shape.encode(e); raw != nil {
		l.write(raw)
	}
	if e.Type == realtime.ResponseDone && e.Response.Failure != nil && e.Response.Failure.Kind == fault.Unauthenticated {
		go l.close(websocket.StatusPolicyViolation, "The API key is no longer good.")
	}
}

// write sends a message; a client that does not take it in time loses the connection.
func (l *link) write(raw []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), sendTimeout)
	defer cancel()
	_ = l.conn.Write(ctx, websocket.MessageText, raw) // the reader sees that the connection has ended
}

func (l *link) close(status websocket.StatusCode, reason string) {
	l.closing.Do(func() { _ = l.conn.Close(status, reason) }) // the reader sees that the connection has ended
}

// watch pings the client from time to time and ends the connection when nobody
// is there, nothing has been said for long, or the session is over. It has no
// goroutine while it waits.
func (l *link) watch(ctx context.Context) (stop func()) {
	var timer *time.Timer
	var mu sync.Mutex
	ended := false
	look := func() {
		if !l.alive(ctx) {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if !ended {
			timer.Reset(l.every)
		}
	}
	mu.Lock()
	timer = time.AfterFunc(l.every, look)
	mu.Unlock()
	return func() {
		mu.Lock()
		defer mu.Unlock()
		ended = true
		timer.Stop()
	}
}

func (l *link) alive(ctx context.Context) bool {
	now := l.now()
	switch {
	case now.After(l.session.ExpiresAt):
		l.tell(fault.New(fault.Invalid, "The session has reached its two hours; connect again with its id.").Coded("session_expired"), "")
		l.close(websocket.StatusNormalClosure, "The session has expired.")
		return false
	case now.Sub(time.Unix(0, l.heard.Load())) > realtime.Idle && !l.session.Busy():
		l.tell(fault.New(fault.Invalid, "Nothing was said for 15 minutes; connect again with the session's id.").Coded("session_idle"), "")
		l.close(websocket.StatusNormalClosure, "The session was idle.")
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	if l.conn.Ping(ctx) != nil {
		_ = l.conn.CloseNow() // the peer is gone
		return false
	}
	return true
}
