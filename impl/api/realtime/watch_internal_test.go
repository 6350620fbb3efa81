package realtime

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley/impl/core/realtime"
)

// linked returns the server's end of a connection and the client's.
func linked(t *testing.T, l *link) *websocket.Conn {
	t.Helper()
	opened := make(chan *websocket.Conn, 1)
	over := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
		}
		opened <- c
		<-over
	}))
	t.Cleanup(func() { close(over); s.CloseClientConnections(); s.Close() })
	client, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http"), nil) //nolint:bodyclose // the socket is the body
	if err != nil {
		t.Fatal(err)
	}
	l.conn = <-opened
	return client
}

// What nobody uses, or has lasted long enough, ends with the reason.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for code, after := range map[string]time.Duration{"session_idle": realtime.Idle + time.Second, "session_expired": realtime.Life + time.Second} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			l := &link{
				session: &realtime.Session{ExpiresAt: began.Add(realtime.Life)}, patience: time.Minute, every: time.Hour,
				now: func() time.Time { return began.Add(after) },
			}
			client := linked(t, l)
			l.heard.Store(began.UnixNano())
			told, ended := make(chan string, 1), make(chan error, 1)
			go func() {
				_, raw, err := client.Read(t.Context())
				var e struct{ Error struct{ Code string } }
				if err == nil {
					err = json.Unmarshal(raw, &e)
				}
				told <- e.Error.Code
				if err == nil {
					_, _, err = client.Read(t.Context())
				}
				ended <- err
			}()
			if l.alive(t.Context()) {
				t.Error("the session goes on")
			}
			if got := <-told; got != code {
				t.Errorf("told %q", got)
			}
			if err := <-ended; websocket.CloseStatus(err) != websocket.StatusNormalClosure {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// A peer that answers no ping is gone, and found out without a message of its own.
func TestDeadPeersAreNoticed(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := &link{
		session: &realtime.Session{ExpiresAt: began.Add(realtime.Life)}, patience: 10 * time.Millisecond, every: time.Millisecond,
		now: func() time.Time { return began },
	}
	linked(t, l) // nobody reads at its other end, so that pings are not answered
	l.heard.Store(began.UnixNano())
	stop := l.watch(t.Context())
	defer stop()
	if _, _, err := l.conn.Read(context.WithoutCancel(t.Context())); err == nil || websocket.CloseStatus(err) != -1 {
		t.Errorf("the connection ended with %v", err)
	}
}
