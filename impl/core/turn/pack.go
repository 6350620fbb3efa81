package turn

import (
	"encoding/json"
	"fmt"

	"parley/db"
)

// entry is an event as a Live keeps it. Most are a text and no more: they share
// the form, which is what an event has beside its number and text.
type entry struct {
	text string
	form *Event
}

// The forms of events that are a text and no more.
var (
	plainDelta   = &Event{Kind: Delta}
	plainThought = &Event{Kind: Thought}
	plainCalls   = &Event{Kind: Calls}
)

func entryOf(e Event) entry {
	if e.plain() {
		switch e.Kind {
		case Delta:
			return entry{text: e.Text, form: plainDelta}
		case Thought:
			return entry{text: e.Text, form: plainThought}
		case Calls:
			return entry{text: e.Text, form: plainCalls}
		}
	}
	form := e // only this copy is on the heap
	form.N, form.Text = 0, ""
	return entry{text: e.Text, form: &form}
}

// plain tells whether the event is a text and no more.
func (e *Event) plain() bool {
	return e.MessageID == "" && e.At.IsZero() && e.Usage == nil && e.Finish == "" && e.Model == "" && e.Logprobs == "" && !e.Detached && e.Citations == nil
}

// event is the entry as the event of a number.
func (e entry) event(n int64) Event {
	ev := *e.form
	ev.N, ev.Text = n, e.text
	return ev
}

// pack writes events as a log keeps them: without their numbers, which their
// places tell, and without the kind of a delta, of which most are. So a long
// answer takes little room, and most logs no out-of-line storage.
func pack(events []entry) []byte {
	out := []byte{'['}
	for i, e := range events {
		if i > 0 {
			out = append(out, ',')
		}
		if e.form == plainDelta && e.text != "" { // what encode makes of it, at a fraction
			out = append(appendQuoted(append(out, `{"text":`...), e.text), '}')
			continue
		}
		kept := e.event(0)
		if kept.Kind == Delta {
			kept.Kind = ""
		}
		out = append(out, encode(kept)...)
	}
	return append(out, ']')
}

// Unpack reads the events of a batch.
func Unpack(b db.EventBatch) ([]Event, error) {
	var events []Event
	if err := json.Unmarshal(b.Events, &events); err != nil {
		return nil, fmt.Errorf("decode events from %d on: %w", b.First, err)
	}
	for i := range events {
		events[i].N = b.First + int64(i)
		if events[i].Kind == "" {
			events[i].Kind = Delta
		}
	}
	return events, nil
}
