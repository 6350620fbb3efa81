package realtime

import (
	"encoding/json"
	"strings"

	"parley/impl/core/provider"
)

// The types of items.
const (
	Message        = "message"
	FunctionCall   = "function_call"
	FunctionOutput = "function_call_output"
)

// The types of parts.
const (
	InputText   = "input_text"
	OutputText  = "output_text"
	InputImage  = "input_image"
	InputAudio  = "input_audio"
	OutputAudio = "output_audio"
)

// The states of an item.
const (
	Completed  = "completed"
	Incomplete = "incomplete"
	InProgress = "in_progress"
)

// Item is one entry of a conversation, as it is stored and as both shapes show it.
type Item struct {
	ID        string  `json:"id"`
	Object    string  `json:"object"`
	Type      string  `json:"type"`
	Status    string  `json:"status"`
	Role      string  `json:"role,omitempty"`    // of a message: system, user or assistant
	Content   []Part  `json:"content,omitzero"`  // of a message
	CallID    string  `json:"call_id,omitempty"` // of a call and its result
	Name      string  `json:"name,omitempty"`    // of a call
	Arguments *string `json:"arguments,omitempty"`
	Output    *string `json:"output,omitempty"` // of a result
}

// Part is a piece of a message. Which field it has follows from its type.
type Part struct {
	Type     string  `json:"type"`
	Text     *string `json:"text,omitempty"`
	ImageURL *string `json:"image_url,omitempty"`

	// Of sound, which is not kept itself.
	Transcript *string `json:"transcript,omitempty"`  // nil until it is written down
	DurationMs int     `json:"duration_ms,omitempty"` // how long it is, or as much of it as was heard

	sound []byte // of an item that is being created, in the session's encoding
}

// inaudible is what models read of sound that could not be written down.
const inaudible = "(inaudible)"

// says is the part in words; nil for what has none.
func (p Part) says() *string {
	switch {
	case p.Transcript != nil:
		return p.Transcript
	case p.Type == InputAudio:
		words := inaudible
		return &words
	}
	return p.Text
}

// WithSound is the part of an item to create, which was said in the session's encoding.
func (p Part) WithSound(raw []byte) Part {
	p.sound = raw
	return p
}

// text joins what the item's parts say.
func (i Item) text() string {
	var texts []string
	for _, p := range i.Content {
		if said := p.says(); said != nil {
			texts = append(texts, *said)
		}
	}
	return strings.Join(texts, "\n")
}

// size is what the item takes, about, in bytes.
func (i Item) size() int {
	n := 200 + len(i.Name) + len(i.CallID)
	for _, text := range []*string{i.Arguments, i.Output} {
		if text != nil {
			n += len(*text)
		}
	}
	for _, p := range i.Content {
		n += 50
		for _, text := range []*string{p.Text, p.ImageURL, p.Transcript} {
			if text != nil {
				n += len(*text)
			}
		}
	}
	return n
}

// messages are items as models read them. Calls go with the assistant's message
// before them; results whose call is not there are left out, because no model takes them.
func messages(items []Item) []provider.Message {
	var out []provider.Message
	known := map[string]bool{}
	for i := 0; i < len(items); i++ {
		switch e := items[i]; {
		case e.Status == InProgress:
		case e.Type == FunctionOutput:
			if known[e.CallID] {
				out = append(out, result(e))
			}
		default:
			n := i + 1
			for n < len(items) && items[n].Type == FunctionCall && items[n].Status != InProgress && (e.Type == FunctionCall || e.Role == string(provider.RoleAssistant)) {
				n++
			}
			calls := items[i+1 : n]
			if e.Type == FunctionCall {
				calls = items[i:n]
			}
			for _, c := range calls {
				known[c.CallID] = true
			}
			out = append(out, message(e, calls))
			i = n - 1
		}
	}
	return out
}

func result(e Item) provider.Message {
	text := ""
	if e.Output != nil {
		text = *e.Output
	}
	return provider.Message{Role: provider.RoleTool, Content: text, Raw: string(encoded(map[string]any{
		"role": provider.RoleTool, "tool_call_id": e.CallID, "content": text,
	}))}
}

func message(e Item, calls []Item) provider.Message {
	m := provider.Message{Role: provider.Role(e.Role), Content: e.text()}
	if e.Type == FunctionCall {
		m.Role = provider.RoleAssistant
	}
	raw := map[string]any{"role": m.Role, "content": m.Content}
	if len(calls) > 0 {
		made := toolCalls(calls)
		m.Beside, raw["tool_calls"] = string(made), made
		if m.Content == "" {
			raw["content"] = nil
		}
	}
	for _, p := range e.Content {
		if p.Type == InputImage {
			m.Pictures++
		}
	}
	if m.Pictures > 0 {
		raw["content"] = pictured(e.Content)
	}
	if m.Pictures > 0 || len(calls) > 0 {
		m.Raw = string(encoded(raw))
	}
	return m
}

func toolCalls(calls []Item) json.RawMessage {
	made := make([]any, len(calls))
	for i, c := range calls {
		arguments := "{}"
		if c.Arguments != nil {
			arguments = *c.Arguments
		}
		made[i] = map[string]any{"id": c.CallID, "type": "function", "function": map[string]any{"name": c.Name, "arguments": arguments}}
	}
	return encoded(made)
}

func pictured(parts []Part) []any {
	out := make([]any, len(parts))
	for i, p := range parts {
		if p.Type == InputImage {
			out[i] = map[string]any{"type": "image_url", "image_url": map[string]any{"url": *p.ImageURL}}
			continue
		}
		out[i] = map[string]any{"type": "text", "text": *p.says()}
	}
	return out
}
