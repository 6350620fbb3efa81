package apitest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"parley/gen/client/chats"
	"parley/impl/app"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// nested is a flow in which an agent of the upstream's model makes its answer by a chat with another.
var nested = fmt.Sprintf(`{"nodes":[{"id":"me","type":"user","data":{"name":"Me","human_input_mode":"NEVER"}},{"id":"b","type":"assistant","data":{"name":"Bob","model":%[1]q}},
	{"id":"n","type":"nestedchat","data":{"name":"Check"}},{"id":"c","type":"assistant","data":{"name":"Cid","model":%[1]q}}],
	"edges":[{"source":"me","target":"b","data":{"max_turns":1}},{"source":"b","target":"n"},{"source":"n","target":"c"}]}`, testkit.UpstreamModel)

// beginsAndTells answers with a piece, and then waits for its client to leave.
func beginsAndTells(begun, left chan<- struct{}) providertest.Answer {
	return func(e *providertest.Exchange) {
		e.Start()
		e.Event(providertest.Chunk(map[string]any{"content": "Well"}, ""))
		begun <- struct{}{}
		e.Hold()
		left <- struct{}{}
	}
}

// slowTool is a server whose answers wait for their clients to leave.
func slowTool(t *testing.T, begun, left chan<- struct{}) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-r.Context().Done()
		left <- struct{}{}
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL
}

func (x tenant) abort(t *testing.T, chatID string) chats.Chat {
	t.Helper()
	var c chats.Chat
	x.do(t, testkit.Request{Method: http.MethodPost, Path: "/chats/" + chatID + "/abort"}).Want(t, http.StatusOK).JSON(t, &c)
	return c
}

// anyTurns is for a run that was cancelled while it may have begun another turn, which then ends.
const anyTurns = -1

// isOver checks that a run was ended in order, whatever was under way: nothing runs or is held, nothing was booked
// twice, and the chat takes another message.
func (x tenant) isOver(t *testing.T, chatID string, turns int) {
	t.Helper()
	if c := x.chatIs(t, chatID, "completed"); c.Reason == nil || *c.Reason != "The run was cancelled." || c.Prompt != nil {
		t.Errorf("cancelled %+v", c)
	}
	raw := sql(t, x.server)
	eventually(t, "its job and all of its turns have ended", func() bool {
		var going int
		if err := raw.Get(&going, `select (select count(*) from jobs where account_id = $1 and kind = 'chats.run' and finished_at is null)
			+ (select count(*) from turns where account_id = $1 and state = 'running')`, x.ID); err != nil {
			t.Fatal(err)
		}
		return going == 0
	})
	x.wantConserved(t)
	var begun, odd int
	if err := raw.Get(&begun, `select count(*) from turns where account_id = $1 and state <> 'failed'`, x.ID); err != nil || turns != anyTurns && begun != turns {
		t.Errorf("%d turns, want %d, %v", begun, turns, err)
	}
	if err := raw.Get(&odd, `select count(*) from turns t where t.account_id = $1 and 1 <> (
		select count(*) from ledger l where l.account_id = $1 and l.turn_id = t.turn_id and l.kind = 'usage')`, x.ID); err != nil || odd != 0 {
		t.Errorf("%d turns without exactly one entry, %v", odd, err)
	}
}

// cancelPoint is where a run can be when it is cancelled.
type cancelPoint struct {
	flow    func(x tenant) string
	answers []providertest.Answer
	waits   bool // for a person, and nobody is called off
	turns   int
	says    int // messages before it is cancelled
}

// cancelPoints are all, by name. Who works for the run at such a point tells when that has begun, and is left.
func cancelPoints(t *testing.T, begun, left chan<- struct{}) map[string]cancelPoint {
	t.Helper()
	hangs := beginsAndTells(begun, left)
	return map[string]cancelPoint{
		"while a model answers":            {flow: func(tenant) string { return duet(2) }, answers: []providertest.Answer{hangs}, turns: 1, says: 1},
		"between the answers of two":       {flow: func(tenant) string { return duet(2) }, answers: []providertest.Answer{providertest.SSE("One"), hangs}, turns: 2, says: 2},
		"within nested chats":              {flow: func(tenant) string { return nested }, answers: []providertest.Answer{hangs}, turns: 1, says: 2},
		"while a person is asked":          {flow: func(tenant) string { return triage }, answers: []providertest.Answer{providertest.SSE("One")}, waits: true, turns: 1, says: 2},
		"while a call waits for approval":  {flow: func(x tenant) string { return x.calling(t, begun, left, "always") }, waits: true, turns: 1, says: 1},
		"while a tool is called":           {flow: func(x tenant) string { return x.calling(t, begun, left, "never") }, turns: 1, says: 1},
		"while an approved tool is called": {flow: func(x tenant) string { return x.calling(t, begun, left, "always") }, turns: 1, says: 1},
	}
}

// A run that waits for a model, a tool or a person is cancelled, and whoever it waits for hears of it.
func TestARunIsCancelledAtAnyPoint(t *testing.T) {
	t.Parallel()
	for what := range cancelPoints(t, nil, nil) {
		begun, left := make(chan struct{}, 1), make(chan struct{}, 1) // its own: what begins "Once more" tells, too
		c := cancelPoints(t, begun, left)[what]
		x := newTenant(t)
		x.Upstream(t, append(c.answers, providertest.SSE("Again"))...)
		x.Price(t, testkit.UpstreamModel, 1_000, 1_000)
		id := x.chatOf(t, c.flow(x))
		x.say(t, id, "Begin").Want(t, http.StatusOK)
		if what == "while an approved tool is called" {
			x.chatIs(t, id, "wait_for_human_input")
			x.input(t, id, "yes").Want(t, http.StatusOK)
		}
		if c.waits {
			x.chatIs(t, id, "wait_for_human_input")
		} else {
			await(t, what+": it is under way", begun)
		}
		if got := x.abort(t, id); got.Status != "completed" {
			t.Errorf("%s: %+v", what, got)
		}
		if !c.waits {
			await(t, what+": it is called off", left)
		}
		x.isOver(t, id, c.turns)
		if got := x.texts(t, id); len(got) != c.says {
			t.Errorf("%s: said %q", what, got)
		}
		x.input(t, id, "Too late").Want(t, http.StatusConflict)
		x.say(t, id, "Once more").Want(t, http.StatusOK)
		x.abort(t, id)
	}
}

// calling is a flow whose agent calls a tool that does not answer.
func (x tenant) calling(t *testing.T, begun, left chan<- struct{}, approval string) string {
	t.Helper()
	return callingFlow(x.httpTool(t, "find", "GET", slowTool(t, begun, left)+"/{order_id}", object{"approval": approval}).ID, "required")
}

// await waits for a signal.
func await(t *testing.T, what string, signal <-chan struct{}) {
	t.Helper()
	select {
	case <-signal:
	case <-time.After(30 * time.Second):
		t.Fatal("in vain waited: " + what)
	}
}

// However far a run has come, in the moment in which it is cancelled nothing slips through: also before its first step.
func TestARunIsCancelledBetweenItsSteps(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	var left atomic.Int64 // answers until the upstream has the run wait, so that none comes to its own end
	x.Upstream(t, func(e *providertest.Exchange) {
		if left.Add(-1) < 0 {
			e.Hold()
			return
		}
		providertest.SSE("On", "ward")(e)
	})
	x.Price(t, testkit.UpstreamModel, 1_000, 1_000)
	flowID := x.flowOf(t, duet(50))
	for messages := range 12 {
		var made chats.Chat
		left.Store(int64(messages) + 3)
		x.do(t, testkit.Request{Path: "/chats", Body: object{"name": "A chat", "from_flow": flowID}}).Want(t, http.StatusOK).JSON(t, &made)
		x.say(t, made.ID, "Begin").Want(t, http.StatusOK)
		eventually(t, "it has come so far", func() bool { return len(x.texts(t, made.ID)) > messages })
		x.abort(t, made.ID)
		said := len(x.texts(t, made.ID))
		x.isOver(t, made.ID, anyTurns)
		if after := len(x.texts(t, made.ID)); after != said {
			t.Errorf("%d messages when it was cancelled, then %d", said, after)
		}
	}
}

// An answer, and a run, may take so long and no longer. The chat says so, and the model is called off.
func TestStepsAndRunsHaveLimits(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		limit  testkit.Option
		reason string
	}{
		"a step": {func(c *app.Config) { c.ChatStepTime = time.Second }, "An answer took longer than 1 second."},
		"a run":  {func(c *app.Config) { c.ChatRunTime = 2 * time.Second }, "The run took longer than 2 seconds without a person."},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			x := tenantOf(t, testkit.New(t, c.limit), testkit.Unlimited, plenty)
			begun, left := make(chan struct{}, 1), make(chan struct{}, 1)
			x.Upstream(t, beginsAndTells(begun, left), providertest.SSE("Again"))
			x.Price(t, testkit.UpstreamModel, 1_000, 1_000)
			id := x.chatOf(t, duet(1))
			x.say(t, id, "Begin").Want(t, http.StatusOK)
			if got := x.chatIs(t, id, "error"); got.Reason == nil || *got.Reason != c.reason {
				t.Errorf("chat %+v", got)
			}
			await(t, "the model is called off", left)
			eventually(t, "nothing is held", func() bool { return x.Money(t).HeldMicros == 0 })
			x.wantConserved(t)
			x.say(t, id, "Once more").Want(t, http.StatusOK)
			x.chatIs(t, id, "completed")
		})
	}
}
