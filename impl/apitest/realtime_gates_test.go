package apitest_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley/db"
	"parley/impl/core/id"
	"parley/impl/core/knowledge"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// Each answer is paid, counted and asked for anew, whatever held at the connection's beginning.
func TestRealtimeChecksEachAnswer(t *testing.T) {
	t.Parallel()
	failure := func(done object) any {
		if in(done, "response", "status") != "failed" {
			return done
		}
		return in(done, "response", "status_details", "error", "code")
	}
	t.Run("money", func(t *testing.T) {
		t.Parallel()
		x := tenantOf(t, testkit.Shared(t), testkit.Unlimited, 0)
		m := x.Model(t, testkit.Priced(1000, 1000))
		k := x.talkTo(t, "model="+m.ID, nil)
		if got := failure(k.ask("Hello")); got != "insufficient_quota" {
			t.Errorf("without money: %v", got)
		}
		if err := x.server.DB.Grant(t.Context(), x.ID, id.New(id.Entry), plenty, time.Now().UTC()); err != nil {
			t.Fatal(err)
		}
		done := k.ask("And now?")
		if in(done, "response", "status") != "completed" || in(done, "response", "usage", "total_tokens").(float64) == 0 {
			t.Errorf("with money: %v", done)
		}
		if e := x.lastEntry(t); e.Output == 0 || e.Amount == 0 {
			t.Errorf("booked %+v", e)
		}
	})
	t.Run("rate", func(t *testing.T) {
		t.Parallel()
		x := newTenant(t)
		x.key = x.Key(t, testkit.Plan("free"))
		k := x.talkTo(t, "", nil) // the first of five requests
		for range 4 {
			k.ask("Hello")
		}
		if got := failure(k.ask("Once more")); got != "rate_limit_exceeded" {
			t.Errorf("over the plan: %v", got)
		}
		limits := k.seen[slices.IndexFunc(k.seen, func(e object) bool { return e["type"] == "rate_limits.updated" })]
		if in(limits, "rate_limits", 0, "limit") != 5.0 || in(limits, "rate_limits", 0, "remaining") != 3.0 {
			t.Errorf("limits %v", limits)
		}
	})
	t.Run("key", func(t *testing.T) {
		t.Parallel()
		x := newTenant(t)
		k := x.talkTo(t, "", nil)
		k.ask("Hello")
		x.Revoke(t, x.key.ID)
		if got := failure(k.ask("Still?")); got != "invalid_api_key" {
			t.Errorf("with a revoked key: %v", got)
		}
		if _, _, err := k.conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
			t.Errorf("the connection of a revoked key ends with %v", err)
		}
	})
}

// An agent speaks as itself, from what it knows.
func TestRealtimeAgentsHavePersonaAndKnowledge(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	upstream := x.Upstream(t, providertest.SSE("Yes."))
	modelID := testkit.UpstreamModel
	a := x.Agent(t, func(a *db.Agent) {
		a.Name, a.PersonalityPrompt, a.ModelID = "Captain Nemo", "Speaks of the sea.", &modelID
	})
	c, err := x.server.App.Knowledge.Create(t.Context(), x.ID, "Ship")
	if err == nil {
		_, err = x.server.App.Knowledge.AddFile(t.Context(), x.ID, c.ID, knowledge.File{
			Name: "ship.txt", Type: "text/plain", Content: strings.NewReader("The Nautilus dives to eight thousand metres."),
		})
	}
	if err == nil {
		err = x.server.App.Knowledge.Link(t.Context(), x.ID, db.HolderAgent, a.ID, c.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the file is read", func() bool {
		found, err := x.server.App.Knowledge.Search(t.Context(), knowledge.Scope{AccountID: x.ID, Collections: []string{c.ID}}, knowledge.Query{Question: "How deep does the Nautilus dive?"})
		return err == nil && len(found) > 0
	})
	k := x.talkTo(t, "model="+a.ID, inBeta())
	if got := k.hear("session.created"); in(got, "session", "model") != a.ID {
		t.Errorf("session %v", got)
	}
	k.ask("How deep does the Nautilus dive?")
	prompt := fmt.Sprint(upstream.Received()[0].Body)
	for _, want := range []string{"You are Captain Nemo.", "Speaks of the sea.", "eight thousand metres"} {
		if !strings.Contains(prompt, want) {
			t.Errorf("the model does not read %q: %s", want, prompt)
		}
	}
}

// Ephemeral secrets open sessions from pages, and nothing else.
func TestRealtimeSecrets(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.key = x.Key(t, testkit.Scopes("realtime", "webchat"), testkit.Origins(site))
	today := x.do(t, testkit.Request{Path: "/v1/realtime/client_secrets", Body: object{
		"expires_after": object{"anchor": "created_at", "seconds": 60}, "session": object{"type": "realtime", "instructions": "Be kind.", "model": "gpt-realtime"},
	}}).Want(t, http.StatusOK)
	beta := x.do(t, testkit.Request{Path: "/v1/realtime/sessions", Body: object{"instructions": "Be kind.", "model": "gpt-4o-realtime-preview"}}).Want(t, http.StatusOK)
	var made struct {
		Value        string
		ClientSecret struct{ Value string } `json:"client_secret"`
	}
	today.JSON(t, &made)
	beta.JSON(t, &made)
	for _, secret := range []string{made.Value, made.ClientSecret.Value} {
		k := x.talkTo(t, "", http.Header{"Origin": {site}}, "realtime", "openai-insecure-api-key."+secret)
		if k.conn.Subprotocol() != "realtime" {
			t.Errorf("chose %q", k.conn.Subprotocol())
		}
		if got := k.hear("session.created"); in(got, "session", "instructions") != "Be kind." {
			t.Errorf("session %v", got)
		}
		if done := k.ask("Hello"); in(done, "response", "status") != "completed" {
			t.Errorf("answer %v", done)
		}
		r := testkit.Request{Path: "/v1/realtime?model=m", Header: handshake(), Key: secret}
		r.Header["Origin"] = "https://elsewhere.example"
		x.server.Do(t, r).Want(t, http.StatusForbidden)
		x.server.Do(t, testkit.Request{Path: "/api/v1/sessions", Key: secret, Header: map[string]string{"Origin": site}}).Want(t, http.StatusForbidden)
	}
	x.Upstream(t) // so that not every name means the built-in model
	for _, path := range []string{"/v1/realtime/client_secrets", "/v1/realtime/sessions"} {
		body := object{"model": "no-such-model"}
		if strings.HasSuffix(path, "secrets") {
			body = object{"session": object{"type": "realtime", "model": "no-such-model"}}
		}
		x.do(t, testkit.Request{Path: path, Body: body}).Want(t, http.StatusNotFound)
	}
	r := testkit.Request{Path: "/v1/realtime/sessions", Key: made.Value, Body: object{}, Header: map[string]string{"Origin": site}}
	x.server.Do(t, r).Want(t, http.StatusForbidden) // a secret makes no secrets
	x.Revoke(t, x.key.ID)
	x.server.Do(t, testkit.Request{Path: "/v1/realtime", Key: made.Value, Header: handshake()}).Want(t, http.StatusUnauthorized)
}

func TestRealtimeHandshakes(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.do(t, testkit.Request{Path: "/v1/realtime"}).Want(t, http.StatusUpgradeRequired)
	x.do(t, testkit.Request{Path: "/v1/realtime?session_id=sess_none", Header: handshake()}).Want(t, http.StatusNotFound)
	x.do(t, testkit.Request{Path: "/v1/realtime?store=perhaps", Header: handshake()}).Want(t, http.StatusBadRequest)
	m := x.Model(t, func(m *db.Model) { m.Kind = "sd" })
	if got := x.do(t, testkit.Request{Path: "/v1/realtime?model=" + m.ID, Header: handshake()}); got.Status != http.StatusNotFound && got.Status != http.StatusSwitchingProtocols {
		t.Errorf("a model of another kind: %d", got.Status)
	}
	broken := handshake()
	broken["Sec-WebSocket-Key"] = "short"
	x.do(t, testkit.Request{Path: "/v1/realtime", Header: broken}).Want(t, http.StatusBadRequest)
	k := x.talkTo(t, "", nil, "realtime", "openai-insecure-api-key."+x.key.Text, "openai-beta.realtime-v1")
	if k.conn.Subprotocol() != "realtime" {
		t.Errorf("chose %q", k.conn.Subprotocol())
	}
	if got := k.hear("session.created"); in(got, "session", "modalities", 0) != "text" {
		t.Errorf("not the beta's shape: %v", got)
	}
}

func TestRealtimeSettingsAreChecked(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	beta, today := x.talkTo(t, "", inBeta()), x.talkTo(t, "", nil)
	for _, c := range []struct {
		to                   *talk
		session, param, code string
	}{
		{today, `{"instructions":"x"}`, "session.type", "missing_required_parameter"},
		{today, `{"type":"transcription"}`, "session.type", "unsupported_session_type"},
		{today, `{"type":"realtime","modalities":["text"]}`, "session.modalities", "unknown_parameter"},
		{today, `{"type":"realtime","output_modalities":["audio"]}`, "", "speech_not_configured"},
		{today, `{"type":"realtime","max_output_tokens":5000}`, "session.max_output_tokens", "invalid_value"},
		{today, `{"type":"realtime","tools":[{"type":"function","name":"no name"}]}`, "session.tools[0].name", "invalid_value"},
		{today, `{"type":"realtime","tool_choice":"perhaps"}`, "session.tool_choice", "invalid_value"},
		{today, `{"type":"realtime","model":"another"}`, "session.model", "cannot_update_model"},
		{beta, `{"temperature":3}`, "session.temperature", "invalid_value"},
		{beta, `{"instructions":5}`, "session.instructions", "invalid_type"},
		{beta, `{"input_audio_format":"mp3"}`, "session", "invalid_value"},
	} {
		got := c.to.mistake(`{"type":"session.update","session":` + c.session + `}`)
		param, _ := got["param"].(string)
		if param != c.param || got["code"] != c.code {
			t.Errorf("%s: %v", c.session, got)
		}
	}
	// What OpenAI's reference client of the beta sends first.
	beta.say(`{"type":"session.update","session":{"modalities":["text","audio"],"instructions":"","voice":"verse","input_audio_format":"pcm16","output_audio_format":"pcm16","input_audio_transcription":null,"turn_detection":null,"tools":[],"tool_choice":"auto","temperature":0.8,"max_response_output_tokens":4096}}`)
	if got := beta.hear("session.updated"); in(got, "session", "modalities", 0) != "text" || in(got, "session", "voice") != "verse" || in(got, "session", "max_response_output_tokens") != 4096.0 {
		t.Errorf("updated to %v", got)
	}
}

func TestRealtimeHasCeilings(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	k := x.talkTo(t, "store=false", nil)
	big := userSays(strings.Repeat("a", 900<<10))
	for range 4 {
		k.say(big)
		k.hear("conversation.item.done")
	}
	if got := k.mistake(big); got["code"] != "session_full" {
		t.Errorf("a full session: %v", got)
	}
	if got := k.mistake(`{"type":"session.update","session":{"a":"\u0000"}}`); got["type"] != "invalid_request_error" {
		t.Errorf("NUL: %v", got)
	}
	if err := k.conn.Write(t.Context(), websocket.MessageBinary, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	k.hear("error")
	k.say(userSays(strings.Repeat("a", 1<<20)))
	if _, _, err := k.conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
		t.Errorf("a message over the ceiling ends with %v", err)
	}
}

// A server that stops lets the running answer end and says that it goes.
func TestRealtimeSurvivesAShutdownInOrder(t *testing.T) {
	t.Parallel()
	s := testkit.New(t)
	x := tenantOf(t, s, testkit.Unlimited, plenty)
	pace := make(chan struct{})
	x.Upstream(t, func(e *providertest.Exchange) {
		e.Start()
		for _, word := range []string{"One", " two"} {
			e.Event(providertest.Chunk(object{"content": word}, ""))
			<-pace
		}
		e.Event(providertest.Chunk(object{}, "stop"))
		e.Event("[DONE]")
	})
	k := x.talkTo(t, "model="+testkit.UpstreamModel, nil)
	k.say(userSays("Slowly"))
	k.say(`{"type":"response.create"}`)
	k.hear("response.output_text.delta")
	s.Shutdown()
	close(pace)
	if done := k.hear("response.done"); in(done, "response", "status") != "completed" {
		t.Errorf("the answer ended %v", done)
	}
	if _, _, err := k.conn.Read(context.WithoutCancel(t.Context())); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the connection ends with %v", err)
	}
}

// As many sessions may be open as the operator says; who is over it is told so before the connection opens.
func TestRealtimeSessionsAreCounted(t *testing.T) {
	t.Parallel()
	s := testkit.New(t, testkit.RealtimeSessions(3, 2))
	x := tenantOf(t, s, testkit.Unlimited, plenty)
	first, second := x.talkTo(t, "", nil), x.talkTo(t, "", nil)
	first.hear("conversation.created")
	second.hear("conversation.created")
	refused := func(text, who string) {
		t.Helper()
		got := x.server.Do(t, testkit.Request{Path: "/v1/realtime", Key: text, Header: handshake()}).Want(t, http.StatusTooManyRequests)
		if body := string(got.Body); !strings.Contains(body, "too_many_sessions") || !strings.Contains(body, who) {
			t.Errorf("over the ceiling of the %s: %s", who, body)
		}
	}
	refused(x.key.Text, "key")
	one, other := x, x
	one.key, other.key = x.Key(t), x.Key(t)
	third := one.talkTo(t, "", nil)
	third.hear("conversation.created")
	refused(other.key.Text, "account")
	x.do(t, testkit.Request{Path: "/v1/realtime?session_id=sess_none", Header: handshake()}).Want(t, http.StatusTooManyRequests)
	_ = first.conn.CloseNow() // the place that becomes free
	eventually(t, "another may open", func() bool {
		return x.do(t, testkit.Request{Path: "/v1/realtime?session_id=sess_none", Header: handshake()}).Status == http.StatusNotFound
	})
	// What does not open takes no place.
	broken := handshake()
	broken["Sec-WebSocket-Key"] = "short"
	for range 3 {
		x.do(t, testkit.Request{Path: "/v1/realtime", Header: broken}).Want(t, http.StatusBadRequest)
	}
	x.talkTo(t, "", nil).hear("conversation.created")
}
