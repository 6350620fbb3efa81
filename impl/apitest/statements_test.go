package apitest_test

import (
	"fmt"
	"net/http"
	"regexp"
	"testing"

	"parley/db/dbtest"
	"parley/impl/app"
	"parley/impl/testkit"
)

// writing matches a statement that changes something: it ends in a commit that waits for the disk.
var writing = regexp.MustCompile(`(?i)(^|\()\s*(insert into|update \w|delete from)`)

// ceiling is what one request of an operation may cost once its statements are
// prepared: round trips to Postgres, and commits that write. Preparing anew is
// never due. A change that needs more must raise the number on purpose.
type ceiling struct {
	request       testkit.Request
	trips, writes int
}

// ceilings are those of the operations that clients call the most.
func (x tenant) ceilings(t *testing.T) map[string]ceiling {
	hello := map[string]any{"message": "Hi"}
	message := map[string]any{"model": "parley-builtin", "messages": []any{map[string]any{"role": "user", "content": "Hi"}}}
	passing := map[string]any{"store": false}
	for name, value := range message {
		passing[name] = value
	}
	get := func(path string) testkit.Request { return testkit.Request{Path: path} }
	post := func(path string, body any) testkit.Request { return testkit.Request{Path: path, Body: body} }
	return map[string]ceiling{
		// key with the version of what is offered, beginning, end
		"a chat that begins": {post("/api/v1/chat", hello), 3, 2},
		// and the session with its history
		"a chat that goes on":      {post("/api/v1/chat", map[string]any{"message": "Hi", "session_id": x.id(t, "session_id")}), 5, 2},
		"a completion":             {post("/v1/chat/completions", message), 3, 2},
		"a completion not stored":  {post("/v1/chat/completions", passing), 3, 2},
		"a message to a character": {post("/api/v1/conversations/"+x.id(t, "conversation_id")+"/messages", map[string]any{"content": "Hi"}), 5, 2},
		"an agent":                 {get("/api/v1/agents/" + x.id(t, "agent_id")), 2, 0},
		"a conversation":           {get("/api/v1/conversations/" + x.id(t, "conversation_id")), 2, 0},
		"the agents":               {get("/api/v1/agents?limit=20"), 2, 0},
		// key, language models, models for embeddings, agents
		"the models":                 {get("/v1/models"), 4, 0},
		"the sessions":               {get("/api/v1/sessions"), 2, 0},
		"the state of an answer":     {get("/api/v1/turns/" + x.id(t, "turn_id")), 2, 0},
		"health, which asks nothing": {get("/healthz"), 0, 0},
	}
}

// Each main operation takes so many round trips, commits and no plans on warm
// connections. Loops of the server send statements too; of some requests, the
// cheapest was not disturbed by one.
func TestAWarmRequestTakesItsStatementsAndNoMore(t *testing.T) {
	t.Parallel()
	s := testkit.New(t, func(c *app.Config) { c.DatabaseConns = 2 }) // few, so that all know the statements soon
	x := tenantOf(t, s, testkit.Unlimited, plenty)
	key := x.Key(t, testkit.Scopes("webchat", "characters", "openai"), testkit.App(x.key.AppID))
	for name, c := range x.ceilings(t) {
		t.Run(name, func(t *testing.T) {
			c.request.Key = key.Text
			var best dbtest.Traffic
			for attempt := range 40 {
				s.Database.Traffic()
				if got := s.Do(t, c.request); got.Status >= http.StatusMultipleChoices {
					t.Fatalf("status %d: %s", got.Status, got.Body)
				}
				sent := s.Database.Traffic()
				if attempt == 0 || sent.Parses+sent.RoundTrips < best.Parses+best.RoundTrips {
					best = sent
				}
				if cost := c.compare(best); cost == "" {
					return
				}
			}
			t.Errorf("it takes %s: %q", c.compare(best), best.Executed)
		})
	}
}

// compare words what traffic costs; "" when it is within the ceiling.
func (c ceiling) compare(sent dbtest.Traffic) string {
	writes := 0
	for _, statement := range sent.Executed {
		if writing.MatchString(statement) {
			writes++
		}
	}
	if sent.RoundTrips <= c.trips && writes <= c.writes && sent.Parses == 0 {
		return ""
	}
	return fmt.Sprintf("%d round trips, %d commits and %d plans; at most %d, %d and 0", sent.RoundTrips, writes, sent.Parses, c.trips, c.writes)
}
