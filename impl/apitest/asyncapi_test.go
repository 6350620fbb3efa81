package apitest_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"parley/gen"
	"parley/impl/testkit"
)

// socketMessages are the messages of the served AsyncAPI document by channel, "send" being the server's.
func (x tenant) socketMessages(t *testing.T) map[string][]string {
	t.Helper()
	var doc struct {
		Operations map[string]struct {
			Action   string
			Channel  map[string]string
			Messages []map[string]string
		}
		Components struct {
			Messages map[string]struct{ Name string }
		}
	}
	if err := yaml.Unmarshal(x.server.Do(t, testkit.Request{Path: "/asyncapi.yaml"}).Want(t, http.StatusOK).Body, &doc); err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, op := range doc.Operations {
		channel := strings.TrimPrefix(op.Channel["$ref"], "#/channels/") + " " + op.Action
		for _, m := range op.Messages {
			ref := m["$ref"]
			out[channel] = append(out[channel], doc.Components.Messages[ref[strings.LastIndex(ref, "/")+1:]].Name)
		}
	}
	return out
}

// The two documents tell the same of a chat, and the server knows every event of a client that the document has.
func TestTheDocumentOfTheWebSocketsTellsWhatTheServerDoes(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	described := x.socketMessages(t)
	var doc struct {
		Components struct {
			Schemas struct {
				ChatStreamEvent struct {
					Discriminator struct{ Mapping map[string]string }
				}
			}
		}
	}
	if err := json.Unmarshal(gen.JSON, &doc); err != nil {
		t.Fatal(err)
	}
	want := doc.Components.Schemas.ChatStreamEvent.Discriminator.Mapping
	delete(want, "end") // a WebSocket stays open
	want["error"] = ""
	for _, name := range described["chat send"] {
		if _, known := want[name]; !known {
			t.Errorf("chats tell no %s", name)
		}
		delete(want, name)
	}
	if len(want) > 0 || len(described["realtime receive"]) < 10 {
		t.Errorf("not described: %v; described %v", want, described)
	}
	socket := x.dial(t, x.chatOf(t, testkit.Asking), "")
	for _, name := range described["chat receive"] {
		socket.send(`{"type":"` + name + `","content":"Hello"}`)
	}
	socket.send(`{"type":"unknown"}`)
	if h := socket.until("error", ""); !strings.Contains(h.Data.Detail, "The types are") {
		t.Errorf("refused with %+v", h)
	}
}

// Whatever was said in a golden transcript of a realtime session, the document describes.
func TestTheDocumentOfTheWebSocketsDescribesEveryTranscript(t *testing.T) {
	t.Parallel()
	described := newTenant(t).socketMessages(t)
	transcripts, err := filepath.Glob("testdata/realtime/*.txt")
	if err != nil || len(transcripts) < 4 {
		t.Fatalf("transcripts %v, %v", transcripts, err)
	}
	action := map[string]string{"<": "send", ">": "receive"} // as the server sees it
	for _, transcript := range transcripts {
		raw, err := os.ReadFile(transcript)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(raw)) {
			direction, text, _ := strings.Cut(strings.TrimSpace(line), " ")
			var message struct{ Type string }
			if action[direction] == "" || json.Unmarshal([]byte(text), &message) != nil || message.Type == "no.such.event" {
				continue // no message, or one that is to be refused
			}
			if known := described["realtime "+action[direction]]; !slices.Contains(known, message.Type) {
				t.Errorf("%s: %s is not described", transcript, message.Type)
			}
		}
	}
}
