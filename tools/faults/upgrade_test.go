package faults

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley/db/dbtest"
)

// drainMost is how long a server may take to stop.
const drainMost = 30 * time.Second

// Three servers behind a balancer are replaced one after the other, while
// clients stream on three surfaces and follow chats over WebSockets. Nobody is
// answered with a 5xx; every stream is finished, or resumed to the same bytes;
// each server is gone within half a minute. PARLEY_FAULTS_PREVIOUS names a
// program of the release before, which then serves first.
func TestAnUpgradeOfThreeServersIsNotNoticed(t *testing.T) {
	s, rounds := seed(t), 1
	if long() {
		rounds = 20
	}
	dsn := dbtest.Empty(t)
	c := newClusterOn(t, dbtest.Open(t, dsn, 4), dsn, 0, newMixedUpstream(t, 40*time.Millisecond), func(string) []string {
		return []string{"PARLEY_SHUTDOWN_TIMEOUT=25s", "PARLEY_SHUTDOWN_DELAY=3s"}
	})
	c.servers = make([]*process, 3)
	for i := range c.servers {
		c.startAs(i, cmp.Or(os.Getenv("PARLEY_FAULTS_PREVIOUS"), binary))
	}
	var migrated struct{ Applied int }
	c.command(&migrated, "migrate") // under the servers that are there
	t.Logf("%d migrations were applied under the servers before", migrated.Applied)
	c.price(1_000)
	a := c.account("unlimited", 1_000_000_000)
	b := newBalancer(t, c)
	l := &load{t: t, driver: driver{cluster: b.as(c), key: a.Key, stop: make(chan struct{})}}
	l.begin(s)
	for range rounds {
		for i := range c.servers {
			<-time.After(2 * time.Second)
			asked := time.Now()
			c.stop(i)
			if took := time.Since(asked); took > drainMost {
				t.Errorf("server %d took %v to stop", i, took)
			}
			c.start(i)
		}
	}
	l.end()
	for what, n := range b.bad {
		t.Errorf("%d times %s", n, what)
	}
	for status, n := range l.bad {
		t.Errorf("%d answers with status %d", n, status)
	}
	direct := &driver{cluster: c, key: a.Key}
	direct.sameEverywhere(t, l.parts)
	l.sameCompletions(direct)
	l.sameChats(direct)
	c.checkMoney(t)
	if len(l.parts) == 0 || len(l.completions) == 0 || len(l.chats) == 0 {
		t.Error("the campaign tested nothing")
	}
	t.Logf("%d streams of webchat with %d cuts, %d of openai, %d chats with %d connections begun again",
		len(l.parts), l.cuts.Load(), len(l.completions), len(l.chats), l.redials.Load())
}

// newMixedUpstream answers questions, and steps of chats.
func newMixedUpstream(t *testing.T, pace time.Duration) string {
	t.Helper()
	var proxies []*httputil.ReverseProxy
	for _, to := range []string{newUpstream(t, pace), newChatUpstream(t, 5*pace)} {
		at, err := url.Parse(strings.TrimSuffix(to, "/v1"))
		if err != nil {
			t.Fatal(err)
		}
		proxy := httputil.NewSingleHostReverseProxy(at)
		proxy.FlushInterval = -1
		proxies = append(proxies, proxy)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(raw))
		if chatMark.Match(raw) {
			proxies[1].ServeHTTP(w, r)
			return
		}
		proxies[0].ServeHTTP(w, r)
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL + "/v1"
}

// load is what clients of three surfaces do and see, until stop is closed.
type load struct {
	driver
	t     *testing.T
	all   sync.WaitGroup
	cuts  atomic.Int64
	table table

	// Under driver.mu:
	parts, completions []stitched
	chats              map[string][]string // the events of each, as they came
	redials            atomic.Int64
}

func (l *load) begin(seed uint64) {
	l.chats = map[string][]string{}
	l.table = table{cluster: l.cluster, key: l.key}
	var flow struct{ ID string }
	graph := strings.ReplaceAll(threeAgents, `,"tools":{"llm":[%q]}`, "")
	l.cluster.call(l.t, http.MethodPost, "/flows", l.key, map[string]any{"name": "Three", "flow": json.RawMessage(graph)}, &flow)
	l.table.flow = flow.ID
	for worker, work := range []func(*rand.Rand){l.stream, l.stream, l.stream, l.complete, l.complete, l.follow, l.follow, l.follow, l.follow} {
		l.all.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(worker)))
			for {
				select {
				case <-l.stop:
					return
				default:
					work(r)
				}
			}
		})
	}
}

func (l *load) end() {
	close(l.stop)
	l.all.Wait()
}

// stream asks on webchat; some clients leave and resume.
func (l *load) stream(r *rand.Rand) {
	got := l.stitch(l.t, r, l.next(), &l.cuts)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.parts = append(l.parts, got)
}

// complete asks as OpenAI's clients do, who cannot resume: their streams are whole.
func (l *load) complete(*rand.Rand) {
	n := l.next()
	body, _ := json.Marshal(map[string]any{"model": "faulty", "stream": true, "messages": []map[string]string{{"role": "user", "content": fmt.Sprintf("question %d", n)}}})
	res, err := l.send(http.MethodPost, 0, "/v1/chat/completions", body, "")
	if err != nil {
		l.t.Errorf("question %d: %v", n, err)
		return
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil || !bytes.Contains(raw, []byte("data: [DONE]\n")) {
		l.t.Errorf("question %d ended with %v after\n%s", n, err, raw)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.completions = append(l.completions, stitched{turn: res.Header.Get("Parley-Turn"), body: bytes.ReplaceAll(raw, []byte(":\n\n"), nil)})
}

// sameCompletions reads each stream again, from each server.
func (l *load) sameCompletions(direct *driver) {
	for _, p := range l.completions {
		for i := range direct.cluster.servers {
			res, err := direct.send(http.MethodGet, i, "/api/v1/turns/"+p.turn+"/events", nil, "")
			if err != nil {
				l.t.Error(err)
				return
			}
			raw, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || !bytes.Equal(raw, p.body) {
				l.t.Errorf("turn %s on server %d: %v\n%s\nbut its client saw\n%s", p.turn, i, err, raw, p.body)
				return
			}
		}
	}
}

// chatLength bounds how long a chat of six steps is followed.
const chatLength = time.Minute

// follow runs a chat over a WebSocket, and connects again when its server stops.
func (l *load) follow(r *rand.Rand) {
	id := l.newChat(r)
	events, last := []string(nil), "0"
	deadline := time.Now().Add(chatLength)
	for tries := int64(0); time.Now().Before(deadline); tries++ {
		l.redials.Add(min(tries, 1))
		more, done := l.listen(id, last, len(events) == 0)
		events = append(events, more...)
		if len(more) > 0 {
			last = eventID(more[len(more)-1])
		}
		if done {
			l.mu.Lock()
			l.chats[id] = events
			l.mu.Unlock()
			return
		}
	}
	l.t.Errorf("chat %s does not end: %v", id, events)
}

func (l *load) newChat(r *rand.Rand) string {
	var made struct{ ID string }
	raw, _ := json.Marshal(map[string]any{"name": fmt.Sprint("Chat ", r.Int()), "from_flow": l.table.flow})
	res, err := l.send(http.MethodPost, 0, "/chats", raw, "")
	if err != nil {
		l.t.Error(err)
		return ""
	}
	defer func() { _ = res.Body.Close() }()
	if err := json.NewDecoder(res.Body).Decode(&made); err != nil {
		l.t.Error(err)
	}
	return made.ID
}

func eventID(event string) string {
	var e struct{ ID string }
	_ = json.Unmarshal([]byte(event), &e)
	return e.ID
}

// listen returns the stored events of a chat beyond the last one until the run
// is over (done) or the connection is; it may begin the run.
func (l *load) listen(id, last string, begin bool) (events []string, done bool) {
	address := strings.Replace(l.cluster.url(0), "http://", "ws://", 1) + "/chats/" + id + "/ws?after=" + last
	conn, res, err := websocket.Dial(l.t.Context(), address, &websocket.DialOptions{HTTPHeader: http.Header{"X-API-KEY": {l.key}}})
	if err != nil {
		l.t.Errorf("chat %s after %q: %v", id, last, err)
		return nil, true
	}
	if res.Body != nil {
		defer func() { _ = res.Body.Close() }()
	}
	defer func() { _ = conn.CloseNow() }()
	if begin {
		if err := conn.Write(l.t.Context(), websocket.MessageText, []byte(`{"type":"message","content":"Begin chat-7!"}`)); err != nil {
			l.t.Error(err)
		}
	}
	for {
		_, raw, err := conn.Read(l.t.Context())
		if err != nil {
			if websocket.CloseStatus(err) != websocket.StatusGoingAway {
				l.t.Errorf("chat %s after %q: %v", id, last, err)
			}
			return events, false
		}
		if eventID(string(raw)) == "" {
			continue // a piece, which is not stored
		}
		events = append(events, string(raw))
		if strings.Contains(string(raw), `"status":"completed"`) {
			return events, true
		}
	}
}

// sameChats reads each chat anew, from each server.
func (l *load) sameChats(direct *driver) {
	for id, events := range l.chats {
		for i := range direct.cluster.servers {
			from := &load{t: l.t, driver: driver{cluster: &cluster{t: l.t, http: direct.cluster.http, servers: direct.cluster.servers[i : i+1]}, key: l.key}}
			if again, _ := from.listen(id, "0", false); strings.Join(again, "\n") != strings.Join(events, "\n") {
				l.t.Errorf("chat %s on server %d:\n%s\nbut its client heard\n%s", id, i, strings.Join(again, "\n"), strings.Join(events, "\n"))
				return
			}
		}
	}
}
