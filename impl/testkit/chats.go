package testkit

import (
	"testing"

	"parley/db"
	"parley/impl/core/chat"
	"parley/impl/core/key"
)

// asking is a flow that asks a person at once, and is over with the answer. It asks no model.
const asking = `{"nodes":[{"id":"a","type":"assistant","data":{"name":"Asker"}},{"id":"p","type":"user","data":{"name":"Person","human_input_mode":"ALWAYS"}}],
	"edges":[{"source":"a","target":"p","data":{"max_turns":1}}]}`

// Flow stores a flow that asks a person at once, and is over with the answer.
func (a Account) Flow(t testing.TB) db.Flow {
	t.Helper()
	name := "Asking"
	f, err := a.server.App.Chats.CreateFlow(t.Context(), a.ID, chat.FlowInput{Name: &name, Definition: []byte(asking)})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Chat stores a chat that is ready to run a flow.
func (a Account) Chat(t testing.TB, flowID string) db.Chat {
	t.Helper()
	c, err := a.server.App.Chats.Create(t.Context(), key.Caller{AccountID: a.ID}, chat.CreateInput{Name: "A chat", FromType: chat.FromFlow, FromID: flowID})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// WaitingChat stores a chat that runs a flow at the key's expense; of Flow's it waits for a person.
func (a Account) WaitingChat(t testing.TB, flowID, keyID string) db.Chat {
	t.Helper()
	c, _, err := a.server.App.Chats.Send(t.Context(), key.Caller{AccountID: a.ID, KeyID: keyID, By: "key"}, a.Chat(t, flowID).ID, "Hello")
	if err != nil {
		t.Fatal(err)
	}
	return c
}
