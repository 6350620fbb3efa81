package turn_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/money"
	"parley/impl/core/provider"
	"parley/impl/core/provider/providertest"
	"parley/impl/core/turn"
)

func TestEverythingIsDurableWhenTheTerminalEventArrives(t *testing.T) {
	t.Parallel()
	script := providertest.Script{
		Pieces: []provider.Delta{{Thought: "hmm"}, {Text: "Hello"}, {Text: " there", Thought: "!"}},
		Usage:  &provider.Usage{InputTokens: 7, OutputTokens: 5},
	}
	b := setup(t, providertest.NewScripted(script))
	live := b.start(t, b.input("Hi"))
	var events []turn.Event
	for e := range live.Follow(t.Context(), 0) {
		events = append(events, e)
		if !e.Terminal() {
			continue
		}
		row := b.turn(t, live.ID)
		cost := money.Cost(7, 5, priceIn, priceOut)
		if row.State != turn.Completed || row.InputTokens != 7 || row.OutputTokens != 5 || row.Estimated ||
			row.CostMicros != cost || row.LastEvent != e.N || row.EndedAt == nil {
			t.Errorf("turn at its terminal event: %+v", row)
		}
		ms := b.messages(t, *row.ConversationID)
		if len(ms) != 2 || ms[0].Content != "Hi" || ms[1].Content != "Hello there" || ms[1].Thought != "hmm!" ||
			ms[1].Seq != 2 || *ms[1].ModelID != "scripted" || *ms[1].TurnID != live.ID {
			t.Errorf("messages at the terminal event: %+v", ms)
		}
		if n := b.usageRows(t, live.ID); n != 1 {
			t.Errorf("%d usage entries", n)
		}
		if a := b.account(t); a.HeldMicros != 0 || a.SpentMicros != cost {
			t.Errorf("account at the terminal event: %+v", a)
		}
		if stored := b.stored(t, live.ID); !sameLog(stored, events) {
			t.Errorf("stored log %+v, read %+v", stored, events)
		}
	}
	contiguous(t, events, 1, turn.Completed)
	answer, err := live.Wait(t.Context())
	if err != nil || answer.Content != "Hello there" || answer.MessageID == "" || answer.Usage != *script.Usage {
		t.Errorf("answer %+v, %v", answer, err)
	}
	c, err := b.db.Conversation(t.Context(), b.caller.AccountID, surface, answer.ConversationID)
	if err != nil || c.LastSeq != 2 || c.InputTokens != 7 || c.OutputTokens != 5 || c.Preview != "Hello there" {
		t.Errorf("conversation %+v, %v", c, err)
	}
}

func TestReadersFollowAtTheirOwnPaceAndLeaveWithoutEndingTheRun(t *testing.T) {
	t.Parallel()
	script, gate := gated("a", "b", "c", "d")
	b := setup(t, providertest.NewScripted(script))
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	live, err := b.engine.Start(ctx, b.input("Hi"))
	if err != nil {
		t.Fatal(err)
	}
	gate <- struct{}{}
	for e := range live.Follow(ctx, 0) {
		if e.Text == "a" {
			leave() // the request that began it goes away too
		}
	}
	var readers sync.WaitGroup
	for n := range int64(4) {
		readers.Go(func() {
			events := follow(t.Context(), live, n)
			contiguous(t, events, n+1, turn.Completed)
			if want := "abcd"[n:]; text(events) != want {
				t.Errorf("reader from %d got %q, want %q", n, text(events), want)
			}
		})
	}
	close(gate)
	readers.Wait()
	contiguous(t, follow(t.Context(), live, 0), 1, turn.Completed) // a late one gets all
}

func TestEveryCursorGetsAnEnd(t *testing.T) {
	t.Parallel()
	b := setup(t, providertest.NewScripted(providertest.Text("a", "b")))
	script, gate := gated("a", "b")
	running := setup(t, providertest.NewScripted(script))
	ended, live := b.start(t, b.input("Hi")), running.start(t, running.input("Hi"))
	if _, err := ended.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name   string
		cursor int64
		first  int64 // number of the first event to come, 0: none
	}{
		{"negative", -1, 1}, {"start", 0, 1}, {"inside", 1, 2}, {"before the end", 2, 3},
		{"at the end", 3, 0}, {"beyond the end", 4, 3}, {"huge", 1 << 62, 3},
	}
	var readers sync.WaitGroup
	for _, c := range cases {
		for name, l := range map[string]*turn.Live{"ended": ended, "running": live} {
			readers.Go(func() {
				events := follow(t.Context(), l, c.cursor)
				if c.first == 0 {
					if len(events) > 0 {
						t.Errorf("%s, %s: got %+v", name, c.name, events)
					}
					return
				}
				contiguous(t, events, c.first, turn.Completed)
			})
		}
	}
	close(gate)
	readers.Wait()
}

func TestAFailureKeepsThePartialTextAndPaysForIt(t *testing.T) {
	t.Parallel()
	script := providertest.Text("Once", " upon", " a time")
	script.Err, script.FailAfter = fault.New(fault.Upstream, "The model's answer was cut off."), 2
	b := setup(t, providertest.NewScripted(script))
	live := b.start(t, b.input("Tell me a story"))
	answer, err := live.Wait(t.Context())
	wantKind(t, err, fault.Upstream)
	events := follow(t.Context(), live, 0)
	contiguous(t, events, 1, turn.Failed)
	if last := events[len(events)-1]; last.Text != "The model's answer was cut off." {
		t.Errorf("terminal event %+v", last)
	}
	row := b.turn(t, live.ID)
	if row.State != db.TurnFailed || *row.Failure != "The model's answer was cut off." || !row.Estimated || row.OutputTokens == 0 || row.CostMicros == 0 {
		t.Errorf("turn %+v", row)
	}
	if ms := b.messages(t, answer.ConversationID); len(ms) != 2 || ms[1].Content != "Once upon" {
		t.Errorf("messages %+v", ms)
	}
	if a := b.account(t); a.HeldMicros != 0 || a.SpentMicros != row.CostMicros {
		t.Errorf("account %+v after a cost of %d", a, row.CostMicros)
	}
}

func TestAFailureBeforeTheFirstPieceCostsNothingAndLeavesNoAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, chatFunc(func(context.Context, func(provider.Delta) error) (provider.Result, error) {
		return provider.Result{}, errors.New("canary-of-an-internal-reason")
	}))
	answer, err := b.start(t, b.input("Hi")).Wait(t.Context())
	wantKind(t, err, fault.Internal)
	if answer.MessageID != "" || len(b.messages(t, answer.ConversationID)) != 1 {
		t.Errorf("answer %+v", answer)
	}
	if a := b.account(t); a.BalanceMicros != credit {
		t.Errorf("account %+v", a)
	}
	if row := b.turn(t, answer.TurnID); strings.Contains(*row.Failure, "canary") {
		t.Errorf("the reason of an internal failure is shown to readers: %q", *row.Failure)
	}
}

func TestAPanickingProviderFailsItsTurnAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, chatFunc(func(_ context.Context, emit func(provider.Delta) error) (provider.Result, error) {
		_ = emit(provider.Delta{Text: "so far"})
		panic("a defect")
	}))
	answer, err := b.start(t, b.input("Hi")).Wait(t.Context())
	wantKind(t, err, fault.Internal)
	if answer.Content != "so far" || !answer.Usage.Estimated || b.account(t).HeldMicros != 0 {
		t.Errorf("answer %+v", answer)
	}
}

func TestTextThatPostgresRefusesIsStoredAllTheSame(t *testing.T) {
	t.Parallel()
	script := providertest.Script{Pieces: []provider.Delta{
		{Text: "a\x00b"}, {Text: "\xff\xfe"}, {Text: "\x00"}, {Text: `\u0000 ü "q"`, Thought: "t\x00\xc3"},
	}}
	b := setup(t, providertest.NewScripted(script))
	live := b.start(t, b.input("Hi"))
	answer, err := live.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const want = "ab\ufffd" + `\u0000 ü "q"`
	ms := b.messages(t, answer.ConversationID)
	if answer.Content != want || ms[1].Content != want || ms[1].Thought != "t\ufffd" {
		t.Errorf("got %q, stored %q and %q", answer.Content, ms[1].Content, ms[1].Thought)
	}
	if stored := b.stored(t, live.ID); text(stored) != want || !sameLog(stored, follow(t.Context(), live, 0)) {
		t.Errorf("stored %+v", stored)
	}
}

func TestEventsOfALongRunAreStoredWhileItRuns(t *testing.T) {
	t.Parallel()
	script, gate := gated("a", "b", "c", "d", "e")
	b := setup(t, providertest.NewScripted(script))
	live := b.start(t, b.input("Hi"))
	gate <- struct{}{}
	for text(b.stored(t, live.ID)) != "a" { // in the background, though no next piece comes
		if t.Context().Err() != nil {
			t.Fatal("the first piece is never stored")
		}
	}
	close(gate)
	if _, err := live.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	contiguous(t, b.stored(t, live.ID), 1, turn.Completed)
}

func TestTheModelReadsPersonaPromptHistoryAndQuestion(t *testing.T) {
	t.Parallel()
	scripted := providertest.NewScripted()
	b := setup(t, scripted)
	in := b.input("Which colour?")
	in.Agent = &db.Agent{Name: "Ada", PersonalityPrompt: "calm"}
	in.SystemPrompt = "Answer briefly."
	in.History = []provider.Message{{Role: provider.RoleUser, Content: "I like blue."}, {Role: provider.RoleAssistant, Content: "Noted."}}
	if _, err := b.start(t, in).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []provider.Message{
		{Role: provider.RoleSystem, Content: "You are Ada.\nPersonality: calm"},
		{Role: provider.RoleSystem, Content: "Answer briefly."},
		{Role: provider.RoleUser, Content: "I like blue."},
		{Role: provider.RoleAssistant, Content: "Noted."},
		{Role: provider.RoleUser, Content: "Which colour?"},
	}
	if got := scripted.Requests()[0].Messages; !reflect.DeepEqual(got, want) {
		t.Errorf("the model read %+v", got)
	}
}

// chatFunc is a provider of the model "scripted" that answers as the function does.
type chatFunc func(ctx context.Context, emit func(provider.Delta) error) (provider.Result, error)

func (f chatFunc) Chat(ctx context.Context, _ provider.Request, emit func(provider.Delta) error) (provider.Result, error) {
	return f(ctx, emit)
}

func (chatFunc) Models(context.Context) ([]provider.Model, error) {
	return []provider.Model{{ID: "scripted", ContextTokens: 8192}}, nil
}
