package testkit

import (
	"testing"

	"parley/db"
	"parley/impl/core/chat"
	"parley/impl/core/key"
)

// silent is a flow that is over with the message that begins it: nobody in it answers.
const silent = `{"nodes":[{"id":"a","type":"user","data":{"name":"Writer","human_input_mode":"NEVER"}},{"id":"b","type":"user","data":{"name":"Reader","human_input_mode":"NEVER"}}],
	"edges":[{"source":"a","target":"b"}]}`

// Asking is a flow that asks people only: two, in turn, for ever.
const Asking = `{"nodes":[{"id":"a","type":"user","data":{"name":"Ann"}},{"id":"b","type":"user","data":{"name":"Bob"}}],"edges":[{"source":"a","target":"b"}]}`

// Flow stores a flow; without a definition one that is over with the message that begins it.
func (a Account) Flow(t testing.TB, definition ...string) db.Flow {
	t.Helper()
	name := "A flow"
	f, err := a.server.App.Chats.CreateFlow(t.Context(), a.ID, chat.FlowInput{Name: &name, Definition: []byte(append(definition, silent)[0])})
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

// WaitingChat stores a chat that runs a flow at the key's expense; of Asking it waits for a person.
func (a Account) WaitingChat(t testing.TB, flowID, keyID string) db.Chat {
	t.Helper()
	c, _, err := a.server.App.Chats.Send(t.Context(), key.Caller{AccountID: a.ID, KeyID: keyID, By: "key"}, a.Chat(t, flowID).ID, "Hello")
	if err != nil {
		t.Fatal(err)
	}
	return c
}
