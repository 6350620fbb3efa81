package faults

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// writesMax is a little more than a server waits for a write to be taken.
const writesMax = 32 * time.Second

// Readers that open a stream and read nothing of it hold up neither the answer
// nor those who read it, on the server that makes it and on the other. They are
// cut, and get the rest when they come back.
func TestReadersThatDoNotReadHoldUpNobody(t *testing.T) {
	stalled, healthy := 20, 10
	if long() {
		stalled, healthy = 500, 50
	}
	c := newCluster(t, 2, newUpstream(t, 50*time.Millisecond))
	a := c.account("unlimited", 1_000_000_000)
	d := &driver{cluster: c, key: a.Key}
	turn := make(chan string, 1)
	whole := make(chan []byte, 1)
	go func() {
		body := fmt.Appendf(nil, `{"message": "question %d", "stream": true}`, largeQuestion)
		res, err := d.send(http.MethodPost, 0, "/api/v1/chat", body, "")
		if err != nil {
			t.Error(err)
			close(turn)
			whole <- nil
			return
		}
		defer func() { _ = res.Body.Close() }()
		turn <- res.Header.Get("Parley-Turn")
		var got bytes.Buffer
		_, _ = got.ReadFrom(res.Body)
		whole <- got.Bytes()
	}()
	turnID, begun := <-turn
	if !begun {
		return
	}
	var lazy []net.Conn
	for i := range stalled {
		lazy = append(lazy, c.stall(t, i%2, turnID, a.Key))
	}
	var all sync.WaitGroup
	for i := range healthy {
		all.Go(func() {
			got, seen, err := d.part(i%2, turnID, nil, "", everything)
			if err != nil || !seen.whole || !strings.Contains(string(got), "w8000000-159 ") {
				t.Errorf("healthy reader %d of server %d: %d bytes, %v", i, i%2, len(got), err)
			}
		})
	}
	all.Wait()
	got := <-whole
	if !bytes.Contains(got, []byte("event: end")) {
		t.Fatalf("whoever asked got %d bytes without an end", len(got))
	}
	<-time.After(writesMax) // by then a write that nobody takes has been given up
	cut := 0
	for i, conn := range lazy {
		part, last := c.rest(t, conn)
		if !bytes.Contains(part, []byte("event: end")) {
			cut++
		}
		rest, seen, err := d.part(i%2, turnID, nil, last, everything)
		if err != nil || !seen.whole && !bytes.Contains(part, []byte("event: end")) {
			t.Errorf("stalled reader %d comes back after %q: %d bytes, %v", i, last, len(rest), err)
		}
	}
	t.Logf("%d readers that read nothing, %d of them cut; %d healthy ones got everything", stalled, cut, healthy)
}

// stall asks server i for a turn's stream and does not read it.
func (c *cluster) stall(t *testing.T, i int, turnID, key string) net.Conn {
	t.Helper()
	at, err := url.Parse(c.at(i))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", at.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	fmt.Fprintf(conn, "GET /api/v1/turns/%s/events HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", turnID, at.Host, key)
	return conn
}

// rest reads what a stalled reader was sent until it is cut or the stream
// pauses for good, and the last id among it.
func (c *cluster) rest(t *testing.T, conn net.Conn) (body []byte, last string) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, "" // cut before it read anything at all
	}
	defer func() { _ = res.Body.Close() }()
	var got bytes.Buffer
	_, _ = got.ReadFrom(res.Body) // however it ends: what came before counts
	for _, at := range idLine.FindAllSubmatch(got.Bytes(), -1) {
		last = string(at[1])
	}
	return got.Bytes(), last
}
