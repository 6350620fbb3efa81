package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parley/gen/client"
	"parley/gen/client/characters"
	"parley/gen/client/openai"
	"parley/gen/client/webchat"
)

// serve starts a server and returns a client of it with the key "k".
func serve(t *testing.T, handler http.HandlerFunc) *client.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return connect(t, server, client.WithRetries(0, 0, 0))
}

// connect returns a client of a server, as options change it.
func connect(t *testing.T, server *httptest.Server, options ...client.Option) *client.Client {
	t.Helper()
	c, err := client.New(server.URL, append([]client.Option{client.WithKey("k"), client.WithHTTPClient(server.Client())}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// events answers every request with a stream of this text.
func events(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		_, _ = io.WriteString(w, text)
	}
}

func TestStreamYieldsTypedEventsUpToTheLast(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept"); got != "text/event-stream" {
			t.Errorf("Accept is %q", got)
		}
		if got := r.Header.Get("Authorization"); got != "Bearer k" {
			t.Errorf("Authorization is %q", got)
		}
		events(": hello\n\nid: 1\nevent: message\ndata: {\"content\":\"Hi \"}\n\n"+
			"event: message\r\ndata: {\"content\":\r\ndata: \"there!\"}\r\n\r\n"+
			"event: surprise\ndata: 1\n\n"+
			"event: end\ndata: {\"session_id\":\"sess_1\"}\n\nevent: message\ndata: {}\n\n")(w, r)
	})
	var text, session, unknown string
	for event, err := range c.Webchat.StreamSendWebchatMessage(t.Context(), webchat.WebchatRequest{Message: "Hey!"}) {
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case event.Message != nil:
			text += event.Message.Content
		case event.End != nil:
			session = event.End.SessionID
		default:
			unknown += event.Event + string(event.Data)
		}
	}
	if text != "Hi there!" || session != "sess_1" || unknown != "surprise1" {
		t.Errorf("text %q, session %q, unknown %q", text, session, unknown)
	}
}

func TestStreamOfAMessageEndsWithTheMessageOrTheError(t *testing.T) {
	final := `event: message` + "\n" + `data: {"id":"msg_1","content":"C","role":"agent","created_at":"2023-09-01T12:00:00Z"}` + "\n\n"
	failed := "event: error\ndata: {\"error\":\"The model did not answer.\"}\n\n"
	for name, text := range map[string]string{"message": final, "error": failed} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, events("event: thought\ndata: {\"content\":\"Hm.\"}\n\nevent: delta\ndata: {\"content\":\"C\"}\n\n"+text))
			var names []string
			for event, err := range c.Characters.StreamSendMessage(t.Context(), "conv_1", characters.MessageSend{Content: "Hi"}) {
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, event.Event)
			}
			if got, want := strings.Join(names, " "), "thought delta "+name; got != want {
				t.Errorf("events %q, want %q", got, want)
			}
		})
	}
}

func TestStreamReportsRefusal(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", "req_1")
		w.WriteHeader(http.StatusPaymentRequired)
		_, _ = io.WriteString(w, `{"error":"Insufficient account balance"}`)
	})
	err := drain(c, t.Context())
	var refused *client.Error
	if !errors.As(err, &refused) || refused.StatusCode != 402 || refused.Message != "Insufficient account balance" || refused.RequestID != "req_1" {
		t.Errorf("error is %#v", err)
	}
}

// drain reads one stream to its end and returns its error.
func drain(c *client.Client, ctx context.Context) error {
	for _, err := range c.Webchat.StreamSendWebchatMessage(ctx, webchat.WebchatRequest{Message: "Hey!"}) {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestStreamReportsWhatIsNoStream(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    func(error) bool
	}{
		{"cut off before the last event", events("event: message\ndata: {\"content\":\"Hi\"}\n\n"), func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
		{"data that is not JSON", events("event: message\ndata: Hi\n\n"), func(err error) bool { return strings.Contains(err.Error(), `decode event "message"`) }},
		{"another content type", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{}`)
		}, func(err error) bool { return strings.Contains(err.Error(), `"application/json"`) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := drain(serve(t, test.handler), t.Context()); err == nil || !test.want(err) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// endless sends events until the client goes away, then closes gone.
func endless(gone chan<- struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer close(gone)
		w.Header().Set("Content-Type", "text/event-stream")
		for r.Context().Err() == nil {
			if _, err := fmt.Fprint(w, "event: message\ndata: {\"content\":\"more \"}\n\n"); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
		}
	}
}

func TestBreakingOffClosesTheConnection(t *testing.T) {
	gone := make(chan struct{})
	c := serve(t, endless(gone))
	for _, err := range c.Webchat.StreamSendWebchatMessage(t.Context(), webchat.WebchatRequest{Message: "Hey!"}) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	<-gone
}

func TestCancellationEndsTheStreamWithTheContextsError(t *testing.T) {
	gone := make(chan struct{})
	c := serve(t, endless(gone))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range c.Webchat.StreamSendWebchatMessage(ctx, webchat.WebchatRequest{Message: "Hey!"}) {
		cancel()
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("last error is %v, want context.Canceled", last)
	}
	<-gone
}

func TestPlainCallsShareKeyAndErrors(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer k" || r.URL.Path != "/api/v1/agents/agent_1" {
			t.Errorf("request %s with %q", r.URL, r.Header.Get("Authorization"))
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"error":"No such agent."}`)
	})
	_, err := c.Characters.GetAgent(t.Context(), "agent_1")
	var typed *characters.Error
	if !errors.As(err, &typed) || typed.Answer == nil || typed.Answer.Error != "No such agent." {
		t.Errorf("typed error is %+v", typed)
	}
	var refused *client.Error
	if !errors.As(err, &refused) || refused.StatusCode != 404 {
		t.Errorf("error = %v", err)
	}
}

func TestNewRefusesAddressesThatCannotWork(t *testing.T) {
	for _, base := range []string{"", "localhost:8080", "/api", "ftp://host", "http://", "http://a b"} {
		if _, err := client.New(base); err == nil {
			t.Errorf("New(%q) succeeded", base)
		}
	}
}

// What the document must say about events, and what happens when it does not.
func TestGeneratorRefusesEventsThatItCannotType(t *testing.T) {
	bundle, err := os.ReadFile("../../gen/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, old, new, want string }{
		{"no discriminator", `"propertyName": "event"`, `"propertyName": "kind"`, "discriminated by event"},
		{"data without a name", `"data": {
            "$ref": "#/components/schemas/WebchatEnd"
          }`, `"data": {"type": "object"}`, "named schema"},
		{"an event called id", `"enum": [
              "end"
            ]`, `"enum": ["ID"]`, "collides"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if !strings.Contains(string(bundle), test.old) {
				t.Fatalf("the bundle has no %s", test.old)
			}
			in := filepath.Join(t.TempDir(), "openapi.json")
			if err := os.WriteFile(in, []byte(strings.ReplaceAll(string(bundle), test.old, test.new)), 0o600); err != nil {
				t.Fatal(err)
			}
			err := run(in, copyClients(t))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want one that says %q", err, test.want)
			}
		})
	}
}

// copyClients puts the generated clients where the generator may write.
func copyClients(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("../../gen/client")); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestNamelessStreamEndsWithItsLastData(t *testing.T) {
	for text, want := range map[string]error{
		"data: {}\n\ndata: [DONE]\n\n": nil,
		"data: {}\n\n":                 io.ErrUnexpectedEOF,
	} {
		c := serve(t, events(text))
		var last error
		for _, err := range c.Openai.StreamCreateChatCompletion(t.Context(), openai.ChatCompletionRequest{}) {
			last = err
		}
		if !errors.Is(last, want) {
			t.Errorf("%q ended with %v, want %v", text, last, want)
		}
	}
}
