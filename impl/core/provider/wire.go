package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// quirks are what an upstream does not take for a model, learnt from its refusals.
type quirks struct {
	proven           bool // a request with these quirks succeeded
	noStreamOptions  bool
	completionTokens bool // wants max_completion_tokens in place of max_tokens
	noTemperature    bool
	noMetadata       bool // OpenAI takes metadata only for answers that it stores
}

// quirksMax bounds what is remembered, as models are named by callers.
const quirksMax = 1024

func (o *OpenAI) quirksOf(model string) quirks {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.quirks[model]
}

func (o *OpenAI) learn(model string, q quirks) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, known := o.quirks[model]; known || len(o.quirks) < quirksMax {
		o.quirks[model] = q
	}
}

// adapt returns the quirks that a refusal suggests; false when it suggests none
// that was not tried. A refusal without a reason is taken to mean
// stream_options until a request with it has succeeded: servers that check
// strictly do not all say what they miss.
func (q quirks) adapt(failure error) (quirks, bool) {
	e, ok := errors.AsType[*statusError](failure)
	if !ok || e.status != http.StatusBadRequest && e.status != http.StatusUnprocessableEntity || e.overContext() {
		return q, false
	}
	streamOptions := e.mentions([]byte("stream_options"), []byte("include_usage"))
	switch {
	case !q.completionTokens && e.mentions([]byte("max_completion_tokens")):
		q.completionTokens = true
	case !q.noTemperature && e.mentions([]byte("temperature")) && e.mentions([]byte("does not support"), []byte("unsupported")):
		q.noTemperature = true
	case !q.noMetadata && e.mentions([]byte("metadata")):
		q.noMetadata = true
	case !q.noStreamOptions && (streamOptions || !q.proven):
		q.noStreamOptions = true
	default:
		return q, false
	}
	return q, true
}

// wireRequest is a Request in OpenAI's terms, without further members.
type wireRequest struct {
	Model               string         `json:"model"`
	Messages            []any          `json:"messages"` // a wireMessage or one in raw JSON
	Stream              bool           `json:"stream"`
	StreamOptions       *streamOptions `json:"stream_options,omitempty"`
	MaxTokens           int            `json:"max_tokens,omitempty"`
	MaxCompletionTokens int            `json:"max_completion_tokens,omitempty"`
	Temperature         *float64       `json:"temperature,omitempty"`
	Stop                []string       `json:"stop,omitempty"`
	User                string         `json:"user,omitempty"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type wireMessage struct {
	Role    string `json:"role"`
	Content any    `json:"content"` // a text or parts
}

type wirePart struct {
	Type     string     `json:"type"`
	Text     string     `json:"text,omitempty"`
	ImageURL *wireImage `json:"image_url,omitempty"`
}

type wireImage struct {
	URL string `json:"url"`
}

// chatRequest is req as the upstream gets it.
func chatRequest(req Request, q quirks) ([]byte, error) {
	wire := wireRequest{Model: req.Model, Messages: wireMessages(req.Prompt()), Stream: true, Stop: req.Stop, User: req.EndUser}
	if !q.noStreamOptions {
		wire.StreamOptions = &streamOptions{IncludeUsage: true}
	}
	if q.completionTokens {
		wire.MaxCompletionTokens = req.MaxOutputTokens
	} else {
		wire.MaxTokens = req.MaxOutputTokens
	}
	if !q.noTemperature {
		wire.Temperature = req.Temperature
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(wire); err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return withMembers(out.Bytes(), req.Extra, q), nil
}

// withMembers adds members to an encoded object, in the order of their names.
func withMembers(object []byte, extra map[string]json.RawMessage, q quirks) []byte {
	object = bytes.TrimSuffix(object, []byte("}\n"))
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if name == "metadata" && q.noMetadata {
			continue
		}
		quoted, _ := json.Marshal(name) // a text always can be
		object = append(append(append(object, ','), quoted...), ':')
		object = append(object, extra[name]...)
	}
	return append(object, '}')
}

func wireMessages(messages []Message) []any {
	out := make([]any, len(messages))
	for i, m := range messages {
		switch {
		case m.Raw != "":
			out[i] = json.RawMessage(m.Raw)
		case m.Role == RoleSystem || m.Role == RoleAssistant:
			out[i] = wireMessage{Role: string(m.Role), Content: m.Content}
		default:
			out[i] = wireMessage{Role: string(RoleUser), Content: userContent(m)}
		}
	}
	return out
}

// userContent is a text, or parts when there are pictures beside it.
func userContent(m Message) any {
	if len(m.Images) == 0 {
		return m.Content
	}
	parts := []wirePart{{Type: "text", Text: m.Content}}
	for _, address := range m.Images {
		parts = append(parts, wirePart{Type: "image_url", ImageURL: &wireImage{URL: address}})
	}
	return parts
}
