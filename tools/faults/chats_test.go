package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/impl/core/failpoint"
)

// chatSteps is how many answers each chat's three agents give.
const chatSteps = 6

// chatCalls is how many of them call the tool that Ann has, once each.
const chatCalls = 2

// threeAgents is a group that speaks in order. Whoever speaks reads all that was said; Ann calls her tool first.
const threeAgents = `{"nodes":[{"id":"u","type":"user","data":{"name":"User","human_input_mode":"NEVER"}},
	{"id":"g","type":"groupchat","data":{"name":"Table","speaker_selection_method":"round_robin","max_round":6}},
	{"id":"a","type":"assistant","parentId":"g","data":{"name":"Ann","tools":{"llm":[%q]}}},{"id":"b","type":"assistant","parentId":"g","data":{"name":"Bob"}},
	{"id":"c","type":"assistant","parentId":"g","data":{"name":"Cid"}}],"edges":[{"source":"u","target":"g"}]}`

var chatMark = regexp.MustCompile(`chat-(\d+)!`)

// newChatUpstream answers with the number of messages that it read, so that a
// step that is lost, repeated or out of order shows in the texts.
func newChatUpstream(t *testing.T, pace time.Duration) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"object":"list","data":[{"id":"faulty","object":"model"}]}`)
	})
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Messages []struct{ Role, Content string }
			Tools    []any
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, `{"error":{"message":"bad"}}`, http.StatusBadRequest)
			return
		}
		said, name := 0, ""
		for _, m := range body.Messages {
			if m.Role == "system" || m.Content == "" || m.Role == "tool" {
				continue // also what Ann said by calling her tool
			}
			said++
			if mark := chatMark.FindString(m.Content); mark != "" && name == "" {
				name = mark
			}
		}
		w.Header().Set("Content-Type", "text/event-stream")
		if len(body.Tools) > 0 && body.Messages[len(body.Messages)-1].Role != "tool" {
			call := map[string]any{"index": 0, "id": "call_1", "type": "function", "function": map[string]any{"name": "note", "arguments": fmt.Sprintf(`{"step":"%s%d"}`, name, said)}}
			asked, _ := json.Marshal(chunk(map[string]any{"tool_calls": []any{call}}, nil))
			end, _ := json.Marshal(chunk(map[string]any{}, "tool_calls"))
			fmt.Fprintf(w, "data: %s\n\ndata: %s\n\ndata: [DONE]\n\n", asked, end)
			return
		}
		for _, piece := range []string{"step ", fmt.Sprint(said), " of ", name} {
			select {
			case <-time.After(pace):
			case <-r.Context().Done():
				return
			}
			raw, _ := json.Marshal(chunk(map[string]any{"content": piece}, nil))
			fmt.Fprintf(w, "data: %s\n\n", raw)
			_ = http.NewResponseController(w).Flush()
		}
		raw, _ := json.Marshal(chunk(map[string]any{}, "stop"))
		fmt.Fprintf(w, "data: %s\n\ndata: [DONE]\n\n", raw)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL + "/v1"
}

// notes is a tool's server: it knows under which keys each step was noted.
type notes struct {
	url   string
	mu    sync.Mutex
	keys  map[string]map[string]bool // by step
	calls int
}

func newNotes(t *testing.T) *notes {
	t.Helper()
	n := &notes{keys: map[string]map[string]bool{}}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		defer n.mu.Unlock()
		step := r.URL.Query().Get("step")
		if n.keys[step] == nil {
			n.keys[step] = map[string]bool{}
		}
		n.keys[step][r.Header.Get("Idempotency-Key")] = true
		n.calls++
	}))
	t.Cleanup(server.Close)
	n.url = server.URL
	return n
}

// check tells of steps that were not noted, or under several keys.
func (n *notes) check(t *testing.T, chats, deaths int) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	for step, keys := range n.keys {
		if len(keys) != 1 {
			t.Errorf("%s was noted under %d keys", step, len(keys))
		}
	}
	if want := chats * chatCalls; len(n.keys) != want || n.calls > want+deaths*chats {
		t.Errorf("%d steps noted by %d calls, want %d", len(n.keys), n.calls, want)
	}
	t.Logf("%d calls of the tool for %d steps", n.calls, len(n.keys))
}

// table makes chats of three agents and knows all of them.
type table struct {
	*cluster
	key, flow string

	mu    sync.Mutex
	chats []string // by number
}

// begin makes a chat through the first server and begins it through server i, or through the first when that dies.
func (x *table) begin(t *testing.T, i int) {
	var made struct{ ID string }
	x.mu.Lock()
	n := len(x.chats)
	x.chats = append(x.chats, "")
	x.mu.Unlock()
	x.call(t, http.MethodPost, "/chats", x.key, map[string]any{"name": "A chat", "from_flow": x.flow}, &made)
	x.mu.Lock()
	x.chats[n] = made.ID
	x.mu.Unlock()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		res, err := x.http.Do(x.request(http.MethodPost, i, "/chats/"+made.ID+"/messages", x.key, map[string]any{"message": fmt.Sprintf("Begin chat-%d!", n)}))
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK || res.StatusCode == http.StatusConflict { // the dead server had stored it
				return
			}
		}
		i = 0
		<-time.After(100 * time.Millisecond) // a server has just died
	}
	t.Errorf("chat %d is never begun", n)
}

// Servers die at every place that a step of a run comes by, and at random, while
// others go on. Every run ends with exactly the messages of its agents, each of
// one turn that completed and was paid once.
func TestRunsOfChatsSurviveTheirServers(t *testing.T) {
	armed := buildWithFailpoints(t)
	kills := 4
	if long() {
		kills = 50
	}
	c := newCluster(t, 2, newChatUpstream(t, 20*time.Millisecond))
	c.price(1_000)
	a := c.account("unlimited", 1_000_000_000)
	x := &table{cluster: c, key: a.Key}
	var flow, tool struct{ ID string }
	noted := newNotes(t)
	c.call(t, http.MethodPost, "/tools", a.Key, map[string]any{"name": "note", "http": map[string]any{
		"method": "GET", "url": noted.url, "parameters": map[string]any{"type": "object", "properties": map[string]any{"step": map[string]any{"type": "string"}}},
	}}, &tool)
	c.call(t, http.MethodPost, "/flows", a.Key, map[string]any{"name": "Three", "flow": json.RawMessage(fmt.Sprintf(threeAgents, tool.ID))}, &flow)
	x.flow = flow.ID
	c.servers = append(c.servers, make([]*process, len(failpoint.Chats))...)
	var all sync.WaitGroup
	for i, p := range failpoint.Chats {
		c.startAs(i+2, armed, "PARLEY_FAILPOINT="+string(p))
		all.Go(func() {
			for !c.dead(i + 2) {
				x.begin(t, i+2)
			}
		})
	}
	r := rand.New(rand.NewPCG(seed(t), 1))
	for range kills {
		for range 3 {
			x.begin(t, 1)
		}
		<-time.After(time.Duration(r.IntN(400)) * time.Millisecond)
		c.kill(1)
		c.start(1)
	}
	all.Wait()
	x.check(t, a.ID)
	noted.check(t, len(x.chats), kills+len(failpoint.Chats))
}

func (x *table) check(t *testing.T, accountID string) {
	t.Helper()
	raw := x.raw(t)
	eventually(t, "all runs end", 3*time.Minute, func() bool {
		var going int
		if err := raw.Get(&going, `select count(*) from chats where account_id = $1 and status not in ('completed', 'error')`, accountID); err != nil {
			t.Fatal(err)
		}
		return going == 0
	})
	for n, chatID := range x.chats {
		var state struct{ Status, Reason string }
		var texts []string
		err := errors.Join(raw.Get(&state, `select status, reason from chats where account_id = $1 and chat_id = $2`, accountID, chatID),
			raw.Select(&texts, `select sender || ': ' || content from chat_messages where account_id = $1 and chat_id = $2 order by seq`, accountID, chatID))
		want := []string{fmt.Sprintf("User: Begin chat-%d!", n)}
		for step := range chatSteps {
			want = append(want, fmt.Sprintf("%s: step %d of chat-%d!", []string{"Ann", "Bob", "Cid"}[step%3], step+1, n))
		}
		if err != nil || state.Status != "completed" || strings.Join(texts, "\n") != strings.Join(want, "\n") {
			t.Errorf("chat %d: %+v, %v\n%s", n, state, err, strings.Join(texts, "\n"))
		}
	}
	for what, query := range map[string]string{
		"chats whose completed turns are not as many as their answers": fmt.Sprintf(`select count(*) from (
			select 1 from chat_turns c join turns t using (account_id, turn_id) where c.account_id = $1 and t.state = 'completed' group by c.chat_id having count(*) <> %d) x`, chatSteps+chatCalls),
		"completed turns of no chat":     `select count(*) from turns t where t.account_id = $1 and t.state = 'completed' and not exists (select 1 from chat_turns c where c.account_id = $1 and c.turn_id = t.turn_id)`,
		"turns without one entry":        `select count(*) from turns t where t.account_id = $1 and 1 <> (select count(*) from ledger l where l.account_id = $1 and l.turn_id = t.turn_id and l.kind = 'usage')`,
		"events of chats with gaps":      `select count(*) from (select 1 from chat_events where account_id = $1 group by chat_id having count(*) <> max(seq)) x`,
		"accounts that still hold money": `select count(*) from accounts where account_id = $1 and held_micros <> 0`,
		"turns paid twice for one step":  `select count(*) from (select 1 from turns where account_id = $1 and idempotency_key is not null group by idempotency_key having count(*) filter (where cost_micros > 0 or state = 'completed') > 1) x`,
	} {
		var found int
		if err := raw.Get(&found, query, accountID); err != nil {
			t.Error(errors.Join(errors.New(what), err))
		} else if found != 0 {
			t.Errorf("%d %s", found, what)
		}
	}
	x.checkMoney(t)
	t.Logf("%d chats", len(x.chats))
}
