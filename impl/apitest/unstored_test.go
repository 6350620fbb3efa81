package apitest_test

import (
	"bufio"
	"net/http"
	"slices"
	"strings"
	"testing"

	"parley/gen/client/turns"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// With "store": false figures and money are kept, and not a word.
func TestNothingOfAnUnstoredAnswerIsKept(t *testing.T) {
	t.Parallel()
	for _, stream := range []bool{false, true} {
		x := newTenant(t)
		asked, said, thought := testkit.Canary(), testkit.Canary(), testkit.Canary()
		x.Upstream(t, providertest.Reasoning("reasoning", thought, said, " it is")) // reports 7 and 2 tokens
		x.Price(t, testkit.UpstreamModel, 1_000, 2_000)
		members := map[string]any{"stream": stream, "store": true, "messages": []any{map[string]any{"role": "user", "content": asked}}}
		x.complete(t, testkit.UpstreamModel, members).Want(t, http.StatusOK)
		if found := tablesWith(t, x.server, said); !slices.Equal(found, []string{"turn_events"}) {
			t.Errorf("a stored answer is in %q", found)
		}
		if _, err := sql(t, x.server).Exec(`delete from turn_events where account_id = $1`, x.ID); err != nil {
			t.Fatal(err)
		}
		members["store"] = false
		got := x.complete(t, testkit.UpstreamModel, members).Want(t, http.StatusOK)
		if !strings.Contains(string(got.Body), said) {
			t.Errorf("answer %s", got.Body)
		}
		for _, text := range []string{asked, said, thought} {
			if found := tablesWith(t, x.server, text); len(found) > 0 {
				t.Errorf("stream %v: the text is in %q", stream, found)
			}
		}
		if e := x.lastEntry(t); e.Amount != 11 || e.Input != 7 || e.Output != 2 {
			t.Errorf("booked %+v", e)
		}
		x.wantConserved(t)
		path := "/api/v1/turns/" + got.Header.Get("Parley-Turn")
		var turn turns.Turn
		if x.get(t, path, &turn); turn.Status != turns.TurnStatusCompleted || turn.Usage.TotalTokens != 9 {
			t.Errorf("turn %+v", turn)
		}
		if again := x.do(t, testkit.Request{Path: path + "/events"}).Want(t, http.StatusOK); stream && string(again.Body) != string(got.Body) {
			t.Errorf("resumed at once as %s, first %s", again.Body, got.Body)
		}
		stranger := newTenant(t)
		stranger.do(t, testkit.Request{Path: path + "/events"}).Want(t, http.StatusNotFound)
	}
}

// A repetition after the end finds no answer, and is not charged again.
func TestUnstoredAnswersAreNotRepeated(t *testing.T) {
	t.Parallel()
	for _, stream := range []bool{false, true} {
		x := newTenant(t)
		u := x.Upstream(t)
		x.Price(t, testkit.UpstreamModel, 1_000, 2_000)
		r := keyed(testkit.Request{Path: "/v1/chat/completions", Body: map[string]any{"model": testkit.UpstreamModel, "store": false, "stream": stream,
			"messages": []any{map[string]any{"role": "user", "content": "Hi"}}}}, "once")
		x.do(t, r).Want(t, http.StatusOK)
		again := x.do(t, r).Want(t, http.StatusConflict)
		if e := openaiError(t, again); e.Code != "result_not_stored" || len(u.Received()) != 1 || x.Money(t).SpentMicros != 11 {
			t.Errorf("answer %s, asked %d times, money %+v", again.Body, len(u.Received()), x.Money(t))
		}
	}
}

// While it is made an unstored answer is followed like any other, and stopped.
func TestUnstoredAnswersAreResumedWhileTheyAreMade(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	next := make(chan struct{})
	x.Upstream(t, func(e *providertest.Exchange) {
		e.Start()
		for _, piece := range []string{"One", " two"} {
			e.Event(providertest.Chunk(map[string]any{"content": piece}, ""))
			select {
			case <-next:
			case <-e.Request.Context().Done():
				return
			}
		}
		e.Event(providertest.Chunk(map[string]any{}, "stop"))
		e.Event("[DONE]")
	})
	first := x.open(t, http.MethodPost, "/v1/chat/completions", `{"model":"`+testkit.UpstreamModel+`","store":false,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`)
	readTo(t, first, "One")
	resumed := x.open(t, http.MethodGet, "/api/v1/turns/"+first.turnID+"/events?after=1", "")
	next <- struct{}{}
	next <- struct{}{}
	if text := readTo(t, resumed, "[DONE]"); strings.Contains(text, "One") || !strings.Contains(text, "two") {
		t.Errorf("resumed as %s", text)
	}
	readTo(t, first, "[DONE]")
	x.wantConserved(t)
}

// opened is a stream that is being read.
type opened struct {
	*bufio.Reader
	turnID string
}

func (x tenant) open(t *testing.T, method, path, body string) opened {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, x.server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+x.key.Text)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := x.server.HTTP(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: status %d", method, path, response.StatusCode)
	}
	return opened{Reader: bufio.NewReader(response.Body), turnID: response.Header.Get("Parley-Turn")}
}

// readTo reads up to the line that holds text.
func readTo(t *testing.T, stream opened, text string) string {
	t.Helper()
	var all strings.Builder
	for {
		line, err := stream.ReadString('\n')
		all.WriteString(line)
		if strings.Contains(line, text) {
			return all.String()
		}
		if err != nil {
			t.Fatalf("%q never came: %v: %s", text, err, all.String())
		}
	}
}
