package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// attempt is a request with an Idempotency-Key.
type attempt struct {
	account, key string
	question     int // 0: a body that the document refuses
}

// outcome is what its client knows of it.
type outcome struct {
	kind string
	turn string // of whole and begun
	text string // of whole
}

const (
	whole   = "whole"     // the answer, to its end
	begun   = "begun"     // a stream that its client left or lost, or that told of a failure
	refused = "refused"   // 422: the key belongs to another body
	busy    = "in flight" // 409, where the first request cannot be joined
	invalid = "invalid"   // 400
	unknown = "unknown"   // no answer, or 503
)

// register is what a key stands for.
type register struct {
	question int // 0: nothing yet
	final    bool
	turn     string // of a final one
	text     string
}

// onceModel is a register for each key of each account: it is written by the first request that
// takes it and read by all others. Until an answer was seen whole, the turn may have failed without making anything, which gives the key back.
var onceModel = (&porcupine.NondeterministicModel{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, o := range history {
			in := o.Input.(attempt)
			byKey[in.account+" "+in.key] = append(byKey[in.account+" "+in.key], o)
		}
		var parts [][]porcupine.Operation
		for _, part := range byKey {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() []any { return []any{register{}} },
	Step: func(state, in, out any) []any {
		var next []any
		for _, r := range step(state.(register), in.(attempt), out.(outcome)) {
			next = append(next, r)
		}
		return next
	},
})

func step(r register, in attempt, out outcome) []register {
	taken, own := r.question != 0, r.question == in.question
	switch out.kind {
	case invalid:
		return only(in.question == 0, r)
	case refused:
		return only(taken && !own, r)
	case busy:
		return only(taken, r)
	case whole:
		if r.final {
			return only(own && r.turn == out.turn && r.text == out.text, r)
		}
		return []register{{in.question, true, out.turn, out.text}}
	case begun:
		if r.final {
			return only(own && r.turn == out.turn, r)
		}
		return []register{{question: in.question}}
	}
	if r.final || in.question == 0 {
		return []register{r}
	}
	return []register{r, {question: in.question}}
}

func only(legal bool, r register) []register {
	if !legal {
		return nil
	}
	return []register{r}
}

// Clients insist, with one Idempotency-Key for each question, on any server, some with another body, some with one that the
// document refuses; they leave before the answer or in the middle of it, and servers are killed. Each key has one answer, the same for everybody, for ever.
func TestRequestsThatAreRepeatedAreServedOnce(t *testing.T) {
	s, rounds, kills := seed(t), 30, 5
	if long() {
		rounds, kills = 300, 40
	}
	c := newCluster(t, 3, newUpstream(t, 6*time.Millisecond))
	c.price(1_000)
	accounts := []account{c.account("unlimited", 1_000_000_000), c.account("unlimited", 1_000_000_000)}
	h := &history{began: time.Now()}
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(s, uint64(i)))
			for round := range rounds {
				a, n := accounts[r.IntN(2)], 1+round/3*4+r.IntN(4) // keys of a few rounds are wanted by all at once
				in := attempt{account: a.ID, key: fmt.Sprint("key-", n), question: n}
				switch r.IntN(8) {
				case 0:
					in.question = n + 1_000_000
				case 1:
					in.question = 0
				}
				h.add(i, in, func() outcome { return c.attempt(r, a.Key, in, n%2 == 0) })
			}
		})
	}
	k := rand.New(rand.NewPCG(s, 1<<34))
	for range kills {
		<-time.After(time.Duration(200+k.IntN(800)) * time.Millisecond)
		i := k.IntN(len(c.servers))
		c.kill(i)
		c.start(i)
	}
	all.Wait()
	for _, a := range accounts {
		c.awaitEnds(t, c.raw(t), a.ID)
		c.checkOnce(t, a.ID)
	}
	h.check(t)
	if said := c.logged("cause=\"idempotency key was taken meanwhile\""); said != 0 {
		t.Errorf("%d requests that were answered by another one's answer were logged as faults", said)
	}
}

// logged is how many lines of the servers' logs hold a text.
func (c *cluster) logged(text string) int {
	names, err := filepath.Glob(filepath.Join(c.logs, "server-*"))
	if err != nil {
		c.t.Fatal(err)
	}
	lines := 0
	for _, name := range names {
		said, err := os.ReadFile(name)
		if err != nil {
			c.t.Fatal(err)
		}
		lines += strings.Count(string(said), text)
	}
	return lines
}

// history is what all clients did, by their own clocks, which are one.
type history struct {
	began time.Time
	mu    sync.Mutex
	done  []porcupine.Operation
}

func (h *history) add(client int, in attempt, do func() outcome) {
	call := time.Since(h.began).Nanoseconds()
	out := do()
	end := time.Since(h.began).Nanoseconds()
	if out.kind == unknown {
		end = math.MaxInt64 // what came of it may come later
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = append(h.done, porcupine.Operation{ClientId: client, Input: in, Call: call, Output: out, Return: end})
}

func (h *history) check(t *testing.T) {
	t.Helper()
	kinds := map[string]int{}
	for _, o := range h.done {
		kinds[o.Output.(outcome).kind]++
	}
	for _, kind := range []string{whole, begun, refused, invalid, unknown} {
		if kinds[kind] == 0 {
			t.Errorf("nobody saw %q: the campaign tested too little: %v", kind, kinds)
		}
	}
	if result := porcupine.CheckOperationsTimeout(onceModel.ToModel(), h.done, time.Minute); result != porcupine.Ok {
		t.Errorf("the history is %s", result)
		for _, o := range h.done {
			t.Logf("%9d-%9d %+v: %+v", o.Call/1000, o.Return/1000, o.Input, o.Output)
		}
	}
	t.Logf("%d requests: %v", len(h.done), kinds)
}

// attempt sends a request and waits, or leaves after a while or in the middle of a stream.
func (c *cluster) attempt(r *rand.Rand, key string, in attempt, streamed bool) outcome {
	ctx, leave := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer leave()
	events := everything
	switch r.IntN(4) {
	case 0:
		ctx, leave = context.WithTimeout(ctx, time.Duration(1+r.IntN(60))*time.Millisecond)
		defer leave()
	case 1:
		events = 1 + r.IntN(4)
	}
	body := map[string]any{"message": fmt.Sprintf("question %d", in.question), "stream": streamed}
	if in.question == 0 {
		body["message"] = 7
	}
	raw, _ := json.Marshal(body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url(r.Int())+"/api/v1/chat", bytes.NewReader(raw))
	if err != nil {
		return outcome{kind: unknown}
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", in.key)
	res, err := c.http.Do(req)
	if err != nil {
		return outcome{kind: unknown}
	}
	defer func() { _ = res.Body.Close() }()
	switch res.StatusCode {
	case http.StatusOK:
		return read(res, streamed, events)
	case http.StatusUnprocessableEntity:
		return outcome{kind: refused}
	case http.StatusConflict:
		return outcome{kind: busy}
	case http.StatusBadRequest:
		return outcome{kind: invalid}
	}
	return outcome{kind: unknown}
}

func read(res *http.Response, streamed bool, events int) outcome {
	s := saw{turn: res.Header.Get("Parley-Turn")}
	if streamed {
		(&driver{}).follow(&s, res.Body, "", events)
	} else {
		var answer struct {
			Success bool   `json:"success"`
			Content string `json:"content"`
		}
		raw, err := io.ReadAll(res.Body)
		s.complete = err == nil && json.Unmarshal(raw, &answer) == nil && answer.Success
		s.text = answer.Content
	}
	if !s.complete {
		return outcome{kind: begun, turn: s.turn}
	}
	return outcome{kind: whole, turn: s.turn, text: s.text}
}

// The model itself tells a history in which a key has two answers from one in which it has one.
func TestTheModelKnowsAnswersThatAreNotOne(t *testing.T) {
	t.Parallel()
	in := attempt{account: "a", key: "k", question: 1}
	at := func(call int64, in attempt, out outcome) porcupine.Operation {
		return porcupine.Operation{Input: in, Call: call, Output: out, Return: call + 5}
	}
	first := at(0, in, outcome{whole, "turn_1", "x"})
	for name, c := range map[string]struct {
		second porcupine.Operation
		legal  bool
	}{
		"the same answer":          {at(10, in, outcome{whole, "turn_1", "x"}), true},
		"another turn":             {at(10, in, outcome{whole, "turn_2", "x"}), false},
		"another text":             {at(10, in, outcome{whole, "turn_1", "y"}), false},
		"another body refused":     {at(10, attempt{"a", "k", 2}, outcome{kind: refused}), true},
		"another body served":      {at(10, attempt{"a", "k", 2}, outcome{whole, "turn_2", "x"}), false},
		"another account's served": {at(10, attempt{"b", "k", 2}, outcome{whole, "turn_2", "x"}), true},
	} {
		if got := porcupine.CheckOperations(onceModel.ToModel(), []porcupine.Operation{first, c.second}); got != c.legal {
			t.Errorf("%s: legal is %v", name, got)
		}
	}
}
