package apitest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"parley/gen/client/webchat"
	"parley/impl/app"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// A server that is told to stop lets the stream under way finish.
func TestShutdownLetsStreamsFinish(t *testing.T) {
	t.Parallel()
	s := testkit.New(t)
	x := tenantOf(t, s, testkit.Unlimited, plenty)
	more := make(chan struct{})
	x.Upstream(t, func(e *providertest.Exchange) {
		e.Start()
		e.Event(providertest.Chunk(map[string]any{"content": "Begun"}, ""))
		<-more
		e.Event(providertest.Chunk(map[string]any{"content": " and ended."}, "stop"))
		e.Event("[DONE]")
	})
	var text string
	c := s.Client(t, x.key.Text)
	for event, err := range c.Webchat.StreamSendWebchatMessage(t.Context(), webchat.WebchatRequest{Message: "Hi"}) {
		if err != nil {
			t.Fatal(err)
		}
		if event.Message == nil {
			continue
		}
		if text += event.Message.Content; text == "Begun" {
			s.Shutdown()
			eventually(t, "new connections are refused", func() bool {
				_, err := http.Get(s.URL + "/healthz") //nolint:bodyclose // refused is what is waited for
				return err != nil
			})
			close(more)
		}
	}
	if text != "Begun and ended." {
		t.Errorf("the stream ended with %q", text)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}

// An upstream that never ends its answer cannot keep the server from stopping:
// the reader gets the error and the end, the text so far is kept.
func TestShutdownEndsWhatDoesNotFinish(t *testing.T) {
	t.Parallel()
	s := testkit.New(t, func(c *app.Config) { c.ShutdownTimeout = 200 * time.Millisecond })
	x := tenantOf(t, s, testkit.Unlimited, plenty)
	x.Upstream(t, providertest.HangAfter("Begun"))
	session := x.session(t, x.key.AppID)
	var names []string
	c := s.Client(t, x.key.Text)
	for event, err := range c.Webchat.StreamSendWebchatMessage(t.Context(), webchat.WebchatRequest{Message: "Hi", SessionID: &session.ID}) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, event.Event)
		if event.Message != nil {
			s.Shutdown()
		}
	}
	if strings.Join(names, " ") != "message error end" {
		t.Errorf("events %v", names)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	rows, err := s.DB.Messages(t.Context(), x.ID, session.ID, 3, 10)
	if err != nil || len(rows) != 1 || rows[0].Content != "Begun" {
		t.Errorf("kept %+v, %v", rows, err)
	}
}
