package apitest_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"parley/db"
	"parley/gen/client/characters"
	"parley/impl/core/model"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

func (x tenant) get(t *testing.T, path string, into any) testkit.Response {
	t.Helper()
	got := x.do(t, testkit.Request{Path: path}).Want(t, http.StatusOK)
	got.JSON(t, into)
	return got
}

func TestAgeStandsInFrontOfTheAppearance(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	for body, want := range map[string]string{
		`{"name":"A","age":35,"appearance_prompt":"Professional"}`: "35 years old, Professional",
		`{"name":"A","age":18}`:                           "18 years old, ",
		`{"name":"A","age":35.5,"appearance_prompt":"x"}`: "35.5 years old, x",
		`{"name":"A","appearance_prompt":"Tall"}`:         "Tall",
		`{"name":"A"}`: "",
	} {
		var made, got, listed characters.Agent
		created := x.do(t, testkit.Request{Path: "/api/v1/agents", Body: body}).Want(t, http.StatusCreated)
		created.JSON(t, &made)
		x.get(t, created.Header.Get("Location"), &got)
		var list characters.AgentList
		x.get(t, "/api/v1/agents?limit=1", &list)
		listed = list[0]
		for _, a := range []characters.Agent{made, got, listed} {
			if a.AppearancePrompt != want || a.ID != made.ID {
				t.Errorf("%s: appearance %q of %s, want %q", body, a.AppearancePrompt, a.ID, want)
			}
		}
	}
	for _, age := range []string{"17", "17.99", "-1", "0", `"35"`} {
		x.do(t, testkit.Request{Path: "/api/v1/agents", Body: `{"name":"A","age":` + age + `}`}).Want(t, http.StatusBadRequest)
	}
}

func TestInitialMessagesAreStoredInOrderAndNotAnswered(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t)
	var said []map[string]string
	for i := range 20 {
		said = append(said, map[string]string{"role": []string{"system", "user", "agent", "assistant"}[i%4], "content": fmt.Sprint("message ", i)})
	}
	var made characters.Conversation
	created := x.do(t, testkit.Request{Path: "/api/v1/conversations", Body: map[string]any{
		"title": "T", "llm_id": testkit.UpstreamModel, "system_prompt": "Be brief.", "messages": said,
	}}).Want(t, http.StatusCreated)
	created.JSON(t, &made)
	if created.Header.Get("Location") != "/api/v1/conversations/"+made.ID || made.AgentID != nil {
		t.Errorf("created %+v at %s", made, created.Header.Get("Location"))
	}
	var stored characters.MessageList
	x.get(t, "/api/v1/conversations/"+made.ID+"/messages", &stored)
	if len(stored) != 20 || len(u.Received()) != 0 {
		t.Fatalf("%d messages stored, %d answered", len(stored), len(u.Received()))
	}
	for i, m := range stored {
		role := strings.Replace(said[i]["role"], "assistant", "agent", 1)
		if m.Content != said[i]["content"] || string(m.Role) != role {
			t.Errorf("message %d is %s: %s", i, m.Role, m.Content)
		}
	}
	x.send(t, made.ID, `{"content":"And now?"}`)
	got := prompt(u.Received()[0])
	// Prompts that follow each other are one: some upstreams take no second.
	if len(got) != 21 || got[0] != "system: Be brief.\n\nmessage 0" || got[2] != "assistant: message 2" || got[20] != "user: And now?" {
		t.Errorf("the model saw %q", got)
	}
}

// send sends a message to a conversation and returns the answer.
func (x tenant) send(t *testing.T, conversationID, body string) characters.Message {
	t.Helper()
	var m characters.Message
	x.do(t, testkit.Request{Path: "/api/v1/conversations/" + conversationID + "/messages", Body: body}).Want(t, http.StatusCreated).JSON(t, &m)
	return m
}

func TestVerboseShowsTheModelsOwnReasoningAndNeverInventsAny(t *testing.T) {
	t.Parallel()
	for _, member := range []string{"reasoning_content", "reasoning"} {
		x := newTenant(t)
		x.Upstream(t, providertest.Reasoning(member, "They greet me.", "Hello."))
		plain := x.send(t, x.id(t, "conversation_id"), `{"content":"Hi","llm_id":"upstream-model"}`)
		verbose := x.send(t, x.id(t, "conversation_id"), `{"content":"Hi","llm_id":"upstream-model","verbose":true}`)
		builtIn := x.send(t, x.id(t, "conversation_id"), `{"content":"Hi","verbose":true}`)
		if plain.ThoughtProcess != nil || builtIn.ThoughtProcess != nil {
			t.Errorf("%s: a thought process nobody asked for or had: %v, %v", member, plain.ThoughtProcess, builtIn.ThoughtProcess)
		}
		if verbose.ThoughtProcess == nil || *verbose.ThoughtProcess != "They greet me." || verbose.Content != "Hello." {
			t.Errorf("%s: verbose answer %+v", member, verbose)
		}
	}
}

func TestStreamedThoughtsComeOnlyWhenVerbose(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t, providertest.Reasoning("reasoning_content", "They greet me.", "Hel", "lo."))
	c := x.server.Client(t, x.key.Text)
	for _, verbose := range []bool{false, true} {
		var names []string
		var text, thought string
		var whole *characters.Message
		body := characters.MessageSend{Content: "Hi", Verbose: &verbose, LLMID: ptr(testkit.UpstreamModel)}
		for e, err := range c.Characters.StreamSendMessage(t.Context(), x.id(t, "conversation_id"), body) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, e.Event)
			switch {
			case e.Delta != nil:
				text += e.Delta.Content
			case e.Thought != nil:
				thought += e.Thought.Content
			case e.Message != nil:
				whole = e.Message
			}
		}
		if text != "Hello." || whole == nil || whole.Content != text || (thought != "") != verbose || (whole.ThoughtProcess != nil) != verbose {
			t.Errorf("verbose %t: events %v, text %q, thought %q, message %+v", verbose, names, text, thought, whole)
		}
	}
}

func ptr[T any](v T) *T { return &v }

func TestMessageMayNameAnotherModel(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t, providertest.SSE("From upstream."))
	id := x.id(t, "conversation_id")
	one := x.send(t, id, `{"content":"One"}`)
	two := x.send(t, id, `{"content":"Two","llm_id":"upstream-model"}`)
	three := x.send(t, id, `{"content":"Three"}`)
	if two.Content != "From upstream." || one.Content == two.Content || three.Content == two.Content || len(u.Received()) != 1 {
		t.Errorf("answers %q, %q, %q", one.Content, two.Content, three.Content)
	}
	if u.Received()[0].Body["model"] != testkit.UpstreamModel {
		t.Errorf("the upstream was asked for %v", u.Received()[0].Body["model"])
	}
	if got := prompt(u.Received()[0]); len(got) != 3 {
		t.Errorf("the other model saw %q", got)
	}
	var c characters.Conversation
	x.get(t, "/api/v1/conversations/"+id, &c)
	if c.LLMID != model.BuiltInLLM {
		t.Errorf("the conversation's model became %s", c.LLMID)
	}
}

func TestCompletionStoresNoText(t *testing.T) {
	t.Parallel()
	x, canary := tenantWith(t, "conversation_id"), testkit.Canary()
	u := x.Upstream(t, providertest.SSE("answer "+canary))
	body := map[string]any{"llm_id": testkit.UpstreamModel, "messages": []any{map[string]any{"role": "user", "content": "prompt " + canary}}}
	x.do(t, testkit.Request{Path: "/api/v1/completions", Body: body}).Want(t, http.StatusOK)
	x.wantNoConversation(t)
	if len(u.Received()) != 1 {
		t.Errorf("the model was asked %d times", len(u.Received()))
	}
	if tables := tablesWith(t, x.server, "prompt "+canary); len(tables) > 0 {
		t.Errorf("the prompt of a completion is stored in %v", tables)
	}
}

func (x tenant) wantNoConversation(t *testing.T) {
	t.Helper()
	var list characters.ConversationList
	x.get(t, "/api/v1/conversations", &list)
	if len(list) != 1 || list[0].ID != x.id(t, "conversation_id") {
		t.Errorf("a conversation appeared: %+v", list)
	}
}

// Pages follow Link to the end, without gaps or repetitions, in the list's order.
func TestListsArePagedByLinks(t *testing.T) {
	t.Parallel()
	x := tenantWith(t, "agent_id")
	for i := range 6 {
		x.Agent(t, func(a *db.Agent) { a.Name = fmt.Sprint(i) })
		x.Conversation(t, nil)
		x.Model(t, func(m *db.Model) { m.Rank = 5_000_000 + i/3 })
	}
	messages := make([]db.Message, 7)
	for i := range messages {
		messages[i] = db.Message{Role: "user", Content: fmt.Sprint(i)}
	}
	long := x.Conversation(t, nil, messages...)
	for _, path := range []string{"/api/v1/agents", "/api/v1/conversations", "/api/v1/models?type=llm", "/api/v1/conversations/" + long.ID + "/messages"} {
		whole, next := x.page(t, path)
		if next != "" || len(whole) < 7 {
			t.Errorf("%s: %d items and a next page %q", path, len(whole), next)
		}
		for _, limit := range []int{1, 3, len(whole), len(whole) + 1} {
			var got []string
			for next := withLimit(path, limit); next != ""; {
				var ids []string
				if ids, next = x.page(t, next); len(ids) > limit {
					t.Errorf("%s: a page of %d, want at most %d", path, len(ids), limit)
				}
				got = append(got, ids...)
			}
			if !slices.Equal(got, whole) {
				t.Errorf("%s by %d: %v, want %v", path, limit, got, whole)
			}
		}
	}
}

func withLimit(path string, limit int) string {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return fmt.Sprintf("%s%slimit=%d", path, separator, limit)
}

// page returns the ids of a page and where its Link header leads.
func (x tenant) page(t *testing.T, path string) (ids []string, next string) {
	t.Helper()
	var items []struct {
		ID string `json:"id"`
	}
	got := x.get(t, path, &items)
	for _, item := range items {
		ids = append(ids, item.ID)
	}
	link := got.Header.Get("Link")
	if link == "" {
		return ids, ""
	}
	address, rest, _ := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	if rest != `; rel="next"` {
		t.Fatalf("Link is %q", link)
	}
	return ids, address
}

func TestNewestComeFirst(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	var want []string
	for range 3 {
		var made characters.Agent
		x.do(t, testkit.Request{Path: "/api/v1/agents", Body: `{"name":"A"}`}).Want(t, http.StatusCreated).JSON(t, &made)
		want = append([]string{made.ID}, want...)
	}
	if got, _ := x.page(t, "/api/v1/agents?limit=3"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A cursor is a position: any text is one.
func TestAnyCursorIsAccepted(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	for _, path := range []string{"/api/v1/agents?", "/api/v1/conversations?", "/api/v1/models?type=llm&", "/api/v1/conversations/" + x.id(t, "conversation_id") + "/messages?"} {
		for _, cursor := range []string{"a", "9223372036854775808", "-5", "1:2:3", "99999999999:x", "%27%20or%201=1--", "%F0%9F%98%80", strings.Repeat("z", 200)} {
			x.do(t, testkit.Request{Path: path + "cursor=" + cursor}).Want(t, http.StatusOK)
		}
	}
}

func TestModelsShowTheirPrice(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Model(t, testkit.Priced(1, 60_123), func(m *db.Model) { m.ID, m.Rank = "llm-priced", 1 })
	x.Model(t, func(m *db.Model) { m.ID, m.Kind, m.ImageMicros, m.Rank = "sd-priced", model.KindSD, 20_000, 1 })
	x.Model(t, func(m *db.Model) { m.ID, m.Enabled = "disabled", false })
	var llm, sd characters.ModelList
	x.get(t, "/api/v1/models?type=llm", &llm)
	x.get(t, "/api/v1/models?type=sd", &sd)
	if m := llm[0]; m.ID != "llm-priced" || *m.CostPer1KTokens != 0.060123 || *m.MaxContext != 8192 || m.CostPerImage != nil {
		t.Errorf("llm %+v", m)
	}
	if m := sd[0]; m.ID != "sd-priced" || *m.CostPerImage != 0.02 || m.MaxContext != nil || m.CostPer1KTokens != nil {
		t.Errorf("sd %+v", m)
	}
	for _, m := range append(llm, sd...) {
		if m.ID == "disabled" {
			t.Error("a disabled model is listed")
		}
	}
}
