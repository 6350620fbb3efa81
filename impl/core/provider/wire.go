package provider

import (
	"encoding/json"
	"errors"
	"net/http"

	openai "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/param"
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

// params is req as the upstream gets it.
func params(req Request, q quirks) openai.ChatCompletionNewParams {
	p := openai.ChatCompletionNewParams{Model: req.Model, Messages: wireMessages(req.Prompt())}
	if !q.noStreamOptions {
		p.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
	}
	if n := int64(req.MaxOutputTokens); n > 0 && q.completionTokens {
		p.MaxCompletionTokens = openai.Int(n)
	} else if n > 0 {
		p.MaxTokens = openai.Int(n)
	}
	if req.Temperature != nil && !q.noTemperature {
		p.Temperature = openai.Float(*req.Temperature)
	}
	if len(req.Stop) > 0 {
		p.Stop = openai.ChatCompletionNewParamsStopUnion{OfStringArray: req.Stop}
	}
	if req.EndUser != "" {
		p.User = openai.String(req.EndUser)
	}
	extra := make(map[string]any, len(req.Extra))
	for name, raw := range req.Extra {
		if name != "metadata" || !q.noMetadata {
			extra[name] = raw
		}
	}
	p.SetExtraFields(extra)
	return p
}

func wireMessages(messages []Message) []openai.ChatCompletionMessageParamUnion {
	out := make([]openai.ChatCompletionMessageParamUnion, 0, len(messages))
	for _, m := range messages {
		if m.Raw != "" {
			out = append(out, param.Override[openai.ChatCompletionMessageParamUnion](json.RawMessage(m.Raw)))
			continue
		}
		switch m.Role {
		case RoleSystem:
			out = append(out, openai.SystemMessage(m.Content))
		case RoleAssistant:
			out = append(out, openai.AssistantMessage(m.Content))
		default:
			out = append(out, userMessage(m))
		}
	}
	return out
}

// userMessage is a text, or parts when there are pictures beside it.
func userMessage(m Message) openai.ChatCompletionMessageParamUnion {
	if len(m.Images) == 0 {
		return openai.UserMessage(m.Content)
	}
	parts := []openai.ChatCompletionContentPartUnionParam{openai.TextContentPart(m.Content)}
	for _, address := range m.Images {
		parts = append(parts, openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: address}))
	}
	return openai.UserMessage(parts)
}
