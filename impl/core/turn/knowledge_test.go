package turn_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"parley/impl/core/provider"
	"parley/impl/core/provider/providertest"
	"parley/impl/core/turn"
)

func passages(n int, text string) []provider.Passage {
	out := make([]provider.Passage, n)
	for i := range out {
		out[i] = provider.Passage{ID: fmt.Sprint("page_", i), Title: fmt.Sprint("Title ", i), URL: fmt.Sprint("https://site.test/", i), Text: text}
	}
	return out
}

// The pages that an answer cites stand in its terminal event, its answer and its message; the others do not.
func TestAnswersRecordWhatTheyCite(t *testing.T) {
	t.Parallel()
	scripted := providertest.NewScripted(providertest.Text("It takes a week [3], as agreed [1]", ", [9] and [3]."))
	b := setup(t, scripted)
	in := b.input("How long?")
	in.Knowledge = &turn.Knowledge{Passages: passages(3, "It takes a week.")}
	live := b.start(t, in)
	events := follow(t.Context(), live, 0)
	answer, err := live.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []turn.Citation{
		{N: 3, PageID: "page_2", Title: "Title 2", URL: "https://site.test/2", Excerpt: "It takes a week."},
		{N: 1, PageID: "page_0", Title: "Title 0", URL: "https://site.test/0", Excerpt: "It takes a week."},
	}
	last := events[len(events)-1]
	if !reflect.DeepEqual(answer.Citations, want) || !reflect.DeepEqual(last.Citations, want) {
		t.Errorf("answer cites %+v, event %+v", answer.Citations, last.Citations)
	}
	var stored []turn.Citation
	message := b.messages(t, answer.ConversationID)[1]
	if err := json.Unmarshal(message.Citations.JSONText, &stored); err != nil || !reflect.DeepEqual(stored, want) {
		t.Errorf("message cites %s, %v", message.Citations.JSONText, err)
	}
	if log := b.stored(t, live.ID); !sameLog(log, events) {
		t.Errorf("stored %+v, read %+v", log, events)
	}
	if got := scripted.Requests()[0].Knowledge; len(got) != 3 {
		t.Errorf("the model was offered %+v", got)
	}
}

// Passages are counted, and never take the place of the question.
func TestPassagesFitTheModel(t *testing.T) {
	t.Parallel()
	scripted := providertest.NewScripted()
	b := setup(t, scripted)
	in := b.input("How long?")
	plain := b.turn(t, b.start(t, in).ID).InputTokens
	in = b.input("How long?")
	in.Knowledge = &turn.Knowledge{Passages: passages(50, strings.Repeat("a long story ", 100))}
	live := b.start(t, in)
	begun := b.turn(t, live.ID).InputTokens
	if _, err := live.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	offered := scripted.Requests()
	if n := len(offered[len(offered)-1].Knowledge); n < 3 || n > 14 || begun-plain < 300*int64(n) || begun-plain > 4000 {
		t.Errorf("%d passages offered for %d tokens", n, begun-plain)
	}
}

func TestNoKnowledgeNoAnswer(t *testing.T) {
	t.Parallel()
	scripted := providertest.NewScripted(providertest.Text("invented"))
	b := setup(t, scripted)
	in := b.input("Who?")
	in.Knowledge = &turn.Knowledge{Only: true, NoAnswer: "I do not know that."}
	live := b.start(t, in)
	answer, err := live.Wait(t.Context())
	if err != nil || answer.Content != "I do not know that." || answer.CostMicros != 0 || answer.MessageID == "" || answer.FinishReason != provider.FinishStop {
		t.Errorf("answer %+v, %v", answer, err)
	}
	if len(scripted.Requests()) != 0 {
		t.Error("the model was asked")
	}
	if a := b.account(t); a.SpentMicros != 0 || a.HeldMicros != 0 {
		t.Errorf("account %+v", a)
	}
	in = b.input("Who?")
	in.Knowledge = &turn.Knowledge{NoAnswer: "I do not know that."} // the model may know
	if answer, err := b.start(t, in).Wait(t.Context()); err != nil || answer.Content != "invented" {
		t.Errorf("answer %+v, %v", answer, err)
	}
}

// builtIn is the built-in model under the name that the bundle's account knows.
type builtIn struct{ provider.BuiltIn }

func (builtIn) Models(context.Context) ([]provider.Model, error) {
	return []provider.Model{{ID: "scripted", Name: "Built-in", ContextTokens: 8192}}, nil
}

// The built-in model quotes what it was given and cites the page.
func TestTheBuiltInModelAnswersFromPassages(t *testing.T) {
	t.Parallel()
	b := setup(t, builtIn{})
	in := b.input("How long does a refund take?")
	in.Knowledge = &turn.Knowledge{Passages: []provider.Passage{
		{ID: "page_a", Title: "Delivery", Text: "Parcels arrive in two days."}, {ID: "page_b", Title: "Refunds", Text: "A refund takes 5 working days to arrive."},
	}}
	answer, err := b.start(t, in).Wait(t.Context())
	if err != nil || !strings.Contains(answer.Content, "“A refund takes 5 working days to arrive.” [2]") || len(answer.Citations) != 1 || answer.Citations[0].PageID != "page_b" {
		t.Errorf("answer %+v, %v", answer, err)
	}
}
