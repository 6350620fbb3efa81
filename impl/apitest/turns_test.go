package apitest_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"parley/gen/client/turns"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// streams are the requests that begin a stream, by name.
func (x tenant) streams(conversationID string) map[string]testkit.Request {
	return map[string]testkit.Request{
		"webchat":                    {Path: "/api/v1/chat", Body: `{"message":"Hi","stream":true}`},
		"completion":                 {Path: "/api/v1/completions", Body: `{"llm_id":"` + testkit.UpstreamModel + `","messages":[{"role":"user","content":"Hi"}],"stream":true}`},
		"message":                    {Path: "/api/v1/conversations/" + conversationID + "/messages", Body: `{"content":"Hi","stream":true}`},
		"chat completion":            {Path: "/v1/chat/completions", Body: `{"model":"` + testkit.UpstreamModel + `","messages":[{"role":"user","content":"Hi"}],"stream":true}`},
		"chat completion with usage": {Path: "/v1/chat/completions", Body: `{"model":"` + testkit.UpstreamModel + `","messages":[{"role":"user","content":"Hi"}],"stream":true,"stream_options":{"include_usage":true}}`},
		"response":                   {Path: "/v1/responses", Body: `{"model":"` + testkit.UpstreamModel + `","input":"Hi","stream":true}`},
		"message, verbosely":         {Path: "/api/v1/conversations/" + conversationID + "/messages", Body: `{"content":"Hi","stream":true,"verbose":true}`},
	}
}

func (x tenant) conversationWith(t *testing.T, llm string) string {
	t.Helper()
	var made struct{ ID string }
	x.do(t, testkit.Request{Path: "/api/v1/conversations", Body: map[string]any{"title": "T", "llm_id": llm}}).Want(t, http.StatusCreated).JSON(t, &made)
	return made.ID
}

// after cuts a stream behind the event with a number.
func after(stream string, n int) string {
	_, rest, _ := strings.Cut(stream, fmt.Sprintf("id: %d\n\n", n))
	return rest
}

func TestResumedStreamsHaveTheBytesOfTheFirst(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t, providertest.Reasoning("reasoning_content", "hmm", "One", " two", " three"))
	for name, request := range x.streams(x.conversationWith(t, testkit.UpstreamModel)) {
		t.Run(name, func(t *testing.T) {
			first := x.do(t, request)
			events := "/api/v1/turns/" + first.Header.Get("Parley-Turn") + "/events"
			whole := string(first.Body)
			if got := x.do(t, testkit.Request{Path: events}).Want(t, http.StatusOK); string(got.Body) != whole {
				t.Errorf("replay %q, first %q", got.Body, whole)
			}
			last := strings.Count(whole, "\nid: ")
			for n := range last {
				if want := after(whole, n+1); want != "" {
					got := x.do(t, testkit.Request{Path: fmt.Sprintf("%s?after=%d", events, n+1)})
					if string(got.Body) != want {
						t.Errorf("after %d: %q, want %q", n+1, got.Body, want)
					}
				}
			}
		})
	}
}

func TestBadCursorsHaveDefinedAnswers(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t, providertest.SSE("One", " two"))
	first := x.do(t, testkit.Request{Path: "/api/v1/chat", Body: `{"message":"Hi","stream":true}`})
	whole := string(first.Body)
	end := whole[strings.Index(whole, "event: end"):]
	events := "/api/v1/turns/" + first.Header.Get("Parley-Turn") + "/events"
	for _, c := range []struct {
		query, header string
		status        int
		body          string
	}{
		{"?after=0", "", 200, whole},
		{"?after=1", "2", 200, after(whole, 1)},
		{"", "1", 200, after(whole, 1)},
		{"?after=3", "", 200, end},
		{"?after=4000", "", 200, end},
		{"?after=9007199254740991", "", 200, end},
		{"?after=9007199254740992", "", 400, ""},
		{"?after=-1", "", 400, ""},
		{"?after=one", "", 400, ""},
		{"?after=", "", 400, ""},
		{"?after=1&after=2", "", 400, ""},
		{"", "-1", 400, ""},
		{"", "one", 400, ""},
	} {
		request := testkit.Request{Path: events + c.query}
		if c.header != "" {
			request.Header = map[string]string{"Last-Event-ID": c.header}
		}
		got := x.do(t, request)
		if got.Status != c.status || (c.status == 200 && string(got.Body) != c.body) {
			t.Errorf("%q with %q: %d %q, want %d %q", c.query, c.header, got.Status, got.Body, c.status, c.body)
		}
	}
}

func TestAnAnswerOutlivesItsConnectionAndIsFollowedFromAnother(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	gate := make(chan struct{})
	x.Upstream(t, func(e *providertest.Exchange) {
		e.Start()
		e.Event(providertest.Chunk(map[string]any{"content": "One"}, ""))
		<-gate
		e.Event(providertest.Chunk(map[string]any{"content": " two"}, "stop"))
		e.Event("[DONE]")
	})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, x.server.URL+"/api/v1/chat", strings.NewReader(`{"message":"Hi","stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+x.key.Text)
	request.Header.Set("Content-Type", "application/json")
	first, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(first.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	_ = first.Body.Close() // the client goes away in mid-stream
	turnID := first.Header.Get("Parley-Turn")
	var running turns.Turn
	x.get(t, "/api/v1/turns/"+turnID, &running)
	if running.Status != "running" || running.EndedAt != nil {
		t.Errorf("turn %+v", running)
	}
	close(gate)
	followed := x.do(t, testkit.Request{Path: "/api/v1/turns/" + turnID + "/events"}).Want(t, http.StatusOK)
	var ended turns.Turn
	x.get(t, "/api/v1/turns/"+turnID, &ended)
	if ended.Status != "completed" || !strings.Contains(string(followed.Body), `{"content":" two"}`) {
		t.Errorf("turn %+v, stream %q", ended, followed.Body)
	}
}

func TestCancelReachesTheUpstreamAndEndsTheStream(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t, providertest.HangAfter("Half", " an"))
	x.Price(t, testkit.UpstreamModel, 1_000, 1_000)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, x.server.URL+"/api/v1/chat", strings.NewReader(`{"message":"Hi","stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+x.key.Text)
	request.Header.Set("Content-Type", "application/json")
	first, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Body.Close()
	in := bufio.NewReader(first.Body)
	for line := ""; !strings.Contains(line, "an"); {
		if line, err = in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	cancelled := x.do(t, testkit.Request{Method: http.MethodPost, Path: "/api/v1/turns/" + first.Header.Get("Parley-Turn") + "/cancel"}).Want(t, http.StatusOK)
	var got turns.Turn
	cancelled.JSON(t, &got)
	<-u.Gone
	rest, err := io.ReadAll(in)
	if err != nil || !strings.Contains(string(rest), "event: error") || !strings.Contains(string(rest), "event: end") {
		t.Errorf("the stream goes on with %q, %v", rest, err)
	}
	if got.Status != "cancelled" || !got.Usage.Estimated || got.Usage.OutputTokens == 0 || got.Usage.Cost == 0 || got.Error == nil {
		t.Errorf("turn %+v", got)
	}
	if m := x.Money(t); m.HeldMicros != 0 || m.SpentMicros == 0 {
		t.Errorf("money %+v", m)
	}
	again := x.do(t, testkit.Request{Method: http.MethodPost, Path: "/api/v1/turns/" + got.ID + "/cancel"}).Want(t, http.StatusOK)
	var same turns.Turn
	if again.JSON(t, &same); same.Usage != got.Usage || same.Status != got.Status {
		t.Errorf("cancelled twice: %+v, then %+v", got, same)
	}
}

func TestATurnIsSeenByWhoMayReadItsSurface(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	turnID := x.do(t, testkit.Request{Path: "/api/v1/chat", Body: `{"message":"Hi"}`}).Want(t, http.StatusOK).Header.Get("Parley-Turn")
	path := "/api/v1/turns/" + turnID
	for name, key := range map[string]struct {
		text   string
		status int
	}{
		"another app of the account":   {x.Key(t).Text, 200},
		"a key without the surface":    {x.Key(t, testkit.Scopes("characters")).Text, 404},
		"a publishable key elsewhere":  {x.Key(t, testkit.Publishable("https://a.example")).Text, 404},
		"a publishable key of the app": {x.Key(t, testkit.Publishable("https://a.example"), testkit.App(x.key.AppID)).Text, 404},
		"a key of another account":     {newTenant(t).key.Text, 404},
		"the key that began it":        {x.key.Text, 200},
	} {
		request := testkit.Request{Path: path, Key: key.text, Header: map[string]string{"Origin": "https://a.example"}}
		if got := x.server.Do(t, request); got.Status != key.status {
			t.Errorf("%s: %d, want %d", name, got.Status, key.status)
		}
	}
}

func TestAnErasedTurnHasNoStream(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	answer := x.do(t, testkit.Request{Path: "/api/v1/chat", Body: `{"message":"Hi"}`}).Want(t, http.StatusOK)
	var session struct {
		ID string `json:"session_id"`
	}
	answer.JSON(t, &session)
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: "/api/v1/sessions/" + session.ID}).Want(t, http.StatusOK)
	turnID := answer.Header.Get("Parley-Turn")
	x.do(t, testkit.Request{Path: "/api/v1/turns/" + turnID + "/events"}).Want(t, http.StatusNotFound)
	var kept turns.Turn
	if x.get(t, "/api/v1/turns/"+turnID, &kept); kept.Status != "completed" {
		t.Errorf("turn %+v", kept)
	}
}
