package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/gen/characters"
	"parley/gen/webchat"
)

// Clients of the original APIs compare texts: members come in the documents'
// order, and a missing agent is null, not absent.
func TestModelsEncodeInTheDocumentsOrder(t *testing.T) {
	at := time.Date(2023, 9, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name  string
		value any
		want  string
	}{
		{
			"conversation",
			characters.Conversation{ID: "conv_1", Title: "T", SystemPrompt: "S", LLMID: "m", LastMessageAt: at},
			`{"id":"conv_1","title":"T","system_prompt":"S","llm_id":"m","last_message_at":"2023-09-01T12:00:00Z","agent_id":null}`,
		},
		{
			"message",
			characters.Message{ID: "msg_1", Content: "C", Role: characters.MessageRoleAgent, CreatedAt: at},
			`{"id":"msg_1","content":"C","role":"agent","created_at":"2023-09-01T12:00:00Z"}`,
		},
		{
			"page of sessions",
			webchat.SessionList{Success: true, Sessions: []webchat.Session{}, Meta: webchat.SessionPageMeta{CurrentPage: 1, PerPage: 20}},
			`{"success":true,"sessions":[],"meta":{"current_page":1,"per_page":20,"has_more":false}}`,
		},
		{"webchat error", webchat.WebchatError{Error: "No."}, `{"success":false,"error":"No."}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := json.Marshal(test.value)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

const document = `{"openapi":"3.0.3","info":{"title":"T","version":"1"},"tags":[{"name":"things"}],"paths":{"/things":{"post":{
"operationId":"createThing","tags":["things"],
"responses":{"201":{"description":"d","headers":{
  "X-Request-Id":{"required":true,"schema":{"type":"string"}},"Location":{"required":true,"schema":{"type":"string"}}},
  "content":{"application/json":{"schema":{"$ref":"#/components/schemas/Thing"}}}}}}}},
"components":{"schemas":{"Thing":{"type":"object","properties":{"zebra":{"type":"string"},"apple":{"$ref":"#/components/schemas/Apple"}}},
"Apple":{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"string"}}}}}}`

func TestNewTagGetsServerAndClientWithoutConfiguration(t *testing.T) {
	folder := t.TempDir()
	in := filepath.Join(folder, "openapi.json")
	if err := os.WriteFile(in, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(in, folder); err != nil {
		t.Fatal(err)
	}
	server := read(t, filepath.Join(folder, "things", "server.gen.go"))
	if strings.Index(server, "Zebra *string") > strings.Index(server, "Apple *Apple") {
		t.Error("members are not in the document's order")
	}
	if strings.Contains(server, "XRequestID") {
		t.Error("handlers would have to fill a header of the edge")
	}
	if !strings.Contains(server, "Location string") {
		t.Error("handlers cannot fill a header of their own")
	}
	if client := read(t, filepath.Join(folder, "client", "things", "client.gen.go")); !strings.Contains(client, "CreateThing(ctx") {
		t.Error("the client lacks the operation")
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
