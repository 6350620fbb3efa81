package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	slowReaders    = 500
	healthyReaders = 50
	heavyPieces    = 450
	heavyPiece     = 8 << 10 // bytes
	heavyPace      = 100 * time.Millisecond
	slowMemory     = 64 << 10 // bytes for each slow reader, at most
)

func heavyText(i int) string { return strings.Repeat(fmt.Sprintf("%07d ", i), heavyPiece/8) }

// newHeavyUpstream sends long pieces at a pace, and tells how long each answer took it.
func newHeavyUpstream(t *testing.T) (url string, took <-chan time.Duration) {
	t.Helper()
	told := make(chan time.Duration, 10)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"object":"list","data":[{"id":"heavy","object":"model"}]}`)
	})
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		began := time.Now()
		tick := time.NewTicker(heavyPace)
		defer tick.Stop()
		for i := range heavyPieces {
			raw, _ := json.Marshal(chunk(map[string]any{"content": heavyText(i)}, nil))
			fmt.Fprintf(w, "data: %s\n\n", raw)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
		told <- time.Since(began)
		raw, _ := json.Marshal(chunk(map[string]any{}, "stop"))
		fmt.Fprintf(w, "data: %s\n\ndata: [DONE]\n\n", raw)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL + "/v1", told
}

// Half a thousand readers of one stream read a kilobyte a second or nothing, beside fifty who read all of it. Those get
// every piece when readers of a like stream on a server without slow ones do, the model is never kept waiting, the slow
// ones take little memory, are cut, and get the rest, to the byte, when they come back.
func TestSlowReadersHoldUpNobody(t *testing.T) {
	url, took := newHeavyUpstream(t)
	c := newCluster(t, 2, "")
	a := c.account("unlimited", 1_000_000_000)
	admin := c.admin(a)
	var made struct{ ID string }
	c.call(t, http.MethodPost, "/api/v1/admin/providers", admin, map[string]any{"name": "heavy", "kind": "openai", "base_url": url}, &made)
	c.call(t, http.MethodPost, "/api/v1/admin/models", admin, map[string]any{"id": "heavy", "provider_id": made.ID, "type": "llm", "max_context": 1_000_000, "max_output": 200_000}, nil)
	turns := []string{c.begin(t, 0, a.Key), c.begin(t, 1, a.Key)}
	before := []float64{c.resident(t, 0), c.resident(t, 1)}
	var reading, slow sync.WaitGroup
	var healthy [2]gaps
	for i := range 2 * healthyReaders {
		reading.Go(func() { healthy[i%2].read(t, c, i%2, turns[i%2], a.Key) })
	}
	cut := make([]partial, slowReaders)
	for i := range cut {
		slow.Go(func() { cut[i] = c.readSlowly(t, turns[0], a.Key, i%2 == 0) })
	}
	var most [2]float64
	done := make(chan struct{})
	go func() { reading.Wait(); close(done) }()
	sample := time.NewTicker(time.Second)
	defer sample.Stop()
	for open := true; open; {
		select {
		case <-done:
			open = false
		case <-sample.C:
		}
		for i := range most {
			most[i] = max(most[i], c.resident(t, i)-before[i])
		}
	}
	slow.Wait()
	if more := most[0] - most[1]; more > slowReaders*slowMemory {
		t.Errorf("slow readers take %.0f kB each", more/slowReaders/1024)
	}
	held, plain := <-took, <-took
	longest := max(healthy[0].longest(), healthy[1].longest())
	if paced := heavyPieces * heavyPace; max(held, plain) > paced+3*longest+time.Second {
		t.Errorf("the model was kept waiting: it took %v and %v, its pace is %v", held, plain, paced)
	}
	c.comeBack(t, turns[0], a.Key, cut)
	beside, alone := healthy[0].p99(), healthy[1].p99()
	if long() && beside > alone+5*time.Millisecond {
		t.Errorf("beside slow readers pieces are up to %v apart (p99), without %v", beside, alone)
	}
	t.Logf("pieces are up to %v apart (p99) beside slow readers, %v without; %.0f and %.0f MB more memory", beside, alone, most[0]/(1<<20), most[1]/(1<<20))
}

// begin starts an answer on server i and leaves it.
func (c *cluster) begin(t *testing.T, i int, key string) string {
	t.Helper()
	res, err := c.http.Do(c.request(http.MethodPost, i, "/v1/chat/completions", key, map[string]any{"model": "heavy", "stream": true,
		"messages": []map[string]string{{"role": "user", "content": "Tell me everything"}}}))
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", res, err)
	}
	_ = res.Body.Close()
	return res.Header.Get("Parley-Turn")
}

// resident is the memory of server i, in bytes.
func (c *cluster) resident(t *testing.T, i int) float64 {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.servers[i].cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), "VmRSS:")
	kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return float64(kilobytes) * 1024
}

// gaps are the times between pieces of streams.
type gaps struct {
	mu   sync.Mutex
	seen []time.Duration
}

// read reads a stream to its end and wants all of its pieces.
func (g *gaps) read(t *testing.T, c *cluster, i int, turnID, key string) {
	r := c.request(http.MethodGet, i, "/api/v1/turns/"+turnID+"/events", key, nil)
	res, err := (&http.Client{}).Do(r)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = res.Body.Close() }()
	var seen []time.Duration
	lines, pieces, last := bufio.NewReaderSize(res.Body, 2*heavyPiece), 0, time.Time{}
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break
		}
		if !strings.Contains(line, `"content":"0`) {
			continue
		}
		if !strings.Contains(line, heavyText(pieces)) {
			t.Errorf("piece %d is %.80q", pieces, line)
			return
		}
		if now := time.Now(); !last.IsZero() {
			seen, last = append(seen, now.Sub(last)), now
		} else {
			last = now
		}
		pieces++
	}
	if pieces != heavyPieces {
		t.Errorf("a reader got %d pieces of %d", pieces, heavyPieces)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen = append(g.seen, seen...)
}

func (g *gaps) p99() time.Duration {
	slices.Sort(g.seen)
	return g.seen[len(g.seen)*99/100]
}

func (g *gaps) longest() time.Duration { return slices.Max(g.seen) }

// partial is what a reader got before it was cut.
type partial struct{ body []byte }

// readSlowly reads a kilobyte a second of a stream, or nothing but its beginning, until it is cut.
func (c *cluster) readSlowly(t *testing.T, turnID, key string, nothing bool) partial {
	dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10)
		})
		return errors.Join(err, failed)
	}}
	conn, err := dialer.DialContext(context.Background(), "tcp", strings.TrimPrefix(c.url(0), "http://"))
	if err != nil {
		t.Error(err)
		return partial{}
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(heldMost)) // it has been cut by then
	fmt.Fprintf(conn, "GET /api/v1/turns/%s/events HTTP/1.0\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n", turnID, key)
	in := bufio.NewReaderSize(conn, 1<<10)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("%v, %v", res, err)
		return partial{}
	}
	defer func() { _ = res.Body.Close() }()
	var p partial
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C {
		if nothing && time.Since(began) < heavyPieces*heavyPace {
			continue
		}
		read := int64(1 << 10)
		if nothing {
			read = 1 << 30 // what is left of it, once it was cut
		}
		raw, err := io.ReadAll(io.LimitReader(res.Body, read))
		p.body = append(p.body, raw...)
		if err != nil || int64(len(raw)) < read {
			return p
		}
	}
}

// comeBack resumes streams that were cut and compares them with what nobody cut.
func (c *cluster) comeBack(t *testing.T, turnID, key string, cut []partial) {
	t.Helper()
	d := &driver{cluster: c, key: key}
	whole, _, err := d.part(1, turnID, nil, "", everything)
	if err != nil {
		t.Fatal(err)
	}
	ended := 0
	for i, p := range cut {
		got, last := kept(p.body)
		if len(got) >= len(whole) {
			ended++
			continue
		}
		if i%25 != 0 && string(got) == string(whole[:len(got)]) {
			continue
		}
		rest, _, err := d.part(i, turnID, nil, last, everything)
		if err != nil || string(got)+string(rest) != string(whole) {
			t.Errorf("a reader that was cut after %q got %d bytes and then %d of %d, %v", last, len(got), len(rest), len(whole), err)
		}
	}
	if ended > 0 {
		t.Errorf("%d slow readers were not cut", ended)
	}
}
