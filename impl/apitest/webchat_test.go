package apitest_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"parley/db"
	"parley/gen/client"
	"parley/gen/client/webchat"
	"parley/impl/core/key"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// chat sends a message and returns the whole answer.
func (x tenant) chat(t *testing.T, message, sessionID string) webchat.WebchatAnswer {
	t.Helper()
	body := map[string]any{"message": message}
	if sessionID != "" {
		body["session_id"] = sessionID
	}
	var answer webchat.WebchatAnswer
	x.do(t, testkit.Request{Path: "/api/v1/chat", Body: body}).Want(t, http.StatusOK).JSON(t, &answer)
	return answer
}

// prompt is what an upstream was asked, as "role: content" lines.
func prompt(r providertest.Received) []string {
	var lines []string
	for _, m := range r.Body["messages"].([]any) {
		message := m.(map[string]any)
		lines = append(lines, message["role"].(string)+": "+message["content"].(string))
	}
	return lines
}

func TestSessionKeepsContextOverTurns(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t, providertest.SSE("Nice to meet you."), providertest.SSE("You are Grace."), providertest.SSE("Hello."))
	first := x.chat(t, "I am Grace.", "")
	second := x.chat(t, "Who am I?", first.SessionID)
	x.chat(t, "Who am I?", "")
	if second.SessionID != first.SessionID || second.Content != "You are Grace." {
		t.Errorf("second answer %+v in session %s", second, first.SessionID)
	}
	asked := u.Received()
	if got, want := prompt(asked[1]), []string{"user: I am Grace.", "assistant: Nice to meet you.", "user: Who am I?"}; !slices.Equal(got, want) {
		t.Errorf("the second turn saw %q, want %q", got, want)
	}
	if got := prompt(asked[2]); !slices.Equal(got, []string{"user: Who am I?"}) {
		t.Errorf("another session saw %q", got)
	}
}

func TestStreamedAnswerIsWhatIsStored(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	c := x.server.Client(t, x.key.Text)
	var text, sessionID string
	pieces := 0
	for event, err := range c.Webchat.StreamSendWebchatMessage(t.Context(), webchat.WebchatRequest{Message: "What are you?"}) {
		switch {
		case err != nil:
			t.Fatal(err)
		case event.Message != nil:
			text += event.Message.Content
			pieces++
		case event.End != nil:
			sessionID = event.End.SessionID
		}
	}
	got, err := c.Webchat.GetSession(t.Context(), sessionID, nil)
	if err != nil {
		t.Fatal(err)
	}
	session := got.Session
	if pieces < 2 || len(session.Messages) != 2 || session.Messages[1].Content != text {
		t.Errorf("streamed %q in %d pieces, stored %+v", text, pieces, session.Messages)
	}
	if session.Preview == "" || !strings.HasPrefix(text, strings.TrimSuffix(session.Preview, "…")[:10]) || session.TotalTokens == 0 {
		t.Errorf("listed as %+v", session)
	}
}

// A client that leaves does not end the answer: it is in the session afterwards.
func TestAnswerOutlivesItsReader(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	gate := make(chan struct{})
	x.Upstream(t, func(e *providertest.Exchange) {
		e.Start()
		e.Event(providertest.Chunk(map[string]any{"content": "Begun"}, ""))
		<-gate
		e.Event(providertest.Chunk(map[string]any{"content": " and ended."}, "stop"))
		e.Event("[DONE]")
	})
	ctx, leave := context.WithCancel(t.Context())
	session := x.session(t, x.key.AppID)
	c := x.server.Client(t, x.key.Text)
	for _, err := range c.Webchat.StreamSendWebchatMessage(ctx, webchat.WebchatRequest{Message: "Hi", SessionID: &session.ID}) {
		if err != nil {
			t.Fatal(err)
		}
		break // after the first piece, the connection closed
	}
	leave()
	close(gate)
	eventually(t, "the answer is stored whole", func() bool {
		rows, err := x.server.DB.Messages(t.Context(), x.ID, session.ID, 3, 10)
		return err == nil && len(rows) == 1 && rows[0].Content == "Begun and ended."
	})
}

func TestAppsAgentAnswers(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t)
	agent := x.Agent(t, func(a *db.Agent) { a.Name, a.PersonalityPrompt = "Marvin", "Gloomy" })
	x.key = x.Key(t, testkit.AnsweredBy(agent.ID))
	x.chat(t, "How are you?", "")
	got := prompt(u.Received()[0])
	if len(got) != 2 || !strings.HasPrefix(got[0], "system: ") || !strings.Contains(got[0], "Marvin") || !strings.Contains(got[0], "Gloomy") {
		t.Errorf("the model was told %q", got)
	}
}

// sendsNothing tells that the tenant's tables are as they were.
func (x tenant) wantNothingStored(t *testing.T, do func()) {
	t.Helper()
	count := func() (n [3]int) {
		for i, table := range []string{"conversations", "messages", "turns"} {
			if err := sql(t, x.server).Get(&n[i], `select count(*) from `+table+` where account_id = $1`, x.ID); err != nil {
				t.Fatal(err)
			}
		}
		return n
	}
	before := count()
	do()
	if after := count(); after != before {
		t.Errorf("conversations, messages, turns were %v and are %v", before, after)
	}
}

func TestRefusedMessagesStoreNothing(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	page := x.Key(t, testkit.Publishable(site), testkit.App(x.key.AppID))
	poor := tenantOf(t, x.server, testkit.Unlimited, 0)
	poor.Model(t, testkit.Priced(1000, 1000), func(m *db.Model) { m.Rank = 1 })
	send := func(who tenant, key string, body map[string]any, status int) {
		t.Helper()
		who.wantNothingStored(t, func() {
			t.Helper()
			who.server.Do(t, testkit.Request{Path: "/api/v1/chat", Key: key, Body: body}).Want(t, status)
		})
	}
	send(x, "", map[string]any{"message": "Hi"}, http.StatusUnauthorized)
	send(x, page.Text, map[string]any{"message": "Hi"}, http.StatusForbidden)
	send(x, x.key.Text, map[string]any{"message": "Hi", "session_id": "sess_none"}, http.StatusNotFound)
	send(x, x.key.Text, map[string]any{"message": ""}, http.StatusBadRequest)
	send(x, x.key.Text, map[string]any{"message": " \n"}, http.StatusBadRequest)
	send(x, x.key.Text, map[string]any{"message": strings.Repeat("a", 32_001)}, http.StatusBadRequest)
	send(poor, poor.key.Text, map[string]any{"message": "Hi"}, http.StatusPaymentRequired)
	send(poor, poor.key.Text, map[string]any{"message": "Hi", "stream": true}, http.StatusPaymentRequired)
	send(poor, poor.key.Text, map[string]any{"message": "Hi", "session_id": poor.id(t, "session_id")}, http.StatusPaymentRequired)
}

func TestLongestMessageIsAnswered(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	message := strings.Repeat("ä ", 16_000)
	answer := x.chat(t, message, "")
	rows, err := x.server.DB.Messages(t.Context(), x.ID, answer.SessionID, 0, 10)
	if err != nil || len(rows) != 2 || rows[0].Content != message {
		t.Errorf("stored %d messages, %v", len(rows), err)
	}
}

func TestGeneratedClientNamesTheError(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	c := x.server.Client(t, x.Key(t, testkit.Scopes("characters")).Text)
	for _, err := range c.Webchat.StreamSendWebchatMessage(t.Context(), webchat.WebchatRequest{Message: "Hi"}) {
		var refused *client.Error
		if !errors.As(err, &refused) || refused.StatusCode != http.StatusForbidden || refused.RequestID == "" {
			t.Errorf("got %v", err)
		}
	}
}

// keysInBody are the rules for api_key in a body.
func TestKeyInTheBody(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	other := x.Key(t, testkit.App(x.key.AppID))
	ask := func(r testkit.Request) testkit.Response {
		r.Path = "/api/v1/chat" + r.Path
		return x.server.Do(t, r)
	}
	body := func(text string) map[string]any { return map[string]any{"message": "Hi", "api_key": text} }
	pad := func(n int) string {
		return `{"message":"Hi","api_key":"` + x.key.Text + `","pad":"` + strings.Repeat("a", n) + `"}`
	}
	frame := len(pad(0))
	for name, c := range map[string]struct {
		request testkit.Request
		status  int
	}{
		"alone":                      {testkit.Request{Body: body(x.key.Text)}, 200},
		"and the same header":        {testkit.Request{Key: x.key.Text, Body: body(x.key.Text)}, 200},
		"and the same query":         {testkit.Request{Path: "?api_key=" + x.key.Text, Body: body(x.key.Text)}, 200},
		"and another header":         {testkit.Request{Key: other.Text, Body: body(x.key.Text)}, 401},
		"and another query":          {testkit.Request{Path: "?api_key=" + other.Text, Body: body(x.key.Text)}, 401},
		"header and another query":   {testkit.Request{Key: x.key.Text, Path: "?api_key=" + other.Text, Body: map[string]any{"message": "Hi"}}, 401},
		"two in the query":           {testkit.Request{Path: "?api_key=" + x.key.Text + "&api_key=" + other.Text, Body: map[string]any{"message": "Hi"}}, 401},
		"good header, rubbish body":  {testkit.Request{Key: x.key.Text, Body: body("rubbish")}, 401},
		"bad header, good body":      {testkit.Request{Key: "rubbish", Body: body(x.key.Text)}, 401},
		"missing":                    {testkit.Request{Body: map[string]any{"message": "Hi"}}, 401},
		"not a string":               {testkit.Request{Body: map[string]any{"message": "Hi", "api_key": 5}}, 401},
		"null":                       {testkit.Request{Body: map[string]any{"message": "Hi", "api_key": nil}}, 401},
		"nested":                     {testkit.Request{Body: map[string]any{"message": "Hi", "user": body(x.key.Text)}}, 401},
		"twice":                      {testkit.Request{Body: `{"message":"Hi","api_key":"` + x.key.Text + `","api_key":"` + x.key.Text + `"}`}, 401},
		"malformed JSON":             {testkit.Request{Body: `{"message":"Hi","api_key":"` + x.key.Text + `"`}, 401},
		"another content type":       {testkit.Request{Body: body(x.key.Text), Header: map[string]string{"Content-Type": "text/plain"}}, 401},
		"of 64 kB":                   {testkit.Request{Body: pad(64<<10 - frame)}, 200},
		"a byte over 64 kB":          {testkit.Request{Body: pad(64<<10 - frame + 1)}, 401},
		"over 64 kB, without length": {testkit.Request{Body: strings.NewReader(pad(64 << 10))}, 401},
		"over 64 kB but in header":   {testkit.Request{Key: x.key.Text, Body: pad(64 << 10)}, 200},
	} {
		if got := ask(c.request); got.Status != c.status {
			t.Errorf("%s: status %d, want %d: %s", name, got.Status, c.status, got.Body)
		}
	}
}

// Only operations that the document marks take a key from the body or the query.
func TestOtherOperationsTakeNoKeyFromBodyOrQuery(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.server.Do(t, testkit.Request{Path: "/api/v1/agents", Body: map[string]any{"name": "A", "api_key": x.key.Text}}).Want(t, http.StatusUnauthorized)
	x.server.Do(t, testkit.Request{Path: "/api/v1/agents?api_key=" + x.key.Text}).Want(t, http.StatusUnauthorized)
}

func TestKeyOfAnotherEnvironmentAndAdminScope(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.key = x.Key(t, testkit.Scopes(key.ScopeAdmin), func(in *key.CreateInput) { in.Environment = "production" })
	x.do(t, testkit.Request{Path: "/api/v1/agents"}).Want(t, http.StatusOK)
	x.chat(t, "Hi", "")
}
