package faults

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"parley/impl/core/tokens"
)

// How the upstream of this campaign ends its answer to question n.
const (
	endsWhole   = iota
	endsUncount // whole, but it reports no usage
	endsCut     // its connection breaks in the middle
	endsBroken  // what follows the middle is no JSON
	endings
)

// newUpstreamOfEndings answers question n like newUpstream, and ends as n%endings says.
func newUpstreamOfEndings(t *testing.T, pace time.Duration) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, ok := questionOf(r)
		if !ok {
			fmt.Fprint(w, `{"object":"list","data":[{"id":"faulty","object":"model"}]}`)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		out := http.NewResponseController(w)
		tick := time.NewTicker(pace)
		defer tick.Stop()
		pieces := answerPieces(n)
		for i, piece := range pieces {
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
			if i == len(pieces)/2 && n%endings == endsCut {
				panic(http.ErrAbortHandler)
			}
			raw, _ := json.Marshal(chunk(map[string]any{"content": piece}, nil))
			if i == len(pieces)/2 && n%endings == endsBroken {
				raw = raw[:len(raw)/2]
			}
			fmt.Fprintf(w, "data: %s\n\n", raw)
			_ = out.Flush()
		}
		finish, _ := json.Marshal(chunk(map[string]any{}, "stop"))
		fmt.Fprintf(w, "data: %s\n\n", finish)
		if n%endings == endsWhole {
			input, output := usageOf(n)
			fmt.Fprintf(w, `data: {"id":"c","object":"chat.completion.chunk","model":"faulty","choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}`+"\n\n",
				input, output, input+output)
		}
		fmt.Fprint(w, "data: [DONE]\n\n")
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL + "/v1"
}

// A stream ends in every way there is: the upstream ends well, without counting, in the middle or with nonsense, its
// client stays, leaves or cancels, its server is killed. What is stored is what the upstream sent up to some piece and
// holds all that the client got, what is billed is what is stored, and every answer ends within 30 s. Only a server that
// is killed may have sent a little more than it had stored.
func TestEveryEndOfAStreamIsStoredAndBilledAsItWas(t *testing.T) {
	s, streams, clients := seed(t), 200, 20
	if long() {
		streams = 2000
	}
	c := newCluster(t, 3, newUpstreamOfEndings(t, 15*time.Millisecond))
	c.price(1_000)
	a := c.account("unlimited", 1_000_000_000)
	d := &driver{cluster: c, key: a.Key}
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			r := rand.New(rand.NewPCG(s, uint64(i)))
			for range streams / clients {
				d.note(d.askAndLeave(r, d.next()))
			}
		})
	}
	asked, killed := make(chan struct{}), rand.New(rand.NewPCG(s, 1<<33))
	go func() { all.Wait(); close(asked) }()
	kills := 0
	for working := true; working; {
		select {
		case <-asked:
			working = false
		case <-time.After(time.Duration(300+killed.IntN(700)) * time.Millisecond):
			i := killed.IntN(len(c.servers))
			c.kill(i)
			c.start(i)
			kills++
		}
	}
	c.checkEndings(t, a.ID, d.log)
	t.Logf("%d streams, %d kills", streams, kills)
}

// askAndLeave streams the answer to question n; it reads all of it, leaves or cancels after some events. A stream that its
// server leaves behind is not resumed.
func (d *driver) askAndLeave(r *rand.Rand, n int) saw {
	s := saw{n: n}
	body, _ := json.Marshal(map[string]any{"message": fmt.Sprintf("question %d", n), "stream": true})
	res, err := d.send(http.MethodPost, r.Int(), "/api/v1/chat", body, "")
	if err != nil {
		return s // its server is being started again
	}
	defer func() { _ = res.Body.Close() }()
	s.turn = res.Header.Get("Parley-Turn")
	events := everything
	act := r.IntN(3)
	if act > 0 {
		events = 1 + r.IntN(12)
	}
	d.follow(&s, res.Body, "", events)
	if act == 2 {
		if cancelled, err := d.send(http.MethodPost, r.Int(), "/api/v1/turns/"+s.turn+"/cancel", nil, ""); err == nil {
			_ = cancelled.Body.Close()
		}
	}
	return s
}

// ending is what is stored of a turn.
type ending struct {
	ID        string `db:"turn_id"`
	State     string `db:"state"`
	Answer    string `db:"answer"`
	Question  string `db:"question"`
	Entries   int    `db:"entries"`
	Output    int64  `db:"output_tokens"`
	Estimated bool   `db:"estimated"`
	Cost      int64  `db:"cost_micros"`
	TakenOver bool   `db:"taken_over"`
}

func (c *cluster) checkEndings(t *testing.T, accountID string, log []saw) {
	t.Helper()
	raw := c.raw(t)
	c.awaitEnds(t, raw, accountID)
	var rows []ending
	if err := raw.Select(&rows, `
		select t.turn_id, t.state, t.cost_micros, t.output_tokens, t.estimated, t.generation > 0 as taken_over,
			coalesce((select m.content from messages m where m.account_id = t.account_id and m.turn_id = t.turn_id and m.role = 'assistant'), '') as answer,
			(select m.content from messages m where m.account_id = t.account_id and m.turn_id = t.turn_id and m.role = 'user') as question,
			(select count(*) from ledger l where l.account_id = t.account_id and l.turn_id = t.turn_id and l.kind = 'usage'
				and l.output_tokens = t.output_tokens and l.amount_micros = t.cost_micros) as entries
		from turns t
		where t.account_id = $1`, accountID); err != nil {
		t.Fatal(err)
	}
	got, states := map[string]string{}, map[string]int{}
	for _, seen := range log {
		got[seen.turn] = seen.text
	}
	for _, row := range rows {
		states[row.State]++
		row.check(t, got[row.ID])
	}
	c.checkMoney(t)
	if states["completed"] == 0 || states["failed"] == 0 || states["cancelled"] == 0 {
		t.Errorf("the turns ended as %v: the campaign tested too little", states)
	}
	t.Logf("%d turns: %v", len(rows), states)
}

func (e ending) check(t *testing.T, got string) {
	t.Helper()
	var n int
	if _, err := fmt.Sscanf(e.Question, "question %d", &n); err != nil {
		t.Fatal(err)
	}
	sent := answerText(n)
	counted, output := int64(tokens.Count("faulty", e.Answer)), e.Output
	_, reported := usageOf(n)
	switch {
	case !strings.HasPrefix(sent, e.Answer), e.State == "completed" && e.Answer != sent:
		t.Errorf("question %d, %s: stored %q", n, e.State, e.Answer)
	case !strings.HasPrefix(sent, got), !e.TakenOver && !strings.HasPrefix(e.Answer, got):
		t.Errorf("question %d, %s: its client got %q, stored is %q", n, e.State, got, e.Answer)
	case e.Entries != 1:
		t.Errorf("question %d, %s: %d usage entries of what it cost", n, e.State, e.Entries)
	case e.Estimated && output != counted, !e.Estimated && output != 0 && output != reported:
		t.Errorf("question %d, %s: billed %d tokens, estimated %v; stored are %d, reported were %d", n, e.State, output, e.Estimated, counted, reported)
	case e.State == "completed" && e.Estimated == (n%endings == endsWhole):
		t.Errorf("question %d completed: estimated %v", n, e.Estimated)
	case e.Answer != "" && e.Cost == 0:
		t.Errorf("question %d, %s: %q costs nothing", n, e.State, e.Answer)
	}
}

// awaitEnds waits until no turn of the account runs.
func (c *cluster) awaitEnds(t *testing.T, raw *sqlx.DB, accountID string) {
	t.Helper()
	eventually(t, "all turns end", 30*time.Second, func() bool {
		var running int
		if err := raw.Get(&running, `select count(*) from turns where account_id = $1 and state = 'running'`, accountID); err != nil {
			t.Fatal(err)
		}
		return running == 0
	})
}
