package apitest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
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

// talk is a realtime connection of a test.
type talk struct {
	t    *testing.T
	conn *websocket.Conn
	seen []object // every event of the server, in order
}

// talkTo connects with the tenant's key; header and query may say more.
func (x tenant) talkTo(t *testing.T, query string, header http.Header, protocols ...string) *talk {
	t.Helper()
	if header == nil {
		header = http.Header{}
	}
	if header.Get("Authorization") == "" && len(protocols) == 0 {
		header.Set("Authorization", "Bearer "+x.key.Text)
	}
	c, _, err := websocket.Dial(t.Context(), x.server.URL+"/v1/realtime?"+query, &websocket.DialOptions{ //nolint:bodyclose // the socket is the body
		HTTPClient: x.server.HTTP(t), HTTPHeader: header, Subprotocols: protocols,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(8 << 20)
	t.Cleanup(func() { _ = c.CloseNow() }) // closed already, or not worth a word
	return &talk{t: t, conn: c}
}

// inBeta asks for the beta's shape.
func inBeta() http.Header { return http.Header{"Openai-Beta": {"realtime=v1"}} }

// say sends an event as JSON.
func (k *talk) say(event string) {
	k.t.Helper()
	if err := k.conn.Write(k.t.Context(), websocket.MessageText, []byte(event)); err != nil {
		k.t.Fatal(err)
	}
}

// hear reads events up to one of the type and returns it.
func (k *talk) hear(kind string) object {
	k.t.Helper()
	for {
		_, raw, err := k.conn.Read(k.t.Context())
		if err != nil {
			k.t.Fatalf("while waiting for %s: %v; heard %s", kind, err, k.kinds())
		}
		var e object
		if err := json.Unmarshal(raw, &e); err != nil {
			k.t.Fatal(err)
		}
		k.seen = append(k.seen, e)
		if e["type"] == kind {
			return e
		}
		if e["type"] == "error" {
			k.t.Fatalf("while waiting for %s: %s", kind, raw)
		}
	}
}

func (k *talk) kinds() string {
	var kinds []string
	for _, e := range k.seen {
		kinds = append(kinds, fmt.Sprint(e["type"]))
	}
	return strings.Join(kinds, " ")
}

// mistake sends an event and returns the error that answers it; everything before it is skipped.
func (k *talk) mistake(event string) object {
	k.t.Helper()
	k.say(event)
	return k.hear("error")["error"].(object)
}

// in returns a member deep inside an event.
func in(value any, path ...any) any {
	for _, step := range path {
		switch s := step.(type) {
		case string:
			members, _ := value.(object)
			value = members[s]
		case int:
			items, _ := value.([]any)
			if s >= len(items) {
				return nil
			}
			value = items[s]
		}
	}
	return value
}

func userSays(text string) string {
	return `{"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"input_text","text":"` + text + `"}]}}`
}

// ask says something and returns the answer's last event.
func (k *talk) ask(text string) object {
	k.t.Helper()
	k.say(userSays(text))
	k.say(`{"type":"response.create"}`)
	return k.hear("response.done")
}

func (k *talk) sessionID() string {
	k.t.Helper()
	created := k.hear("session.created")
	k.hear("conversation.created")
	return in(created, "session", "id").(string)
}

// script says every kind of event once, and how many events answer it are read up to which.
const weatherTool = `{"type":"function","name":"get_weather","description":"The weather.","parameters":{"type":"object","required":["city"],"properties":{"city":{"type":"string"}}}}`

func script(beta bool) [][2]string {
	modalities, kind := `"type":"realtime","output_modalities":["text"]`, "conversation.item.done"
	if beta {
		modalities, kind = `"modalities":["text"],"temperature":0.7`, "conversation.item.created"
	}
	return [][2]string{
		{"", "conversation.created"},
		{`{"type":"session.update","event_id":"mine","session":{` + modalities + `,"instructions":"Be brief.","tools":[` + weatherTool + `]}}`, "session.updated"},
		{userSays("Hello!"), kind},
		{`{"type":"response.create"}`, "response.done"},
		{`{"type":"conversation.item.create","previous_item_id":"root","item":{"id":"item_first","type":"message","role":"system","content":[{"type":"input_text","text":"First."}]}}`, kind},
		{`{"type":"conversation.item.retrieve","item_id":"item_first"}`, "conversation.item.retrieved"},
		{`{"type":"response.create","response":{"tool_choice":"required","metadata":{"n":"1"}}}`, "response.done"},
		{`{"type":"response.create","response":{"conversation":"none","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Aside"}]}],"tools":[]}}`, "response.done"},
		{`{"type":"conversation.item.delete","item_id":"item_first"}`, "conversation.item.deleted"},
		{`{"type":"input_audio_buffer.clear"}`, "input_audio_buffer.cleared"},
		{`{"type":"response.cancel","event_id":"late"}`, "error"},
		{`{"type":"input_audio_buffer.append","audio":"AAAA"}`, "error"},
		{`{"type":"conversation.item.delete","item_id":"item_first"}`, "error"},
		{`{"type":"conversation.item.create","previous_item_id":"nowhere","item":{"type":"message","role":"user","content":[{"type":"input_text","text":"x"}]}}`, "error"},
		{`{"type":"no.such.event"}`, "error"},
		{`{"type":`, "error"},
	}
}

var (
	anyID   = regexp.MustCompile(`\b(event|item|resp|sess|conv|call)_[0-9a-z]{16,}`)
	anyTime = regexp.MustCompile(`"(expires_at|reset_seconds)":[0-9.]+`)
)

// masker gives ids the numbers of their first appearance.
type masker map[string]string

func (m masker) mask(raw []byte) string {
	masked := anyID.ReplaceAllStringFunc(string(raw), func(id string) string {
		kind, _, _ := strings.Cut(id, "_")
		if kind == "event" {
			return "event_n"
		}
		if m[id] == "" {
			n := 1
			for known := range m {
				if strings.HasPrefix(known, kind+"_") {
					n++
				}
			}
			m[id] = fmt.Sprintf("%s_%d", kind, n)
		}
		return m[id]
	})
	return anyTime.ReplaceAllString(masked, `"$1":0`)
}

// The whole conversation of a script, in both shapes, is as it was written down.
func TestRealtimeTranscripts(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]http.Header{"beta": inBeta(), "today": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newTenant(t).talkTo(t, "model=gpt-4o-realtime-preview-2024-12-17", header)
			var got strings.Builder
			ids := masker{}
			for _, step := range script(name == "beta") {
				if step[0] != "" {
					k.say(step[0])
					_, _ = fmt.Fprintln(&got, "> "+ids.mask([]byte(step[0])))
				}
				from := len(k.seen)
				for {
					_, raw, err := k.conn.Read(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					var e object
					if err := json.Unmarshal(raw, &e); err != nil {
						t.Fatal(err)
					}
					k.seen = append(k.seen, e)
					_, _ = fmt.Fprintln(&got, "< "+ids.mask(raw))
					if e["type"] == step[1] {
						break
					}
					if len(k.seen)-from > 500 {
						t.Fatalf("no %s answers %s", step[1], step[0])
					}
				}
			}
			golden := filepath.Join("testdata", "realtime", name+".txt")
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want, []byte(got.String())) {
				t.Errorf("the transcript differs from %s:\n%s", golden, got.String())
			}
		})
	}
}

func TestRealtimeCancelReachesTheModelAndKeepsTheConnection(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t, providertest.HangAfter("One", " two"), providertest.SSE("All", " well"))
	k := x.talkTo(t, "model="+testkit.UpstreamModel, nil)
	k.say(userSays("Count"))
	k.say(`{"type":"response.create"}`)
	k.hear("response.output_text.delta")
	if got := k.mistake(`{"type":"response.create","event_id":"second"}`); got["code"] != "conversation_already_has_active_response" || got["event_id"] != "second" {
		t.Errorf("a second answer at once: %v", got)
	}
	k.say(`{"type":"response.cancel"}`)
	done := k.hear("response.done")
	if in(done, "response", "status") != "cancelled" || in(done, "response", "status_details", "reason") != "client_cancelled" ||
		in(done, "response", "output", 0, "status") != "incomplete" || !strings.HasPrefix(in(done, "response", "output", 0, "content", 0, "text").(string), "One") {
		t.Errorf("cancelled: %v", done)
	}
	if done := k.ask("Go on"); in(done, "response", "status") != "completed" || in(done, "response", "output", 0, "content", 0, "text") != "All well" {
		t.Errorf("after it: %v", done)
	}
}

// What a client says after an answer was begun stands behind it.
func TestRealtimeAnswersBesideTheConversation(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t, providertest.HangAfter("Main"), providertest.SSE("Aside"))
	k := x.talkTo(t, "model="+testkit.UpstreamModel, nil)
	k.say(userSays("Begin"))
	k.say(`{"type":"response.create"}`)
	main := in(k.hear("response.output_text.delta"), "item_id")
	k.say(`{"type":"response.create","response":{"conversation":"none","metadata":{"topic":"aside"},"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"And?"}]}]}}`)
	done := k.hear("response.done")
	if in(done, "response", "conversation_id") != nil || in(done, "response", "metadata", "topic") != "aside" || in(done, "response", "status") != "completed" {
		t.Errorf("aside: %v", done)
	}
	if got := k.mistake(`{"type":"conversation.item.retrieve","item_id":"` + in(done, "response", "output", 0, "id").(string) + `"}`); got["code"] != "item_not_found" {
		t.Errorf("the aside is in the conversation: %v", got)
	}
	k.say(userSays("Meanwhile"))
	if got := k.hear("conversation.item.added"); got["previous_item_id"] != main {
		t.Errorf("an item meanwhile stands behind %v, not %v", got["previous_item_id"], main)
	}
}

// callsWeather answers with a call of a function, as OpenAI streams one.
func callsWeather(e *providertest.Exchange) {
	e.Start()
	e.Event(providertest.Chunk(object{"role": "assistant", "tool_calls": []any{
		object{"index": 0, "id": "call_a", "type": "function", "function": object{"name": "get_weather", "arguments": `{"city":`}},
	}}, ""))
	e.Event(providertest.Chunk(object{"tool_calls": []any{object{"index": 0, "function": object{"arguments": `"Oslo"}`}}}}, ""))
	e.Event(providertest.Chunk(object{}, "tool_calls"))
	e.Event("[DONE]")
}

func TestRealtimeFunctionCallsGoRound(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	upstream := x.Upstream(t, callsWeather, providertest.SSE("Four degrees."))
	k := x.talkTo(t, "model="+testkit.UpstreamModel, nil)
	k.say(`{"type":"session.update","session":{"type":"realtime","tools":[` + weatherTool + `]}}`)
	done := k.ask("How warm is Oslo?")
	call := in(done, "response", "output", 0)
	if in(call, "type") != "function_call" || in(call, "call_id") != "call_a" || in(call, "arguments") != `{"city":"Oslo"}` {
		t.Fatalf("call %v", call)
	}
	if got := k.mistake(`{"type":"conversation.item.create","item":{"type":"function_call_output","call_id":"call_b","output":"4"}}`); got["code"] != "invalid_tool_call_output" {
		t.Errorf("the result of no call: %v", got)
	}
	k.say(`{"type":"conversation.item.create","item":{"type":"function_call_output","call_id":"call_a","output":"{\"degrees\":4}"}}`)
	k.say(`{"type":"response.create"}`)
	if done := k.hear("response.done"); in(done, "response", "output", 0, "content", 0, "text") != "Four degrees." {
		t.Errorf("answer %v", done)
	}
	received := upstream.Received()
	sent := received[len(received)-1].Body
	if in(sent, "messages", 1, "tool_calls", 0, "id") != "call_a" || in(sent, "messages", 2, "tool_call_id") != "call_a" || in(sent, "messages", 3) != nil ||
		in(sent, "tools", 0, "function", "name") != "get_weather" {
		t.Errorf("the model read %v", sent)
	}
}

// A session goes on after its connection was lost, with settings and items as they were.
func TestRealtimeSessionsAreKeptAndResumed(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	first := x.talkTo(t, "", nil)
	sessionID := first.sessionID()
	x.do(t, testkit.Request{Path: "/v1/realtime/sessions/" + sessionID}).Want(t, http.StatusNotFound) // nothing was said yet
	first.say(`{"type":"session.update","session":{"type":"realtime","instructions":"Be brief."}}`)
	said := in(first.ask("My name is Ada."), "response", "output", 0, "id").(string)
	_ = first.conn.CloseNow() // the loss that is tested

	second := x.talkTo(t, "session_id="+sessionID, nil)
	created := second.hear("session.created")
	if in(created, "session", "id") != sessionID || in(created, "session", "instructions") != "Be brief." {
		t.Errorf("resumed as %v", created)
	}
	second.say(`{"type":"conversation.item.truncate","item_id":"` + said + `","content_index":0,"audio_end_ms":0}`)
	second.hear("conversation.item.truncated")
	second.say(`{"type":"conversation.item.retrieve","item_id":"` + said + `"}`)
	if got := second.hear("conversation.item.retrieved"); in(got, "item", "content", 0, "text") != "" {
		t.Errorf("truncated to %v", got)
	}
	second.ask("What is it?")
	var stored struct {
		Items       []object `json:"items"`
		InputTokens int      `json:"input_tokens"`
	}
	x.do(t, testkit.Request{Path: "/v1/realtime/sessions/" + sessionID}).Want(t, http.StatusOK).JSON(t, &stored)
	if len(stored.Items) != 4 || in(stored.Items[0], "content", 0, "text") != "My name is Ada." || stored.InputTokens == 0 {
		t.Errorf("stored %+v", stored)
	}
	if list := x.do(t, testkit.Request{Path: "/v1/realtime/sessions?limit=1"}).Want(t, http.StatusOK); !strings.Contains(string(list.Body), sessionID) {
		t.Errorf("list %s", list.Body)
	}
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: "/v1/realtime/sessions/" + sessionID}).Want(t, http.StatusNoContent)
	if got := second.mistake(userSays("Still there?")); got["code"] != "session_not_found" {
		t.Errorf("a deleted session takes items: %v", got)
	}
	if _, _, err := second.conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("the connection of a deleted session ends with %v", err)
	}
}

func TestRealtimeSessionsThatAreNotKept(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	k := x.talkTo(t, "store=false", nil)
	sessionID := k.sessionID()
	k.ask(secretValue)
	x.do(t, testkit.Request{Path: "/v1/realtime/sessions/" + sessionID}).Want(t, http.StatusNotFound)
	for _, table := range []string{"conversations", "realtime_items", "messages", "turn_events", "turns"} {
		var found int
		if err := sql(t, x.server).Get(&found, `select count(*) from `+table+` r where account_id = $1 and r::text like '%'||$2||'%'`, x.ID, secretValue); err != nil || found > 0 {
			t.Errorf("%s holds the text %d times, %v", table, found, err)
		}
	}
}

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
