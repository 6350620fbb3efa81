package testkit

import (
	"crypto/rand"
	"testing"

	"parley/db"
	"parley/impl/core/tool"
)

// Tool stores a tool that calls nobody.
func (a Account) Tool(t testing.TB) db.Tool {
	t.Helper()
	name := "tool_" + rand.Text()[:10]
	made, err := a.server.App.Chats.Tools.Create(t.Context(), a.ID, tool.Input{Name: &name, HTTP: &tool.HTTP{
		Target: tool.Target{Method: "GET", URL: "http://127.0.0.1:9/nobody"}, Parameters: []byte(`{"type":"object","properties":{"order_id":{"type":"string"}}}`),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return made
}
