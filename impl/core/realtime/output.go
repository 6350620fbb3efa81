package realtime

import (
	"strings"

	"parley/impl/core/id"
	"parley/impl/core/provider"
	"parley/impl/core/turn"
)

// output is an item that an answer is writing.
type output struct {
	item   Item
	index  int
	text   strings.Builder // of the message, or the arguments of the call
	before string          // the id of the item before it
	voice  *voice          // that speaks it; nil of what is not spoken
}

// take tells a piece of the answer.
func (a *answer) take(e turn.Event) {
	s := a.session
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Kind {
	case turn.Delta:
		if e.Text == "" {
			return
		}
		o := a.last()
		if o == nil || o.item.Type != Message {
			o = a.open(Item{Type: Message, Role: string(provider.RoleAssistant), Content: []Part{}})
		}
		o.text.WriteString(e.Text)
		kind := TextDelta
		if o.voice != nil {
			kind = TranscriptDelta
			o.voice.add(e.Text)
		}
		s.send(Event{Type: kind, ResponseID: a.shown.ID, ItemID: o.item.ID, Output: o.index, Text: e.Text})
	case turn.Calls:
		pieces, err := provider.DecodeCalls(e.Text)
		if err != nil {
			return // never: encoded by provider
		}
		for _, p := range pieces {
			a.takeCall(p)
		}
	}
}

func (a *answer) takeCall(p provider.CallPiece) {
	o := a.callPiece[p.Index]
	if o == nil {
		o = a.open(Item{Type: FunctionCall, CallID: p.ID, Name: p.Name})
		a.callPiece[p.Index] = o
	}
	if p.Arguments == "" {
		return
	}
	o.text.WriteString(p.Arguments)
	a.session.send(Event{Type: ArgumentsDelta, ResponseID: a.shown.ID, ItemID: o.item.ID, Output: o.index, CallID: o.item.CallID, Text: p.Arguments})
}

func (a *answer) last() *output {
	if len(a.outputs) == 0 {
		return nil
	}
	return a.outputs[len(a.outputs)-1]
}

// open begins an item. It takes its place in the conversation at once, so that
// what the client adds meanwhile comes behind it; ceilings hold for what clients
// add, not for answers that they have paid.
func (a *answer) open(item Item) *output {
	s := a.session
	item.ID, item.Object, item.Status = id.New("item_"), "realtime.item", InProgress
	if item.Type == FunctionCall {
		none := ""
		item.Arguments = &none
	}
	o := &output{item: item, index: len(a.outputs)}
	a.outputs = append(a.outputs, o)
	if !a.shown.OutOfBand {
		e := entry{Item: item}
		if n := len(s.entries); n > 0 {
			o.before, e.rank = s.entries[n-1].ID, s.entries[n-1].rank+rankStep
		}
		s.add(e, len(s.entries))
	}
	s.send(Event{Type: OutputAdded, ResponseID: a.shown.ID, Output: o.index, Item: o.shown()})
	if !a.shown.OutOfBand {
		s.send(Event{Type: ItemAdded, Item: o.shown(), Previous: o.before})
	}
	if item.Type == Message {
		s.send(Event{Type: PartAdded, ResponseID: a.shown.ID, ItemID: item.ID, Output: o.index, Spoken: a.shown.Spoken})
		if a.shown.Spoken {
			a.speak(o)
		}
	}
	return o
}

// shown is a copy of the item for an event.
func (o *output) shown() *Item {
	item := o.item
	return &item
}

// finish fixes what the item says.
func (o *output) finish(status string) {
	text := o.text.String()
	o.item.Status = status
	switch {
	case o.voice != nil:
		o.item.Content = []Part{{Type: OutputAudio, Transcript: &text, DurationMs: o.voice.milliseconds()}}
	case o.item.Type == Message:
		o.item.Content = []Part{{Type: OutputText, Text: &text}}
	default:
		o.item.Arguments = &text
	}
}

// close tells that the item is whole.
func (o *output) close(a *answer) {
	s := a.session
	e := Event{ResponseID: a.shown.ID, ItemID: o.item.ID, Output: o.index, Text: o.text.String(), CallID: o.item.CallID, Name: o.item.Name}
	told := []string{ArgumentsDone}
	switch {
	case o.voice != nil:
		told, e.Spoken = []string{SoundDone, TranscriptDone, PartDone}, true
	case o.item.Type == Message:
		told = []string{TextDone, PartDone}
	}
	for _, kind := range told {
		e.Type = kind
		s.send(e)
	}
	s.send(Event{Type: OutputDone, ResponseID: a.shown.ID, Output: o.index, Item: o.shown()})
	if !a.shown.OutOfBand {
		s.send(Event{Type: ItemDone, Item: o.shown(), Previous: o.before})
	}
}
