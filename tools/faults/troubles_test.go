package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// trouble is a way in which a model's provider fails, and what has to come of it.
type trouble struct {
	name     string
	answer   func(*troubled)
	status   int           // of an answer that is not streamed
	again    bool          // it tells when to come again
	calls    int           // of the provider, for one request
	said     bool          // a part of the text came before; it is paid for
	paid     bool          // the question is paid for all the same, because the provider had taken it
	deadline time.Duration // of the provider's silence; 0 when it ends by itself
}

// Deadlines of the servers: until a provider says something, between two lines, and of all.
const (
	untilFirst = time.Minute
	untilNext  = 30 * time.Second
	untilEnd   = 10 * time.Minute
)

var troubles = []trouble{
	{name: "whole", answer: func(x *troubled) { x.say("said"); x.end() }, status: http.StatusOK, calls: 1, said: true},
	{name: "half-utf8", answer: func(x *troubled) { x.say("sa\xc3"); x.say("\xff id\xe2\x82"); x.end() }, status: http.StatusOK, calls: 1, said: true},
	{name: "busy-until", answer: func(x *troubled) { x.refuse(http.StatusTooManyRequests, "Retry-After", "40") }, status: http.StatusServiceUnavailable, again: true, calls: 1},
	{name: "busy", answer: func(x *troubled) { x.refuse(http.StatusTooManyRequests) }, status: http.StatusServiceUnavailable, again: true, calls: 3},
	{name: "broken", answer: func(x *troubled) { x.refuse(http.StatusInternalServerError) }, status: http.StatusBadGateway, calls: 3},
	{name: "cut-before", answer: func(*troubled) { panic(http.ErrAbortHandler) }, status: http.StatusBadGateway, calls: 3},
	{name: "cut-within", answer: func(x *troubled) { x.say("said"); panic(http.ErrAbortHandler) }, status: http.StatusBadGateway, calls: 1, said: true},
	{name: "no-json", answer: func(x *troubled) { x.send(`data: {"choi` + "\n\n"); x.end() }, status: http.StatusBadGateway, calls: 1, paid: true},
	{name: "no-json-within", answer: func(x *troubled) { x.say("said"); x.send(`data: {"choi` + "\n\n"); x.end() }, status: http.StatusBadGateway, calls: 1, said: true},
	{name: "long-line", answer: func(x *troubled) { x.say("said"); x.send("data: " + strings.Repeat("x", 10<<20) + "\n\n"); x.end() }, status: http.StatusBadGateway, calls: 1, said: true},
	{name: "page", answer: func(x *troubled) { x.w.Header().Set("Content-Type", "text/html"); x.send("<h1>Hello</h1>") }, status: http.StatusBadGateway, calls: 1},
	{name: "endless", answer: func(x *troubled) {
		for x.say("and so on and on ") {
		}
	}, status: http.StatusBadGateway, calls: 1, said: true},
	{name: "silent-within", answer: func(x *troubled) { x.say("said"); x.wait() }, status: http.StatusBadGateway, calls: 1, said: true, deadline: untilNext},
	{name: "drip", answer: func(x *troubled) { x.say("said"); x.drip("x") }, status: http.StatusBadGateway, calls: 1, said: true, deadline: untilNext},
}

// lasting are those that take longer than the short form.
var lasting = []trouble{
	{name: "silent", answer: func(x *troubled) { x.wait() }, status: http.StatusBadGateway, calls: 1, deadline: untilFirst},
	{name: "comments", answer: func(x *troubled) { x.say("said"); x.drip(":\n\n") }, status: http.StatusBadGateway, calls: 1, said: true, deadline: untilEnd},
}

// failing is asked until it is left alone, and answers after that.
var failing = trouble{name: "failing", answer: func(x *troubled) { x.refuse(http.StatusInternalServerError) }}

// troubled is one call of a provider.
type troubled struct {
	w    http.ResponseWriter
	r    *http.Request
	last time.Time // when the provider said what counts for its deadline
}

func (x *troubled) send(text string) bool {
	if x.w.Header().Get("Content-Type") == "" {
		x.w.Header().Set("Content-Type", "text/event-stream")
	}
	_, err := io.WriteString(x.w, text)
	_ = http.NewResponseController(x.w).Flush()
	return err == nil && x.r.Context().Err() == nil
}

// say sends a piece; false when nobody listens any more.
func (x *troubled) say(text string) bool {
	raw, _ := json.Marshal(chunk(map[string]any{"content": "PIECE"}, nil))
	x.last = time.Now()
	return x.send("data: " + strings.Replace(string(raw), "PIECE", text, 1) + "\n\n") // not encoded: it need not be UTF-8
}

func (x *troubled) end() {
	raw, _ := json.Marshal(chunk(map[string]any{}, "stop"))
	x.send(fmt.Sprintf("data: %s\n\n", raw) + `data: {"id":"c","object":"chat.completion.chunk","model":"m","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}` +
		"\n\ndata: [DONE]\n\n")
}

func (x *troubled) refuse(status int, header ...string) {
	for i := 0; i+1 < len(header); i += 2 {
		x.w.Header().Set(header[i], header[i+1])
	}
	x.w.Header().Set("Content-Type", "application/json")
	x.w.WriteHeader(status)
	x.send(`{"error":{"message":"no"}}`)
}

func (x *troubled) wait() { <-x.r.Context().Done() }

func (x *troubled) drip(text string) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for x.send(text) {
		<-tick.C
	}
}

// troublemaker is the server of all providers: each has a model of its trouble's name, and a path.
type troublemaker struct {
	*httptest.Server
	well atomic.Bool // the one that is to be left alone answers

	mu      sync.Mutex
	calls   map[int]int           // by question
	silence map[int]time.Duration // by question, until the server went away
}

func newTroublemaker(t *testing.T, all []trouble) *troublemaker {
	t.Helper()
	m := &troublemaker{calls: map[int]int{}, silence: map[int]time.Duration{}}
	mux := http.NewServeMux()
	for _, one := range append(all, failing) {
		mux.HandleFunc("GET /"+one.name+"/v1/models", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"object":"list","data":[{"id":%q,"object":"model"}]}`, one.name)
		})
		mux.HandleFunc("POST /"+one.name+"/v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
			n, _ := questionOf(r)
			m.mu.Lock()
			m.calls[n]++
			m.mu.Unlock()
			x := &troubled{w: w, r: r, last: time.Now()}
			if one.name == failing.name && m.well.Load() {
				x.say("said")
				x.end()
				return
			}
			one.answer(x)
			m.mu.Lock()
			defer m.mu.Unlock()
			m.silence[n] = time.Since(x.last)
		})
	}
	m.Server = httptest.NewServer(mux)
	t.Cleanup(func() { m.CloseClientConnections(); m.Close() })
	return m
}

// of tells how often a question was asked and how long its provider was then waited for.
func (m *troublemaker) of(n int) (int, time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[n], m.silence[n]
}

// perTrouble is how many questions are asked of each provider: one more would have it left alone.
const perTrouble = 4

// Providers fail in every way. What the caller is told, how often the provider is asked, how long it is waited for
// and what is stored, held and paid is what it has to be, on two servers, whole and streamed. A provider that failed
// five times is left alone, tried by one request, and used again when that is answered.
func TestATroubledProviderCostsNobodyElse(t *testing.T) {
	all := troubles
	if long() {
		all = append(all, lasting...)
	}
	m := newTroublemaker(t, all)
	c := newCluster(t, 2, newUpstream(t, 0))
	c.http.Timeout = untilEnd + 2*time.Minute
	a := c.account("unlimited", 1_000_000_000)
	admin := c.admin(a)
	for _, one := range append(all, failing) {
		c.offer(t, admin, one.name, m.URL+"/"+one.name+"/v1")
	}
	stop, others := make(chan struct{}), &bystanders{cluster: c, key: a.Key}
	var asking, askers sync.WaitGroup
	asking.Go(func() { others.ask(t, stop) })
	for n := range perTrouble * len(all) {
		askers.Go(func() { c.meet(t, a.Key, all[n/perTrouble], n) })
	}
	c.leftAlone(t, m, a, perTrouble*len(all))
	askers.Wait()
	close(stop)
	asking.Wait()
	c.awaitEnds(t, c.raw(t), a.ID)
	late := max(others.longest(0), others.longest(1))
	for i, one := range all {
		for n := range perTrouble {
			one.checkCalls(t, m, i*perTrouble+n, late)
		}
		one.checkTurns(t, c, a.ID)
	}
	c.checkOnce(t, a.ID)
	if found, err := c.db.Imbalances(t.Context()); err != nil || len(found) != 0 {
		t.Errorf("the ledger does not balance: %+v, %v", found, err)
	}
}

// offer adds a provider with its one model, at a price.
func (c *cluster) offer(t *testing.T, admin, model, url string) {
	t.Helper()
	var made struct{ ID string }
	c.call(t, http.MethodPost, "/api/v1/admin/providers", admin, map[string]any{"name": model, "kind": "openai", "base_url": url}, &made)
	c.call(t, http.MethodPost, "/api/v1/admin/providers/"+made.ID+"/test", admin, map[string]any{"offer": true}, nil)
	c.call(t, http.MethodPatch, "/api/v1/admin/models/"+model, admin, map[string]any{"input_micros_per_1k": 1_000_000, "output_micros_per_1k": 1_000_000}, nil)
}

// put asks question n of a model, on the server of its number, and returns the answer with its body.
func (c *cluster) put(t *testing.T, key, model string, n int, streamed bool) (*http.Response, []byte) {
	t.Helper()
	res, err := c.http.Do(c.request(http.MethodPost, n, "/v1/chat/completions", key, map[string]any{"model": model, "max_tokens": 50, "stream": streamed,
		"messages": []map[string]string{{"role": "user", "content": fmt.Sprintf("question %d", n)}}}))
	if err != nil {
		t.Errorf("%s: %v", model, err)
		return nil, nil
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("%s: %v", model, err)
		return nil, nil
	}
	return res, body
}

// meet asks one question of a provider with a trouble and looks at what its caller is told.
func (c *cluster) meet(t *testing.T, key string, one trouble, n int) {
	t.Helper()
	streamed := n%perTrouble >= perTrouble/2
	res, body := c.put(t, key, one.name, n, streamed)
	if res == nil {
		return
	}
	failed := bytes.Contains(body, []byte(`"error":`))
	switch {
	case streamed && res.StatusCode == http.StatusOK:
		if failed != (one.status != http.StatusOK) || bytes.Contains(body, []byte("[DONE]")) == failed && one.status == http.StatusOK {
			t.Errorf("%s, streamed: %.300s", one.name, body)
		}
	case res.StatusCode != one.status:
		t.Errorf("%s: status %d, want %d: %.300s", one.name, res.StatusCode, one.status, body)
	}
	seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
	if one.again && res.StatusCode == one.status && (err != nil || seconds < 1 || seconds > 40) {
		t.Errorf("%s: come again after %q", one.name, res.Header.Get("Retry-After"))
	}
}

// checkCalls looks at how the provider was asked question n.
func (one trouble) checkCalls(t *testing.T, m *troublemaker, n int, late time.Duration) {
	t.Helper()
	calls, silence := m.of(n)
	if calls != one.calls {
		t.Errorf("%s: asked %d times, want %d", one.name, calls, one.calls)
	}
	if least, most := one.deadline*9/10, one.deadline*11/10+3*late; one.deadline > 0 && (silence < least || silence > most) {
		t.Errorf("%s: waited for %v, want %v, on a machine that is up to %v late", one.name, silence, one.deadline, late)
	}
}

// checkTurns looks at what is stored and paid of the answers.
func (one trouble) checkTurns(t *testing.T, c *cluster, accountID string) {
	t.Helper()
	var rows []struct {
		State   string `db:"state"`
		Cost    int64  `db:"cost_micros"`
		Output  int64  `db:"output_tokens"`
		Entries int    `db:"entries"`
	}
	if err := c.raw(t).Select(&rows, `
		select t.state, t.cost_micros, t.output_tokens,
			(select count(*) from ledger l where l.account_id = t.account_id and l.turn_id = t.turn_id and l.kind = 'usage' and l.amount_micros = t.cost_micros) as entries
		from turns t where t.account_id = $1 and t.model_id = $2`, accountID, one.name); err != nil || len(rows) != perTrouble {
		t.Errorf("%s: %d answers, %v", one.name, len(rows), err)
	}
	want := "failed"
	if one.status == http.StatusOK {
		want = "completed"
	}
	for _, row := range rows {
		if row.State != want || (row.Cost > 0) != (one.said || one.paid) || (row.Output > 0) != one.said || row.Entries != 1 {
			t.Errorf("%s: stored as %+v", one.name, row)
		}
	}
}

// breakFor is how long a provider is left alone after five failures.
const breakFor = 10 * time.Second

// leftAlone has a provider fail until it is left alone, be tried and left alone again, and come back.
func (c *cluster) leftAlone(t *testing.T, m *troublemaker, a account, n int) {
	t.Helper()
	ask := func() (status, calls int) {
		n += len(c.servers) // always the same one
		res, _ := c.put(t, a.Key, failing.name, n, false)
		calls, _ = m.of(n)
		if res == nil {
			return 0, calls
		}
		if calls == 0 && res.Header.Get("Retry-After") == "" {
			t.Error("a provider is left alone, and nobody is told for how long")
		}
		return res.StatusCode, calls
	}
	tries := 0
	eventually(t, "the provider is left alone", time.Minute, func() bool { tries++; _, calls := ask(); return calls == 0 })
	closed := time.Now()
	if tries > 6 {
		t.Errorf("it was asked %d times more", tries)
	}
	eventually(t, "it is tried", time.Minute, func() bool { _, calls := ask(); return calls > 0 })
	if took := time.Since(closed); took < breakFor*8/10 {
		t.Errorf("it was tried after %v", took)
	}
	if status, calls := ask(); status != http.StatusServiceUnavailable || calls != 0 {
		t.Errorf("after a try that failed: %d, asked %d times", status, calls)
	}
	m.well.Store(true)
	eventually(t, "it is back", time.Minute, func() bool { status, _ := ask(); return status == http.StatusOK })
	for range 3 {
		if status, calls := ask(); status != http.StatusOK || calls != 1 {
			t.Errorf("once it is back: %d, asked %d times", status, calls)
		}
	}
}
