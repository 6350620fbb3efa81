package openai

import (
	"encoding/json"
	"strconv"
	"strings"

	gen "parley/gen/openai"
	"parley/impl/core/provider"
)

// The types of items.
const (
	itemMessage = "message"
	itemCall    = "function_call"
	itemResult  = "function_call_output"
	itemThought = "reasoning"
)

// entry is an item of an input, as it is kept and listed.
type entry struct {
	ID        string                  `json:"id,omitempty"`
	Type      string                  `json:"type"`
	Role      string                  `json:"role,omitempty"`
	Content   []gen.ResponseInputPart `json:"content,omitempty"`
	CallID    string                  `json:"call_id,omitempty"`
	Name      string                  `json:"name,omitempty"`
	Arguments *string                 `json:"arguments,omitempty"`
	Output    json.RawMessage         `json:"output,omitempty"` // a text or parts
	said      string                  // the text of Content or Output
}

// readItem checks an item by its type.
func readItem(item *gen.ResponseInputItem, path string) (entry, error) {
	e := entry{Type: itemMessage}
	if item.Type != nil {
		e.Type = string(*item.Type)
	}
	if item.ID != nil {
		e.ID = *item.ID
	}
	switch e.Type {
	case itemMessage:
		return readMessageItem(item, e, path)
	case itemThought:
		return e, nil
	}
	if item.CallID == nil {
		return e, missing(path + "/call_id")
	}
	e.CallID = *item.CallID
	if e.Type == itemCall {
		return readCallItem(item, e, path)
	}
	if item.Output == nil {
		return e, missing(path + "/output")
	}
	if text, err := item.Output.AsResponseInputText(); err == nil {
		e.Output, e.said = encoded(text), text
		return e, nil
	}
	parts, err := item.Output.AsResponseInputParts()
	if err != nil {
		return e, err
	}
	if err := checkParts(parts, path+"/output"); err != nil {
		return e, err
	}
	e.Output, e.said = encoded(parts), textOfParts(parts)
	return e, nil
}

func readCallItem(item *gen.ResponseInputItem, e entry, path string) (entry, error) {
	if item.Name == nil {
		return e, missing(path + "/name")
	}
	if item.Arguments == nil {
		return e, missing(path + "/arguments")
	}
	e.Name, e.Arguments = *item.Name, item.Arguments
	return e, nil
}

func readMessageItem(item *gen.ResponseInputItem, e entry, path string) (entry, error) {
	if item.Role == nil {
		return e, missing(path + "/role")
	}
	if item.Content == nil {
		return e, missing(path + "/content")
	}
	e.Role = string(*item.Role)
	if text, err := item.Content.AsResponseInputText(); err == nil {
		kind := gen.ResponseInputPartTypeInputText
		if e.Role == string(provider.RoleAssistant) {
			kind = gen.ResponseInputPartTypeOutputText
		}
		e.Content = []gen.ResponseInputPart{{Type: kind, Text: &text}}
		return e, nil
	}
	var err error
	if e.Content, err = item.Content.AsResponseInputParts(); err != nil {
		return e, err
	}
	return e, checkParts(e.Content, path+"/content")
}

func checkParts(parts []gen.ResponseInputPart, path string) error {
	for i, p := range parts {
		at := path + "/" + strconv.Itoa(i)
		switch {
		case p.Type == gen.ResponseInputPartTypeRefusal && p.Refusal == nil:
			return missing(at + "/refusal")
		case p.Type == gen.ResponseInputPartTypeInputImage && p.ImageURL == nil:
			return missing(at + "/image_url")
		case p.Type != gen.ResponseInputPartTypeRefusal && p.Type != gen.ResponseInputPartTypeInputImage && p.Text == nil:
			return missing(at + "/text")
		}
	}
	return nil
}

// textOfParts joins the texts of checked parts.
func textOfParts(parts []gen.ResponseInputPart) string {
	var texts []string
	for _, p := range parts {
		if p.Text != nil {
			texts = append(texts, *p.Text)
		} else if p.Refusal != nil {
			texts = append(texts, *p.Refusal)
		}
	}
	return strings.Join(texts, "\n")
}

// result is the text of a tool's result.
func (e entry) result() string {
	if e.said != "" {
		return e.said
	}
	var text string
	if json.Unmarshal(e.Output, &text) == nil {
		return text
	}
	var parts []gen.ResponseInputPart
	_ = json.Unmarshal(e.Output, &parts) // written by us
	return textOfParts(parts)
}

// withoutOrphans drops the results at the beginning of what is left of a chain:
// no model takes a result without its call.
func withoutOrphans(said []entry) []entry {
	for len(said) > 0 && said[0].Type == itemResult {
		said = said[1:]
	}
	return said
}

// toMessages returns items as the messages that models read. Calls go with the
// assistant's message before them.
func toMessages(items []entry) []provider.Message {
	var out []provider.Message
	for i := 0; i < len(items); i++ {
		switch e := items[i]; e.Type {
		case itemMessage, itemCall:
			n := 0
			for i+1+n < len(items) && items[i+1+n].Type == itemCall && (e.Type == itemCall || e.Role == string(provider.RoleAssistant)) {
				n++
			}
			out = append(out, toMessage(e, items[i+1:i+1+n]))
			i += n
		case itemResult:
			text := e.result()
			out = append(out, provider.Message{Role: provider.RoleTool, Content: text, Raw: string(encoded(map[string]any{
				"role": provider.RoleTool, "tool_call_id": e.CallID, "content": text,
			}))})
		}
	}
	return out
}

func toMessage(e entry, calls []entry) provider.Message {
	m := provider.Message{Role: provider.Role(e.Role), Content: textOfParts(e.Content)}
	if m.Role == "developer" {
		m.Role = provider.RoleSystem
	}
	if e.Type == itemCall {
		m.Role, calls = provider.RoleAssistant, append([]entry{e}, calls...)
	}
	raw := map[string]any{"role": m.Role, "content": m.Content}
	if len(calls) > 0 {
		made := encoded(chatCalls(calls))
		m.Beside, raw["tool_calls"] = string(made), made
		if m.Content == "" {
			raw["content"] = nil
		}
	}
	for _, p := range e.Content {
		if p.Type == gen.ResponseInputPartTypeInputImage {
			m.Pictures++
		}
	}
	if m.Pictures > 0 {
		raw["content"] = chatParts(e.Content)
	}
	if m.Pictures > 0 || len(calls) > 0 {
		m.Raw = string(encoded(raw))
	}
	return m
}

func chatCalls(calls []entry) []any {
	made := make([]any, len(calls))
	for i, c := range calls {
		made[i] = map[string]any{"id": c.CallID, "type": "function", "function": map[string]any{"name": c.Name, "arguments": *c.Arguments}}
	}
	return made
}

func chatParts(parts []gen.ResponseInputPart) []any {
	out := make([]any, len(parts))
	for i, p := range parts {
		if p.Type != gen.ResponseInputPartTypeInputImage {
			out[i] = map[string]any{"type": "text", "text": textOfParts(parts[i : i+1])}
			continue
		}
		picture := map[string]any{"url": *p.ImageURL}
		put(picture, "detail", p.Detail)
		out[i] = map[string]any{"type": "image_url", "image_url": picture}
	}
	return out
}
