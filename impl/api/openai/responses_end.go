package openai

import (
	"slices"

	gen "parley/gen/openai"
	"parley/impl/core/provider"
	"parley/impl/core/turn"
)

// isEnd tells whether an event of this name ends the stream of a response.
func isEnd(name string) bool {
	return slices.Contains([]gen.ResponseStateDataType{
		gen.ResponseStateDataTypeResponseCompleted, gen.ResponseStateDataTypeResponseIncomplete, gen.ResponseStateDataTypeResponseFailed,
	}, gen.ResponseStateDataType(name))
}

// end takes in the terminal event. An answer without any output is an empty message.
func (f *fold) end(e turn.Event) {
	ended := e.At.Unix()
	f.now.CompletedAt = &ended
	if e.Usage != nil {
		f.now.Usage = &gen.ModelResponseUsage{
			InputTokens: e.Usage.InputTokens, OutputTokens: e.Usage.OutputTokens, TotalTokens: e.Usage.InputTokens + e.Usage.OutputTokens,
		}
	}
	kind := f.outcome(e)
	if e.Kind == turn.Completed {
		if len(f.items) == 0 {
			f.writing(gen.ResponseOutputItemTypeMessage)
		}
		status := gen.ResponseOutputItemStatusCompleted
		if f.now.IncompleteDetails != nil {
			status = gen.ResponseOutputItemStatusIncomplete
		}
		for _, m := range f.items {
			if m.open {
				if m.Type == gen.ResponseOutputItemTypeMessage {
					f.cite(m, e.Citations)
				}
				f.close(m, status)
			}
		}
	}
	f.now.Output = f.output(gen.ResponseOutputItemStatusIncomplete)
	f.state(kind)
}

// outcome sets how the response ended.
func (f *fold) outcome(e turn.Event) gen.ResponseStateDataType {
	switch {
	case e.Kind == turn.Cancelled:
		f.now.Status = gen.ModelResponseStatusCancelled
		return gen.ResponseStateDataTypeResponseFailed
	case e.Kind == turn.Failed:
		f.now.Status = gen.ModelResponseStatusFailed
		f.now.Error = &gen.ModelResponseError{Code: "server_error", Message: e.Text}
		return gen.ResponseStateDataTypeResponseFailed
	case e.Finish == provider.FinishLength:
		f.now.IncompleteDetails = &gen.ModelResponseCut{Reason: gen.ModelResponseCutReasonMaxOutputTokens}
	case e.Finish == provider.FinishContentFilter:
		f.now.IncompleteDetails = &gen.ModelResponseCut{Reason: gen.ModelResponseCutReasonContentFilter}
	default:
		f.now.Status = gen.ModelResponseStatusCompleted
		return gen.ResponseStateDataTypeResponseCompleted
	}
	f.now.Status = gen.ModelResponseStatusIncomplete
	return gen.ResponseStateDataTypeResponseIncomplete
}

// output is what was made so far; what is open has the status.
func (f *fold) output(open gen.ResponseOutputItemStatus) []gen.ResponseOutputItem {
	all := make([]gen.ResponseOutputItem, len(f.items))
	for i, m := range f.items {
		all[i] = m.full()
		if m.open {
			all[i].Status = open
		}
	}
	return all
}

// shown is the item as its events have it: empty when it begins.
func (m *making) shown() gen.ResponseOutputItem {
	if !m.open {
		return m.full()
	}
	out := m.full()
	if m.Type != gen.ResponseOutputItemTypeFunctionCall {
		out.Content = &[]gen.ResponseOutputPart{}
	}
	return out
}

// full is the item with its text so far.
func (m *making) full() gen.ResponseOutputItem {
	out := m.ResponseOutputItem
	if m.Type == gen.ResponseOutputItemTypeFunctionCall {
		arguments := m.text.String()
		out.Arguments = &arguments
		return out
	}
	out.Content = &[]gen.ResponseOutputPart{m.part()}
	if m.Type == gen.ResponseOutputItemTypeReasoning {
		out.Summary = &[]gen.ResponseOutputPart{}
	}
	return out
}

func (m *making) part() gen.ResponseOutputPart {
	p := gen.ResponseOutputPart{
		Type: gen.ResponseOutputPartTypeOutputText, Text: m.text.String(), Annotations: m.cited, Logprobs: []gen.OpenaiRaw{},
	}
	if m.Type == gen.ResponseOutputItemTypeReasoning {
		p.Type = gen.ResponseOutputPartTypeReasoningText
	}
	return p
}

// entries is what was made as a later response reads it: without the reasoning.
func (f *fold) entries() []entry {
	var all []entry
	for _, m := range f.items {
		text := m.text.String()
		switch m.Type {
		case gen.ResponseOutputItemTypeMessage:
			all = append(all, entry{Type: itemMessage, Role: string(provider.RoleAssistant), Content: []gen.ResponseInputPart{{
				Type: gen.ResponseInputPartTypeOutputText, Text: &text,
			}}})
		case gen.ResponseOutputItemTypeFunctionCall:
			all = append(all, entry{Type: itemCall, CallID: *m.CallID, Name: *m.Name, Arguments: &text})
		}
	}
	return all
}
