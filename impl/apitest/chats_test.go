package apitest_test

import (
	"bufio"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"parley/gen/client/chats"
	"parley/impl/core/chat"
	"parley/impl/core/flow"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// duet is a flow of two agents of the upstream's model that speak a number of times.
func duet(turns int) string {
	return fmt.Sprintf(`{"nodes":[{"id":"a","type":"assistant","data":{"name":"Ann","model":%[1]q}},{"id":"b","type":"assistant","data":{"name":"Bob","model":%[1]q}}],
		"edges":[{"source":"a","target":"b","data":{"max_turns":%[2]d}}]}`, testkit.UpstreamModel, turns)
}

// triage is a flow in which a person answers an agent of the upstream's model.
var triage = fmt.Sprintf(`{"nodes":[{"id":"p","type":"user","data":{"name":"Me"}},{"id":"a","type":"assistant","data":{"name":"Triage","model":%q}}],
	"edges":[{"source":"p","target":"a"}]}`, testkit.UpstreamModel)

func TestTwoAgentsTalk(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t, providertest.SSE("One"), providertest.SSE("Two"), providertest.SSE("Three"))
	before := x.Money(t)
	id := x.chatOf(t, duet(2))
	x.say(t, id, "Begin").Want(t, http.StatusOK)
	if c := x.chatIs(t, id, "completed"); c.Reason != nil || c.Prompt != nil {
		t.Errorf("chat %+v", c)
	}
	if got := x.texts(t, id); !slices.Equal(got, []string{"Ann: Begin", "Bob: One", "Ann: Two", "Bob: Three"}) {
		t.Errorf("said %q", got)
	}
	if after := x.Money(t); after.HeldMicros != 0 || after.BalanceMicros > before.BalanceMicros {
		t.Errorf("money before %+v, after %+v", before, after)
	}
}

// Every transition that the states have, and every one that they do not.
func TestChatsChangeStateAsDocumented(t *testing.T) {
	failing := providertest.Status(http.StatusBadRequest, "bad", "no") // a step is tried three times
	t.Parallel()
	x := newTenant(t)
	up := x.Upstream(t, providertest.SSE("First"), providertest.Hang(), providertest.SSE("Second"),
		failing, failing, failing, providertest.SSE("Third"))
	id := x.chatOf(t, triage)
	refused := func(message, input int) {
		t.Helper()
		before := x.texts(t, id)
		if message != 0 {
			x.say(t, id, "A message").Want(t, message)
		}
		if input != 0 {
			x.input(t, id, "An input").Want(t, input)
		}
		if after := x.texts(t, id); !slices.Equal(before, after) {
			t.Errorf("a refusal changed %q to %q", before, after)
		}
	}
	refused(0, http.StatusConflict) // ready
	x.say(t, id, "Begin").Want(t, http.StatusOK)
	x.chatIs(t, id, "wait_for_human_input")
	refused(http.StatusConflict, 0)
	x.input(t, id, "More").Want(t, http.StatusOK)
	refused(http.StatusConflict, http.StatusConflict) // running
	eventually(t, "the model is asked", func() bool { return len(up.Received()) == 2 })
	var c, same chats.Chat
	x.do(t, testkit.Request{Method: http.MethodPost, Path: "/chats/" + id + "/abort"}).Want(t, http.StatusOK).JSON(t, &c)
	if c.Status != "completed" || c.Reason == nil {
		t.Errorf("cancelled %+v", c)
	}
	refused(0, http.StatusConflict) // completed
	x.say(t, id, "Again").Want(t, http.StatusOK)
	x.chatIs(t, id, "wait_for_human_input")
	x.input(t, id, "Fail").Want(t, http.StatusOK)
	if c := x.chatIs(t, id, "error"); c.Reason == nil || strings.Contains(*c.Reason, "bad") {
		t.Errorf("failed %+v", c)
	}
	refused(0, http.StatusConflict) // error
	x.say(t, id, "Once more").Want(t, http.StatusOK)
	x.chatIs(t, id, "wait_for_human_input")
	x.input(t, id, "exit").Want(t, http.StatusOK)
	x.chatIs(t, id, "completed")
	x.do(t, testkit.Request{Method: http.MethodPost, Path: "/chats/" + id + "/abort"}).Want(t, http.StatusOK).JSON(t, &same)
	if same.Status != "completed" || same.Reason != nil {
		t.Errorf("a chat that is over was cancelled: %+v", same)
	}
}

// The agents of a run see nothing of earlier ones.
func TestARunBeginsAfresh(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	up := x.Upstream(t, providertest.SSE("One"), providertest.SSE("Two"))
	id := x.chatOf(t, duet(1))
	for _, text := range []string{"First-question", "Second-question"} {
		x.say(t, id, text).Want(t, http.StatusOK)
		x.chatIs(t, id, "completed")
	}
	got := up.Received()
	if last := fmt.Sprint(got[len(got)-1].Body); strings.Contains(last, "First-question") || !strings.Contains(last, "Second-question") {
		t.Errorf("the model read %s", last)
	}
	if got := x.texts(t, id); len(got) != 4 {
		t.Errorf("said %q", got)
	}
}

// Of two people who answer at once, one is heard.
func TestTwoPeopleAnswerAtOnce(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	for i := range 100 {
		id := x.WaitingChat(t, x.Flow(t, testkit.Asking).ID, x.key.ID).ID
		// Nobody answers twice: the second person's input is for the other node, so each round must count one message.
		before := len(x.texts(t, id))
		x.input(t, id, "opens").Want(t, http.StatusOK)
		answers := make(chan int, 2)
		var both sync.WaitGroup
		cancel := testkit.Request{Method: http.MethodPost, Path: "/chats/" + id + "/abort"}
		both.Go(func() { answers <- x.input(t, id, "exit").Status })
		both.Go(func() { answers <- x.input(t, id, "exit").Status })
		both.Wait()
		got := []int{<-answers, <-answers}
		slices.Sort(got)
		if !slices.Equal(got, []int{http.StatusOK, http.StatusConflict}) {
			t.Fatalf("round %d: statuses %v", i, got)
		}
		if n := len(x.texts(t, id)); n != before+1 {
			t.Fatalf("round %d: %d messages, before %d", i, n, before)
		}
		x.do(t, cancel).Want(t, http.StatusOK)
	}
}

func TestAChatIsFollowed(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t, providertest.SSE("On", "e"), providertest.SSE("Two"))
	id := x.chatOf(t, duet(1))
	x.say(t, id, "Begin").Want(t, http.StatusOK)
	x.chatIs(t, id, "completed")
	events := x.do(t, testkit.Request{Path: "/chats/" + id + "/events"}).Want(t, http.StatusOK).Events(t)
	var names []string
	for _, e := range events {
		names = append(names, e.Name)
	}
	if !slices.Equal(names, []string{"message", "status", "speaking", "message", "status", "end"}) {
		t.Fatalf("events %v", names)
	}
	rest := x.do(t, testkit.Request{Path: "/chats/" + id + "/events", Header: map[string]string{"Last-Event-ID": "3"}}).Events(t)
	if len(rest) != 3 || rest[0].Name != "message" || !strings.Contains(string(rest[0].Data), `"One"`) {
		t.Errorf("resumed with %v", rest)
	}
	if after := x.do(t, testkit.Request{Path: "/chats/" + id + "/events?after=5", Header: map[string]string{"Last-Event-ID": "1"}}).Events(t); len(after) != 1 {
		t.Errorf("after the last: %v", after)
	}
}

// gated answers with a piece at once and another when the gate opens.
func gated(gate <-chan struct{}) providertest.Answer {
	return func(e *providertest.Exchange) {
		e.Start()
		e.Event(providertest.Chunk(map[string]any{"content": "On"}, ""))
		select {
		case <-gate:
		case <-e.Request.Context().Done():
			return
		}
		e.Event(providertest.Chunk(map[string]any{"content": "e"}, ""))
		e.Event(providertest.Chunk(map[string]any{}, "stop"))
		e.Event("[DONE]")
	}
}

func wantLine(t *testing.T, lines *bufio.Scanner, want string) {
	t.Helper()
	for lines.Scan() {
		if lines.Text() == want {
			return
		}
	}
	t.Fatalf("the stream ended without %q: %v", want, lines.Err())
}

// A follower sees the pieces as they are made, also on another server.
func TestAChatIsFollowedWhileItRuns(t *testing.T) {
	t.Parallel()
	first := testkit.New(t)
	second := testkit.Beside(t, first)
	x := tenantOf(t, first, testkit.Unlimited, plenty)
	for _, server := range []*testkit.Server{first, second} {
		gate := make(chan struct{})
		x.Upstream(t, gated(gate))
		id := x.chatOf(t, duet(1))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/chats/"+id+"/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-API-KEY", x.key.Text)
		x.say(t, id, "Begin").Want(t, http.StatusOK)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(res.Body)
		wantLine(t, lines, "event: delta")
		close(gate)
		wantLine(t, lines, "event: end")
		_ = res.Body.Close()
	}
}

func TestDeletingAChatEndsItsRunAndForgets(t *testing.T) {
	t.Parallel()
	x, canary := newTenant(t), testkit.Canary()
	up := x.Upstream(t, providertest.SSE("Said "+canary), providertest.HangAfter("Begun "+canary))
	id := x.chatOf(t, duet(2))
	x.say(t, id, "Begin "+canary).Want(t, http.StatusOK)
	eventually(t, "the second answer is begun", func() bool { return len(up.Received()) == 2 })
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: "/chats/" + id}).Want(t, http.StatusOK)
	x.do(t, testkit.Request{Path: "/chats/" + id + "/messages"}).Want(t, http.StatusNotFound)
	eventually(t, "nothing is left of it", func() bool { return len(tablesWith(t, x.server, canary)) == 0 && x.Money(t).HeldMicros == 0 })
}

func TestAWebhookIsToldThatAPersonIsAsked(t *testing.T) {
	t.Parallel()
	x, receiver := newTenant(t), testkit.NewReceiver(t)
	w := x.createWebhook(t, map[string]any{"url": receiver.URL, "events": []string{"chat.waiting"}})
	id := x.chatOf(t, testkit.Asking)
	x.say(t, id, "Begin").Want(t, http.StatusOK)
	if m := verified(t, receiver.Next(t), w.Secret); m.Type != "chat.waiting" || m.Data["chat_id"] != id || m.Data["run"] != 1.0 {
		t.Errorf("told %+v", m)
	}
}

func TestFlowsAreCheckedVersionedAndKept(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	bad := map[string]any{"nodes": []any{map[string]any{"id": "c", "type": "assistant", "data": map[string]any{"name": "Coder", "enable_code_execution": true}},
		map[string]any{"id": "k", "type": "assistant", "data": map[string]any{"name": "K", "agent_id": "agent_none", "model": "none"}}}, "edges": []any{}}
	var verdict chats.FlowValidation
	x.do(t, testkit.Request{Path: "/flow-validations", Body: map[string]any{"flow": bad}}).Want(t, http.StatusOK).JSON(t, &verdict)
	if verdict.Valid || len(verdict.Problems) != 1 || *verdict.Problems[0].Node != "c" || !strings.Contains(verdict.Problems[0].Reason, "Code is not executed") {
		t.Errorf("verdict %+v", verdict)
	}
	if got := x.do(t, testkit.Request{Path: "/flows", Body: map[string]any{"name": "Bad", "flow": bad}}).Want(t, http.StatusUnprocessableEntity); !strings.Contains(string(got.Body), "node c: Code") {
		t.Errorf("refused with %s", got.Body)
	}
	delete(bad["nodes"].([]any)[0].(map[string]any)["data"].(map[string]any), "enable_code_execution")
	x.do(t, testkit.Request{Path: "/flow-validations", Body: map[string]any{"flow": bad}}).Want(t, http.StatusOK).JSON(t, &verdict)
	if len(verdict.Problems) != 2 || *verdict.Problems[0].Node != "k" || *verdict.Problems[1].Node != "k" {
		t.Errorf("verdict %+v", verdict)
	}

	id := x.flowOf(t, testkit.Asking)
	chatID := func() string {
		var c chats.Chat
		x.do(t, testkit.Request{Path: "/chats", Body: map[string]any{"name": "A chat", "from_flow": id}}).Want(t, http.StatusOK).JSON(t, &c)
		return c.ID
	}()
	x.say(t, chatID, "Begin").Want(t, http.StatusOK)
	var f chats.Flow
	x.do(t, testkit.Request{Method: http.MethodPatch, Path: "/flows/" + id, Body: map[string]any{"name": "Renamed"}}).Want(t, http.StatusOK).JSON(t, &f)
	if f.Version != 2 || f.Name != "Renamed" || len(f.Flow.Nodes) != 2 {
		t.Errorf("changed %+v", f)
	}
	if c := x.chatIs(t, chatID, "wait_for_human_input"); *c.FlowVersion != 1 {
		t.Errorf("a run changed its version: %+v", c)
	}
	x.input(t, chatID, "exit").Want(t, http.StatusOK)
	x.say(t, chatID, "Begin").Want(t, http.StatusOK)
	if c := x.chatIs(t, chatID, "wait_for_human_input"); *c.FlowVersion != 2 {
		t.Errorf("the next run has %+v", c)
	}
	var versions []chats.Flow
	first := x.do(t, testkit.Request{Path: "/v1/flows/" + id + "/versions?limit=1"}).Want(t, http.StatusOK)
	first.JSON(t, &versions)
	if len(versions) != 1 || versions[0].Version != 2 || !strings.Contains(first.Header.Get("Link"), "</v1/flows/"+id+"/versions?cursor=2") {
		t.Errorf("versions %+v, %s", versions, first.Header.Get("Link"))
	}
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: "/flows/" + id}).Want(t, http.StatusOK)
	x.input(t, chatID, "exit").Want(t, http.StatusOK)
	x.say(t, chatID, "It goes on").Want(t, http.StatusOK)
}

func TestTemplatesRunOnTheBuiltInModel(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	for _, template := range flow.Templates {
		var c chats.Chat
		x.do(t, testkit.Request{Path: "/chats", Body: map[string]any{"name": "T", "from_type": chat.FromTemplate, "from_template": template.ID}}).Want(t, http.StatusOK).JSON(t, &c)
		x.say(t, c.ID, "What is a good name for a boat?").Want(t, http.StatusOK)
		want := "completed"
		if template.ID == "support-triage" {
			want = "wait_for_human_input"
		}
		x.chatIs(t, c.ID, want)
		if n := len(x.texts(t, c.ID)); n < 2 {
			t.Errorf("%s: %d messages", template.ID, n)
		}
	}
	x.do(t, testkit.Request{Path: "/chats", Body: `{"name":"T","from_type":"template","from_template":"none"}`}).Want(t, http.StatusNotFound)
	x.do(t, testkit.Request{Path: "/chats", Body: `{"name":"T"}`}).Want(t, http.StatusUnprocessableEntity)
}

// Whatever is asked at one place is answered alike at the other.
func TestBothMountsAnswerAlike(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	for _, op := range testkit.Operations() {
		if op.Surface() != "chats" || op.Method != http.MethodGet {
			continue
		}
		r := x.sample(t, op)
		one := x.do(t, r)
		r.Path = "/v1" + r.Path
		if other := x.do(t, r); one.Status != other.Status || string(one.Body) != string(other.Body) {
			t.Errorf("%s: %d %s at one place, %d %s at the other", op.OperationID, one.Status, one.Body, other.Status, other.Body)
		}
	}
	for _, path := range []string{"/chats/none", "/v1/chats/none"} {
		x.do(t, testkit.Request{Path: path}).Want(t, http.StatusNotFound)
		if got := x.do(t, testkit.Request{Path: path + "/messages", Body: `{}`}).Want(t, http.StatusUnprocessableEntity); !strings.Contains(string(got.Body), `["body","message"]`) {
			t.Errorf("refused with %s", got.Body)
		}
	}
	x.do(t, testkit.Request{Path: "/v1/chat"}).Want(t, http.StatusNotFound)
}

// A run without money, or whose key is gone, ends with a reason.
func TestRunsThatCannotBePaidTellWhy(t *testing.T) {
	t.Parallel()
	x := tenantOf(t, testkit.Shared(t), testkit.Unlimited, 0)
	x.Upstream(t, providertest.SSE("Hi"))
	x.Price(t, testkit.UpstreamModel, 1_000_000, 1_000_000)
	id := x.chatOf(t, duet(1))
	x.say(t, id, "Begin").Want(t, http.StatusOK)
	if c := x.chatIs(t, id, "error"); c.Reason == nil || *c.Reason != "Insufficient account balance" {
		t.Errorf("chat %+v", c)
	}
	waiting := x.WaitingChat(t, x.flowOf(t, triage2), x.id(t, "key_id")).ID
	x.Revoke(t, x.id(t, "key_id"))
	x.input(t, waiting, "Go on").Want(t, http.StatusOK)
	if c := x.chatIs(t, waiting, "error"); c.Reason == nil || !strings.Contains(*c.Reason, "key that pays") {
		t.Errorf("chat %+v", c)
	}
}

// triage2 asks the person first.
var triage2 = fmt.Sprintf(`{"nodes":[{"id":"a","type":"assistant","data":{"name":"Triage","model":%q}},{"id":"p","type":"user","data":{"name":"Me"}}],
	"edges":[{"source":"a","target":"p"}]}`, testkit.UpstreamModel)

func TestPeopleDoNotPayForRuns(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	r := testkit.Request{Path: "/chats/" + x.id(t, "chat_id") + "/messages", Body: `{"message":"Hi"}`, Key: x.prepare(t).owner.Session}
	if got := x.server.Do(t, r).Want(t, http.StatusUnprocessableEntity); !strings.Contains(string(got.Body), "pays for it") {
		t.Errorf("refused with %s", got.Body)
	}
}

func TestListsOfChatsHavePages(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	flowID := x.id(t, "flow_id")
	for range 3 {
		x.Chat(t, flowID)
	}
	var seen []string
	path := "/chats?limit=2"
	for path != "" {
		got := x.do(t, testkit.Request{Path: path}).Want(t, http.StatusOK)
		var page []chats.Chat
		got.JSON(t, &page)
		for _, c := range page {
			seen = append(seen, c.ID)
		}
		path = strings.TrimSuffix(strings.TrimPrefix(got.Header.Get("Link"), "<"), `>; rel="next"`)
	}
	if len(seen) != 3 || !slices.IsSortedFunc(seen, func(a, b string) int { return strings.Compare(b, a) }) {
		t.Errorf("seen %v", seen)
	}
	x.say(t, seen[0], "One").Want(t, http.StatusOK)
	x.say(t, seen[0], "Two").Want(t, http.StatusOK)
	got := x.do(t, testkit.Request{Path: "/chats/" + seen[0] + "/messages?limit=1"})
	if link := got.Header.Get("Link"); !strings.Contains(link, "cursor=1&limit=1") || !strings.Contains(string(got.Body), `"One"`) {
		t.Errorf("messages %s, %s", got.Body, link)
	}
	x.Flow(t)
	if flows := x.do(t, testkit.Request{Path: "/flows?limit=1"}); flows.Header.Get("Link") == "" {
		t.Errorf("flows %s", flows.Body)
	}
}
