package httpd

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// serveReal serves h with the deadlines of NewServer, headers within limit.
func serveReal(t *testing.T, h http.Handler, headers time.Duration) string {
	t.Helper()
	s := NewServer(h, slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout == 0 || s.ReadHeaderTimeout > 10*time.Second || s.IdleTimeout == 0 || s.MaxHeaderBytes > 64<<10 {
		t.Fatalf("deadlines: headers %v, idle %v, %d bytes", s.ReadHeaderTimeout, s.IdleTimeout, s.MaxHeaderBytes)
	}
	s.ReadHeaderTimeout = headers
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

func TestServerClosesConnectionsThatDribbleHeaders(t *testing.T) {
	c := dial(t, serveReal(t, http.NotFoundHandler(), 50*time.Millisecond))
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("the server did not close: %v", err)
	}
}

func TestServerRefusesLargeHeaders(t *testing.T) {
	c := dial(t, serveReal(t, http.NotFoundHandler(), time.Second))
	go func() {
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nX-Large: "+strings.Repeat("x", 1<<20)+"\r\n\r\n")
	}()
	line, _ := bufio.NewReader(c).ReadString('\n')
	if !strings.Contains(line, "431") {
		t.Errorf("answer %q", line)
	}
}

func TestEventStreamReachesTheClientEventByEvent(t *testing.T) {
	next := make(chan struct{})
	e := newTestEdge(t, io.Discard, func(w http.ResponseWriter, _ *http.Request) {
		s := NewEventStream(w, http.StatusOK)
		defer s.Close()
		for n := range next {
			_ = n
			if s.Send("message", 1, map[string]string{"content": "line\nbreak"}) != nil {
				return
			}
		}
	})
	c := dial(t, serveReal(t, e, time.Second))
	_, _ = io.WriteString(c, "GET /api/v1/agents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+goodKey+"\r\n\r\n")
	in := bufio.NewReader(c)
	response, err := http.ReadResponse(in, nil) // headers come before the first event
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.Header.Get("Content-Type") != "text/event-stream" || response.Header.Get("X-Accel-Buffering") != "no" {
		t.Errorf("headers %v", response.Header)
	}
	const event = "event: message\ndata: {\"content\":\"line\\nbreak\"}\nid: 1\n\n"
	got := make([]byte, len(event))
	for range 3 {
		next <- struct{}{}
		if _, err := io.ReadFull(response.Body, got); err != nil || string(got) != event {
			t.Fatalf("event %q: %v", got, err)
		}
	}
	close(next)
	if rest, err := io.ReadAll(response.Body); err != nil || len(rest) != 0 {
		t.Errorf("after the end: %q, %v", rest, err)
	}
}
