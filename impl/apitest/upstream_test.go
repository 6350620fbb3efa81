package apitest_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"parley/db"
	"parley/gen/client/characters"
	"parley/gen/client/webchat"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// The upstream's models are offered under their own ids, and the first answers
// wherever a request names none.
func TestOperatorsUpstreamIsDiscovered(t *testing.T) {
	t.Parallel()
	u := providertest.NewUpstream(t)
	u.AnswersModels(providertest.Models("zeta-large", "alpha-small"))
	s := testkit.New(t, testkit.WithUpstream(u.URL, "operators-key"))
	x := tenantOf(t, s, testkit.Unlimited, 0)
	var list characters.ModelList
	x.get(t, "/api/v1/models?type=llm&limit=2", &list)
	if len(list) != 2 || list[0].ID != "zeta-large" || list[1].ID != "alpha-small" || *list[0].CostPer1KTokens != 0 {
		t.Fatalf("models %+v", list)
	}
	answer := x.chat(t, "Hi", "")
	x.send(t, x.Conversation(t, func(c *db.Conversation) { c.ModelID = &list[1].ID }).ID, `{"content":"Hi"}`)
	asked := u.Received()
	if answer.Content != "Hello there" || asked[0].Body["model"] != "zeta-large" || asked[1].Body["model"] != "alpha-small" {
		t.Errorf("%q by %v, then %v", answer.Content, asked[0].Body["model"], asked[1].Body["model"])
	}
	if got := asked[0].Header.Get("Authorization"); got != "Bearer operators-key" {
		t.Errorf("the upstream was shown %q", got)
	}
	if answer.Usage.Cost != 0 {
		t.Errorf("a model without a price cost %v", answer.Usage.Cost)
	}
}

// Pieces reach the client while the upstream is still speaking.
func TestUpstreamIsStreamedEndToEnd(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	seen := make(chan struct{})
	x.Upstream(t, func(e *providertest.Exchange) {
		e.Start()
		for _, piece := range []string{"Ä", "rger", " 世界", "\n\ndata: {}", " 🙂"} {
			e.Event(providertest.Chunk(map[string]any{"content": piece}, ""))
			select {
			case <-seen: // the client has this piece before the next is said
			case <-e.Request.Context().Done():
				return
			}
		}
		e.Event(providertest.Chunk(map[string]any{}, "stop"))
		e.Event("[DONE]")
	})
	c := x.server.Client(t, x.key.Text)
	var pieces []string
	for event, err := range c.Webchat.StreamSendWebchatMessage(t.Context(), webchat.WebchatRequest{Message: "Hi"}) {
		if err != nil {
			t.Fatal(err)
		}
		if event.Message != nil {
			pieces = append(pieces, event.Message.Content)
			seen <- struct{}{}
		}
	}
	if want := []string{"Ä", "rger", " 世界", "\n\ndata: {}", " 🙂"}; !slices.Equal(pieces, want) {
		t.Errorf("got %q, want %q", pieces, want)
	}
}

func TestPersonaAndSystemPromptReachTheModel(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t)
	agent := x.Agent(t, func(a *db.Agent) { a.Name, a.PersonalityPrompt, a.Description = "Ada", "Precise", "A mathematician" })
	c := x.Conversation(t, func(c *db.Conversation) { c.AgentID, c.SystemPrompt = &agent.ID, "Answer in verse." })
	x.send(t, c.ID, `{"content":"Hi","llm_id":"upstream-model"}`)
	body := fmt.Sprintf(`{"llm_id":"upstream-model","agent_id":%q,"messages":[{"role":"system","content":"Answer in verse."},{"role":"user","content":"Hi"}]}`, agent.ID)
	x.do(t, testkit.Request{Path: "/api/v1/completions", Body: body}).Want(t, http.StatusOK)
	for i, r := range u.Received() {
		got := prompt(r)
		for _, want := range []string{"Ada", "Precise", "A mathematician", "Answer in verse."} {
			if !strings.HasPrefix(got[0], "system: ") || !strings.Contains(got[0], want) {
				t.Errorf("request %d: the prompt %q lacks %q", i, got, want)
			}
		}
		if last := got[len(got)-1]; last != "user: Hi" {
			t.Errorf("request %d ends with %q", i, last)
		}
	}
}

// What does not fit the model's context goes, the oldest first; prompts and the question stay.
func TestHistoryIsCutToTheModelsContext(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t)
	x.setModels(t, `context_tokens = 1000, max_output_tokens = 500`)
	var history []db.Message
	for i := range 30 {
		history = append(history, db.Message{Role: []string{"user", "assistant"}[i%2], Content: fmt.Sprint(i) + strings.Repeat(" word", 40)})
	}
	c := x.Conversation(t, func(c *db.Conversation) { c.SystemPrompt = "Be brief." }, history...)
	x.send(t, c.ID, `{"content":"The question","llm_id":"upstream-model"}`)
	got := prompt(u.Received()[0])
	if got[0] != "system: Be brief." || got[len(got)-1] != "user: The question" {
		t.Errorf("prompt %q", got)
	}
	// 1000 tokens less 500 for the answer hold about ten messages of some 45 tokens.
	if kept := len(got) - 2; kept < 8 || kept > 11 || !strings.HasPrefix(got[len(got)-2], "assistant: 29 ") {
		t.Errorf("%d of 30 messages were kept: %.20q", len(got)-2, got)
	}
	long := map[string]any{"content": strings.Repeat("word ", 900), "llm_id": testkit.UpstreamModel}
	x.wantNothingStored(t, func() {
		x.do(t, testkit.Request{Path: "/api/v1/conversations/" + c.ID + "/messages", Body: long}).Want(t, http.StatusRequestEntityTooLarge)
	})
}

// failures are what upstreams do, and what our callers are told: status,
// and whether Retry-After says when to come back.
var failures = map[string]struct {
	answer providertest.Answer
	status int
}{
	"bad request":      {providertest.Status(400, "bad", "no"), http.StatusBadGateway},
	"bad credentials":  {providertest.Status(401, "invalid_api_key", "no"), http.StatusBadGateway},
	"no such model":    {providertest.Status(404, "model_not_found", "no"), http.StatusBadGateway},
	"over its context": {providertest.Status(400, "context_length_exceeded", "too long"), http.StatusBadRequest},
	"too many":         {providertest.Status(429, "rate_limit_exceeded", "slow", "Retry-After", "7"), http.StatusServiceUnavailable},
	"busy":             {providertest.Status(503, "overloaded", "busy", "Retry-After", "7"), http.StatusServiceUnavailable},
	"cut":              {providertest.Cut("Half an"), http.StatusBadGateway},
	"closed early":     {providertest.CloseEarly("Half an"), http.StatusBadGateway},
	"rubbish": {func(e *providertest.Exchange) {
		e.Start()
		e.Event("{rubbish")
	}, http.StatusBadGateway},
	"endless line": {providertest.LongLine(4 << 20), http.StatusBadGateway},
}

func TestFailuresOfTheUpstreamAreClear(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"sendWebchatMessage", "sendMessage", "createCompletion"} {
		for name, f := range failures {
			t.Run(id+"/"+name, func(t *testing.T) {
				t.Parallel()
				x := newTenant(t)
				x.Upstream(t, f.answer)
				r := x.sample(t, testkit.OperationOf(id))
				body := r.Body.(map[string]any)
				delete(body, "session_id")
				if id != "sendWebchatMessage" {
					body["llm_id"] = testkit.UpstreamModel
				}
				got := x.do(t, r)
				if f.status == http.StatusServiceUnavailable {
					wantHeader(t, got, "Retry-After", "7")
				}
				if text := got.Error(t); got.Status != f.status || text == "" || strings.Contains(text, "rubbish") {
					t.Errorf("status %d, want %d: %s", got.Status, f.status, got.Body)
				}
				body["stream"] = true
				wantFailedStream(t, x.do(t, r), id)
			})
		}
	}
}

// wantFailedStream wants an error event and the terminal event.
func wantFailedStream(t *testing.T, got testkit.Response, operation string) {
	t.Helper()
	var names []string
	for _, e := range got.Events(t) {
		names = append(names, e.Name)
	}
	want := []string{"error"}
	if operation == "sendWebchatMessage" {
		want = []string{"error", "end"}
	}
	if len(names) < len(want) || !slices.Equal(names[len(names)-len(want):], want) {
		t.Errorf("streamed as %v, want %v at its end: %s", names, want, got.Body)
	}
}

// What was said before the stream broke is sent, kept and paid, no more.
func TestCutStreamKeepsItsPartialText(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t, providertest.Cut("Half an", " answer"))
	x.Price(t, testkit.UpstreamModel, 1000, 1_000_000)
	got := x.do(t, testkit.Request{Path: "/api/v1/chat", Body: map[string]any{"message": "Hi", "stream": true}})
	wantFailedStream(t, got, "sendWebchatMessage")
	var end struct {
		SessionID string `json:"session_id"`
	}
	events := got.Events(t)
	testkit.Response{Body: events[len(events)-1].Data}.JSON(t, &end)
	var history webchat.SessionHistory
	x.get(t, "/api/v1/sessions/"+end.SessionID, &history)
	if m := history.Session.Messages; len(m) != 2 || m[1].Content != "Half an answer" || string(m[1].Role) != "assistant" {
		t.Errorf("kept %+v", m)
	}
	x.wantConserved(t)
	if u := x.usage(t, "").Usage; u.TotalRequests != 1 || u.TotalOutputTokens < 3 || u.TotalCost == 0 {
		t.Errorf("booked %+v", u)
	}
}

// A model that never began to answer costs nothing.
func TestFailureBeforeTheFirstWordIsFree(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t, providertest.Status(401, "invalid_api_key", "no"))
	x.Price(t, testkit.UpstreamModel, 1_000_000, 1_000_000)
	x.do(t, testkit.Request{Path: "/api/v1/chat", Body: map[string]any{"message": "Hi"}}).Want(t, http.StatusBadGateway)
	if m := x.Money(t); m.BalanceMicros != plenty || m.HeldMicros != 0 {
		t.Errorf("money %+v", m)
	}
}
