package apitest_test

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"parley/gen/client/chats"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// sh runs a repaired command of seed 001 in a shell and returns what it prints. A flow, a chat and the place of the
// API stand where the seed has its own.
func (x tenant) sh(t *testing.T, mount, text, flow, chat string) []byte {
	t.Helper()
	command := strings.NewReplacer(keyPlaceholder, x.key.Text, hostPlaceholder, x.server.URL+mount, `"flow_id"`, `"`+flow+`"`, "{chat_id}", chat).Replace(text)
	out, err := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(command, "curl ", "curl --silent --show-error --fail-with-body ", 1)).CombinedOutput()
	if err != nil {
		t.Fatalf("%s\n%v: %s", command, err, out)
	}
	return out
}

// The six steps run as printed, at both places where the API is served.
func TestSeed001IsReplayed(t *testing.T) {
	t.Parallel()
	for _, mount := range []string{"", "/v1"} {
		t.Run(mount, func(t *testing.T) {
			t.Parallel()
			x, all := newTenant(t), examples(t, "001")
			x.Upstream(t, providertest.SSE("How ", "urgent?"), providertest.SSE("Urgent."))
			flow := x.flowOf(t, `{"nodes":[{"id":"p","type":"user","data":{"name":"Me","human_input_mode":"ALWAYS"}},{"id":"a","type":"assistant","data":{"name":"Triage","model":"`+testkit.UpstreamModel+`"}}],
				"edges":[{"source":"p","target":"a","data":{"max_turns":2}}]}`)
			step := func(name, chat string, into any) {
				t.Helper()
				if err := json.Unmarshal(x.sh(t, mount, all[name].text, flow, chat), into); err != nil {
					t.Fatal(err)
				}
			}
			var made, now chats.Chat
			var sent chats.ChatMessageSent
			var list []chats.Chat
			var said []chats.ChatMessage
			var taken chats.ChatInputTaken
			step("create chat", "", &made)
			if made.Name != "My Chatbot" || made.Status != "ready" || *made.FromFlow != flow {
				t.Errorf("made %+v", made)
			}
			step("list chats", "", &list)
			if len(list) != 1 || list[0].ID != made.ID {
				t.Errorf("list %+v", list)
			}
			step("send message", made.ID, &sent)
			if sent.Content != "Hello, FlowGen!" || sent.Type != "user" || sent.Sender != "Me" || sent.Chat != made.ID {
				t.Errorf("sent %+v", sent)
			}
			x.chatIs(t, made.ID, "wait_for_human_input")
			step("get chat", made.ID, &now)
			if now.Status != "wait_for_human_input" || now.Prompt == nil {
				t.Errorf("stands at %+v", now)
			}
			step("list messages", made.ID, &said)
			if len(said) != 2 || said[1].Content != "How urgent?" || said[1].Type != "assistant" || said[1].Sender != "Triage" || said[1].Receiver != "Me" {
				t.Errorf("said %+v", said)
			}
			step("send input", made.ID, &taken)
			x.chatIs(t, made.ID, "completed")
			var gone map[string]any
			step("delete chat", made.ID, &gone)
			x.do(t, testkit.Request{Path: "/chats/" + made.ID}).Want(t, http.StatusNotFound)
		})
	}
}

func (x tenant) flowOf(t *testing.T, definition string) string {
	t.Helper()
	return x.Flow(t, definition).ID
}

// chatOf makes a chat that runs a flow.
func (x tenant) chatOf(t *testing.T, definition string) string {
	t.Helper()
	var made chats.Chat
	x.do(t, testkit.Request{Path: "/chats", Body: map[string]any{"name": "A chat", "from_flow": x.flowOf(t, definition)}}).Want(t, http.StatusOK).JSON(t, &made)
	return made.ID
}

// chatIs waits until a chat is in a state, and returns it.
func (x tenant) chatIs(t *testing.T, chatID, status string) chats.Chat {
	t.Helper()
	var c chats.Chat
	x.do(t, testkit.Request{Path: "/chats/" + chatID + "?wait_seconds=60"}).Want(t, http.StatusOK).JSON(t, &c)
	if string(c.Status) != status {
		t.Fatalf("the chat is %s, want %s: %v", c.Status, status, c.Reason)
	}
	return c
}

// say begins a run.
func (x tenant) say(t *testing.T, chatID, text string) testkit.Response {
	t.Helper()
	return x.do(t, testkit.Request{Path: "/chats/" + chatID + "/messages", Body: map[string]any{"content": text}})
}

func (x tenant) input(t *testing.T, chatID, text string) testkit.Response {
	t.Helper()
	return x.do(t, testkit.Request{Path: "/chats/" + chatID + "/input", Body: map[string]any{"content": text}})
}

// texts are what was said in a chat.
func (x tenant) texts(t *testing.T, chatID string) []string {
	t.Helper()
	var said []chats.ChatMessage
	x.do(t, testkit.Request{Path: "/chats/" + chatID + "/messages"}).Want(t, http.StatusOK).JSON(t, &said)
	texts := []string{}
	for _, m := range said {
		texts = append(texts, m.Sender+": "+m.Content)
	}
	return texts
}
