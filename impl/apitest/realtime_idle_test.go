package apitest_test

import (
	"flag"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

var idleSessions = flag.Int("realtime-idle", 20, "open so many idle realtime sessions and measure what each takes")

// idleBytesMax is what an idle session may take of the server's memory, its stack included.
const idleBytesMax = 40 << 10

// An idle session costs little. Both ends live in this process, so that what is
// measured is more than the server's part.
func TestRealtimeIdleSessionsAreSmall(t *testing.T) {
	x := newTenant(t)
	open := func() *websocket.Conn {
		c, _, err := websocket.Dial(t.Context(), x.server.URL+"/v1/realtime", &websocket.DialOptions{ //nolint:bodyclose // the socket is the body
			HTTPHeader: http.Header{"Authorization": {"Bearer " + x.key.Text}},
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // session.created and conversation.created
			if _, raw, err := c.Read(t.Context()); err != nil || !strings.Contains(string(raw), "created") {
				t.Fatalf("%s, %v", raw, err)
			}
		}
		return c
	}
	first := open()
	defer func() { _ = first.CloseNow() }() // nothing is to be said
	before := used()
	all := make([]*websocket.Conn, *idleSessions)
	for i := range all {
		all[i] = open()
	}
	each := (used() - before) / int64(len(all))
	t.Logf("%d idle sessions take %d bytes each, with both ends", len(all), each)
	for _, c := range all {
		_ = c.CloseNow() // nothing is to be said
	}
	if *idleSessions >= 1000 && each > idleBytesMax {
		t.Errorf("an idle session takes %d bytes with both ends", each)
	}
}

// used is the memory of heap and stacks after a collection.
func used() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse) //nolint:gosec // far from 8 EiB
}
