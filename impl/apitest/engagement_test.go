package apitest_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/gen/client/engagement"
	core "parley/impl/core/engagement"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

func (x tenant) report(t *testing.T, body any) engagement.BehaviorOutcome {
	t.Helper()
	var out engagement.BehaviorOutcome
	x.do(t, testkit.Request{Path: "/api/v1/monitor/behavior", Body: body}).Want(t, http.StatusOK).JSON(t, &out)
	return out
}

func (x tenant) analyze(t *testing.T, query string, body any) engagement.Analysis {
	t.Helper()
	var out engagement.Analysis
	x.do(t, testkit.Request{Path: "/api/v1/analyze?" + query, Body: body}).Want(t, http.StatusOK).JSON(t, &out)
	return out
}

func TestABadEventIsRefusedAlone(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	late, early := time.Now().Add(time.Hour).Format(time.RFC3339), "1980-01-01T00:00:00Z"
	out := x.report(t, map[string]any{"events": []map[string]any{
		{"user_id": "ann", "type": "post", "event_id": "1"},
		{"user_id": "", "type": "post"}, {"type": "post"}, {"user_id": "ann"}, {"user_id": strings.Repeat("é", 129), "type": "post"},
		{"user_id": "ann", "type": "post", "at": late}, {"user_id": "ann", "type": "post", "at": early},
		{"user_id": "ann", "type": "post", "duration_seconds": -1}, {"user_id": "ann", "type": strings.Repeat("x", 65)},
		{"user_id": "ann", "type": "post", "properties": map[string]any{"long": strings.Repeat("x", 5000)}},
		{"user_id": "ann", "type": "post", "event_id": "1"},
		{"user_id": "bob", "type": "something of their own"},
	}})
	if out.Accepted != 2 || out.Duplicates != 1 || out.Failed != 9 || len(out.Users) != 2 || out.Users[1].UserID != "bob" {
		t.Errorf("outcome %+v", out)
	}
	for i, r := range out.Results {
		if failed := r.Status == engagement.BehaviorResultStatusFailed; failed != (i >= 1 && i <= 9) || failed != (r.Error != nil) {
			t.Errorf("event %d: %+v", i, r)
		}
	}
	for _, body := range []string{`{}`, `{"user_id":"ann"}`, `{"events":[]}`, `{"events":[{"user_id":5}]}`} {
		x.do(t, testkit.Request{Path: "/api/v1/monitor/behavior", Body: body}).Want(t, http.StatusBadRequest)
	}
}

func TestAnEventCountsOnceHoweverOftenItIsReported(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			x.report(t, map[string]any{"events": []map[string]any{
				{"user_id": "ann", "type": "post", "event_id": "undated"},
				{"user_id": "ann", "type": "like", "event_id": "dated", "at": time.Now().UTC().Truncate(time.Hour).Format(time.RFC3339)},
			}})
		})
	}
	wait.Wait()
	if a := x.analyze(t, "user_id=ann&timeframe=last_2_days", `{}`); a.Events != 2 {
		t.Errorf("%d events counted", a.Events)
	}
}

func TestAnAnalysisCanBeRecomputedByHand(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.report(t, `{"events":[
		{"user_id":"ann","type":"post","at":"2026-03-02T10:00:00Z","duration_seconds":150},
		{"user_id":"ann","type":"like","at":"2026-03-02T11:00:00Z"},
		{"user_id":"ann","type":"comment","at":"2026-03-04T23:30:00Z","duration_seconds":360},
		{"user_id":"ann","type":"dm","at":"2026-02-27T10:00:00Z"},
		{"user_id":"bob","type":"dm","at":"2026-03-03T10:00:00Z"}]}`)
	a := x.analyze(t, "user_id=ann&timeframe=2026-03-01..2026-03-04", `{}`)
	want := map[engagement.MetricName][2]float64{ // value, and that of 25 to 28 February
		"participation": {2.0 / 3, 0.7}, "consistency": {0.5, 0.25}, "frequency": {1.5, 1}, "depth": {0.75, 0}, "streaks": {1, 1},
		"social": {0.3, 1}, "retention": {1, 1}, "trend": {-1.0 / 3, 1}, "overall": {0.4*2/3 + 0.15 + 0.15 + 0.03, 0.28 + 0.075 + 0.1},
	}
	if a.Events != 3 || a.ActiveDays != 2 || a.Users != 1 || len(a.Metrics) != len(want) || *a.UserID != "ann" {
		t.Errorf("analysis %+v", a)
	}
	for _, m := range a.Metrics {
		if !near(m.Value, want[m.Name][0]) || !near(m.Previous, want[m.Name][1]) || !near(m.Change, m.Value-m.Previous) || len(m.Series) != 4 {
			t.Errorf("%s is %v, before %v, want %v", m.Name, m.Value, m.Previous, want[m.Name])
		}
	}
	if a := x.analyze(t, "user_id=ann&timeframe=2026-03-05..2026-03-05", `{"timezone":"Europe/Berlin"}`); a.Events != 1 {
		t.Errorf("%d events on Berlin's fifth of March", a.Events)
	}
	if a := x.analyze(t, "timeframe=2026-03-01..2026-03-04", `{"user_ids":["ann","bob","nobody"],"metrics":["retention"]}`); a.Users != 2 || a.Events != 4 || a.UserID != nil || a.Metrics[0].Value != 1 {
		t.Errorf("of three: %+v", a)
	}
	for query, body := range map[string]string{
		"timeframe=today": `{}`, "user_id=a&timeframe=never": `{}`, "user_id=a": `{"user_ids":["b"]}`, "user_id=b": `{"timezone":"Moon/Base"}`,
		"user_id=c": `{"metrics":["luck"]}`,
	} {
		x.do(t, testkit.Request{Path: "/api/v1/analyze?" + query, Body: body}).Want(t, http.StatusBadRequest)
	}
}

// Only a summary is a turn; what was computed without one is repeated as it was, too.
func TestARepeatedAnalysisIsTheFirstOne(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.report(t, `{"user_id":"ann","type":"post"}`)
	r := keyed(testkit.Request{Path: "/api/v1/analyze?user_id=ann&timeframe=last_2_days", Body: `{"metrics":["frequency"]}`}, "analysis")
	first := x.do(t, r).Want(t, http.StatusOK)
	x.report(t, `{"user_id":"ann","type":"post"}`)
	if again := x.do(t, r); !same(first, again) || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("first %s, again %s", first.Body, again.Body)
	}
}

func near(a, b float64) bool { return a-b < 2e-6 && b-a < 2e-6 }

func TestEveryBuiltInAgentAnswersInItsForm(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.report(t, `{"events":[{"user_id":"ann","type":"task_completed"},{"user_id":"ann","type":"dm"},{"user_id":"ann","type":"dm","at":"2026-01-01T00:00:00Z"}]}`)
	var listed engagement.EngagementAgentList
	x.get(t, "/api/v1/engagement/agents", &listed)
	if len(listed) != 9 {
		t.Errorf("%d agents", len(listed))
	}
	for _, agent := range listed {
		for _, user := range []string{"ann", "nobody"} {
			var got engagement.EngagementAnswer
			x.do(t, testkit.Request{Path: "/api/v1/generate?agent=" + agent.ID, Body: map[string]any{"prompt": "What now?", "user_id": user, "structured": true}}).
				Want(t, http.StatusOK).JSON(t, &got)
			if got.Agent != agent.ID || *got.ResultSource != engagement.EngagementAnswerResultSourceModel || len(got.Result) != len(agent.Schema["required"].([]any)) {
				t.Errorf("%s of %s: %+v", agent.ID, user, got)
			}
		}
		var shown map[string]any
		x.get(t, "/api/v1/agents/"+agent.ID, &shown)
		if shown["name"] != agent.Name {
			t.Errorf("%s is shown as %v", agent.ID, shown)
		}
	}
	x.do(t, testkit.Request{Path: "/api/v1/generate?agent=nobody", Body: `{"prompt":"Hi"}`}).Want(t, http.StatusBadRequest)
	x.do(t, testkit.Request{Path: "/api/v1/generate", Body: `{"prompt":"Hi"}`}).Want(t, http.StatusBadRequest)
}

func TestAnAnswerThatDoesNotFitTheFormGivesTheMethodsOwn(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.report(t, `{"user_id":"ann","type":"learning"}`)
	u := x.Upstream(t, providertest.SSE("I would rather not say."), providertest.SSE(`{"scores":{"achievement":0,"social":0,"mastery":0,"progress":1},"primary":"progress","recommendation":"Go on."}`))
	for _, want := range []string{"mastery", "progress"} {
		var got engagement.EngagementAnswer
		x.do(t, testkit.Request{Path: "/api/v1/generate?agent=motivation_mapping", Body: map[string]any{
			"prompt": "What drives her?", "user_id": "ann", "structured": true, "model": testkit.UpstreamModel,
		}}).Want(t, http.StatusOK).JSON(t, &got)
		if got.Result["primary"] != want || (*got.ResultSource == engagement.EngagementAnswerResultSourceMethod) != (want == "mastery") {
			t.Errorf("got %+v", got)
		}
	}
	if said := strings.Join(prompt(u.Received()[0]), "\n"); !strings.Contains(said, "of mastery 1") || !strings.Contains(said, "Weigh four motives") {
		t.Errorf("the model was told %s", said)
	}
}

func TestAnAgentGoesOnWhereItWasWithAUser(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t, providertest.SSE("Begin small."), providertest.SSE("Go on."), providertest.SSE("Who are you?"))
	own := x.Agent(t)
	say := func(agent, user, text string) {
		t.Helper()
		x.do(t, testkit.Request{Path: "/api/v1/agents/" + agent + "/interact", Body: map[string]any{"prompt": text, "user_id": user}}).Want(t, http.StatusOK)
	}
	say("habit_formation", "ann", "How do I begin?")
	path := "/api/v1/agents/habit_formation/states/ann"
	var first, second engagement.AgentState
	x.get(t, path, &first)
	x.do(t, testkit.Request{Method: http.MethodPatch, Path: path, Body: `{"goals":[{"name":"Walks","target":3,"progress":1,"period":"week"}],"themes":["mornings"]}`}).
		Want(t, http.StatusOK).JSON(t, &second)
	x.report(t, `{"user_id":"ann","type":"post"}`)
	say("habit_formation", "ann", "And now?")
	said := strings.Join(prompt(u.Received()[1]), "\n")
	for _, want := range []string{"How do I begin?", "Begin small.", `goal "Walks": 1 of 3 a week`, "mornings", "events: 1"} {
		if !strings.Contains(said, want) {
			t.Errorf("the model was not told %q: %s", want, said)
		}
	}
	var third engagement.AgentState
	x.get(t, path, &third)
	if first.Version < 1 || second.Version != first.Version+1 || third.Version != second.Version+1 || third.Streaks.Contribution != 1 || len(third.Goals) != 1 ||
		first.ConversationID != third.ConversationID {
		t.Errorf("states %+v, %+v, %+v", first, second, third)
	}
	var versions engagement.AgentStateList
	page := x.get(t, path+"/versions?limit=2", &versions)
	if len(versions) != 2 || versions[0].Version != third.Version || !strings.Contains(page.Header.Get("Link"), fmt.Sprint("cursor=", second.Version)) {
		t.Errorf("versions %+v, %s", versions, page.Header.Get("Link"))
	}
	say(own.ID, "bob", "Hello")
	if said := strings.Join(prompt(u.Received()[2]), "\n"); strings.Contains(said, "Begin small.") || !strings.Contains(said, own.Name) {
		t.Errorf("another agent was told %s", said)
	}
	x.do(t, testkit.Request{Path: "/api/v1/agents/habit_formation/states/bob"}).Want(t, http.StatusNotFound)
}

// hook makes a webhook and returns what waits for its next delivery.
func (x tenant) hook(t *testing.T, kind string) func() told {
	t.Helper()
	receiver := testkit.NewReceiver(t)
	w := x.createWebhook(t, map[string]any{"url": receiver.URL, "events": []string{kind}})
	return func() told { return verified(t, receiver.Next(t), w.Secret) }
}

func TestARuleTellsOnceACrossing(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.do(t, testkit.Request{Path: "/api/v1/engagement/rules", Body: `{"name":"Streak","figure":"daily_streak","comparison":"above","threshold":0.5,"action":"webhook"}`}).
		Want(t, http.StatusCreated)
	told := x.hook(t, "engagement.rule_met")
	for range 3 {
		x.report(t, `{"user_id":"ann","type":"post"}`)
	}
	x.report(t, `{"user_id":"bob","type":"post"}`)
	users := map[string]int{}
	for range 2 {
		users[told().Data["user_id"].(string)]++
	}
	if users["ann"] != 1 || users["bob"] != 1 {
		t.Errorf("told %v", users)
	}
}

func TestARuleLetsAnAgentWrite(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.do(t, testkit.Request{Path: "/api/v1/engagement/rules", Body: `{"name":"Welcome","figure":"daily_streak","comparison":"above","threshold":0.5,
		"action":"message","agent_id":"feedback_loop","prompt":"Welcome them."}`}).Want(t, http.StatusCreated)
	told := x.hook(t, "message.created")
	x.report(t, `{"user_id":"ann","type":"post"}`)
	told()
	var state engagement.AgentState
	x.get(t, "/api/v1/agents/feedback_loop/states/ann", &state)
	stored, err := x.server.DB.Messages(t.Context(), x.ID, state.ConversationID, 0, 10)
	if err != nil || len(stored) != 2 || stored[0].Content != "Welcome them." {
		t.Errorf("stored %+v, %v", stored, err)
	}
}

func TestRulesThatCannotWork(t *testing.T) {
	t.Parallel()
	x := tenantWith(t, "rule_id")
	const rule = `{"name":"R","figure":"risk","comparison":"above","threshold":0.5,"action":"message"%s}`
	for members, status := range map[string]int{
		``: http.StatusBadRequest, `,"agent_id":"feedback_loop"`: http.StatusBadRequest, `,"prompt":"Hi"`: http.StatusBadRequest,
		`,"agent_id":"agent_nobody","prompt":"Hi"`: http.StatusNotFound,
	} {
		x.do(t, testkit.Request{Path: "/api/v1/engagement/rules", Body: fmt.Sprintf(rule, members)}).Want(t, status)
	}
	for range core.RulesMax - 1 { // the tenant has one
		x.do(t, testkit.Request{Path: "/api/v1/engagement/rules", Body: strings.Replace(fmt.Sprintf(rule, ""), "message", "webhook", 1)}).Want(t, http.StatusCreated)
	}
	x.do(t, testkit.Request{Path: "/api/v1/engagement/rules", Body: strings.Replace(fmt.Sprintf(rule, ""), "message", "webhook", 1)}).Want(t, http.StatusConflict)
	var page engagement.EngagementRuleList
	if got := x.get(t, "/api/v1/engagement/rules?limit=10", &page); len(page) != 10 || got.Header.Get("Link") == "" {
		t.Errorf("%d rules, %s", len(page), got.Header.Get("Link"))
	}
}
