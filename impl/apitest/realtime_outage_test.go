package apitest_test

import (
	"net/http"
	"strings"
	"testing"

	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// The database goes away while an answer is made, or with the word that it was stored.
// Nobody is told of its end before it is stored, the session goes on, and nothing is missing or there twice.
func TestRealtimeAnswersOutliveAnOutageOfTheDatabase(t *testing.T) {
	t.Parallel()
	for what, vanish := range map[string]func(s *testkit.Server, finish func()){
		"before the answer's end": func(s *testkit.Server, finish func()) {
			s.Database.Cut()
			finish()
		},
		"with the word that it was stored": func(s *testkit.Server, finish func()) {
			lost := s.Database.CutAfter("insert into realtime_items")
			finish()
			<-lost
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := testkit.New(t)
			x := tenantOf(t, s, testkit.Unlimited, plenty)
			gate := make(chan struct{})
			x.Upstream(t, gated(gate), providertest.SSE("Two"))
			k := x.talkTo(t, "model="+testkit.UpstreamModel, nil)
			sessionID := k.sessionID()
			k.say(userSays("First"))
			k.hear("conversation.item.done")
			k.say(`{"type":"response.create"}`)
			k.hear("response.output_text.delta")
			vanish(s, func() { close(gate) })
			if got := k.mistake(userSays("While it is away")); got["type"] != "server_error" {
				t.Errorf("an item that could not be stored: %v", got)
			}
			if strings.Contains(k.kinds(), "response.done") {
				t.Errorf("the end was told before it was stored: %s", k.kinds())
			}
			s.Database.Restore()
			done := k.hear("response.done")
			if in(done, "response", "status") != "completed" || in(done, "response", "output", 0, "content", 0, "text") != "One" {
				t.Errorf("it ended as %v", done)
			}
			if got := k.ask("Second"); in(got, "response", "status") != "completed" {
				t.Errorf("the next ended as %v", got)
			}
			var stored struct {
				Items []object `json:"items"`
			}
			x.do(t, testkit.Request{Path: "/v1/realtime/sessions/" + sessionID}).Want(t, http.StatusOK).JSON(t, &stored)
			var texts []string
			for _, item := range stored.Items {
				texts = append(texts, in(item, "content", 0, "text").(string))
			}
			if got := strings.Join(texts, ", "); got != "First, One, Second, Two" {
				t.Errorf("stored %s", got)
			}
			x.wantConserved(t)
		})
	}
}
