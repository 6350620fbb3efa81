package apitest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

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
