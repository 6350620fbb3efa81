package openai

import (
	gen "parley/gen/openai"
	"parley/impl/core/turn"
)

// forms are the chunks of one stream, which differ in their texts alone as long
// as one model answers. The options were looked at when they were made.
type forms struct {
	modelID            string
	content, reasoning *turn.Form // nil until the first of its kind
}

// fits tells whether an event is a chunk with a text and no more.
func (f *forms) fits(v turn.View, e turn.Event) bool {
	return e.N > 1 && (e.Kind == turn.Delta && e.Logprobs == "" || e.Kind == turn.Thought) && v.ModelID == f.modelID
}

// of is the form of the text of a kind.
func (f *forms) of(v turn.View, kind string) *turn.Form {
	form := &f.content
	if kind == turn.Thought {
		form = &f.reasoning
	}
	if *form == nil {
		*form = formOf(v, kind)
	}
	return *form
}

func formOf(v turn.View, kind string) *turn.Form {
	hole := turn.Hole
	delta := gen.ChatCompletionDelta{Content: &hole}
	if kind == turn.Thought {
		delta = gen.ChatCompletionDelta{ReasoningContent: &hole}
	}
	return turn.FormOf(choice(v, delta, nil).Data)
}
