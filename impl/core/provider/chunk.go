package provider

import (
	"context"
	"net/http"

	openai "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/tidwall/gjson"
)

// chunk is what is used of one event of a stream. The SDK's own type keeps each
// member with its raw text, which takes three and a half times the time and
// fourteen times the memory (BenchmarkChunk). Members of a wrong type count as
// absent, as there.
type chunk struct {
	model   string
	usage   *counts // nil when the event has none
	choices []choice
}

// counts are the tokens that an upstream reports.
type counts struct{ input, output int64 }

type choice struct {
	finishReason, text, thought string
	calls, raw                  string // JSON: of delta's tool_calls, "" without any, and of the whole choice
}

// UnmarshalJSON reads an event whose syntax was checked. It keeps the first choice only.
func (c *chunk) UnmarshalJSON(raw []byte) error {
	event := gjson.ParseBytes(raw)
	if !event.IsObject() {
		return errBadJSON
	}
	event.ForEach(func(name, value gjson.Result) bool {
		switch name.Str {
		case "model":
			c.model = value.Str
		case "usage":
			if value.IsObject() {
				c.usage = &counts{input: value.Get("prompt_tokens").Int(), output: value.Get("completion_tokens").Int()}
			}
		case "choices":
			value.ForEach(func(_, one gjson.Result) bool {
				c.add(one)
				return true
			})
		}
		return true
	})
	return nil
}

func (c *chunk) add(one gjson.Result) {
	made := choice{raw: one.Raw}
	var delta gjson.Result
	first := true
	one.ForEach(func(name, value gjson.Result) bool {
		switch name.Str {
		case "index":
			first = value.Int() == 0
		case "finish_reason":
			made.finishReason = value.Str
		case "delta":
			delta = value
		}
		return true
	})
	if !first {
		return
	}
	var refusal, reasoning string
	delta.ForEach(func(name, value gjson.Result) bool {
		switch name.Str {
		case "content":
			made.text = value.Str
		case "refusal":
			refusal = value.Str
		case "reasoning_content":
			made.thought = value.Str
		case "reasoning":
			reasoning = value.Str
		case "tool_calls":
			made.calls = value.Raw
		}
		return true
	})
	made.text += refusal
	if made.thought == "" {
		made.thought = reasoning
	}
	c.choices = append(c.choices, made)
}

// stream asks for a streamed answer, as the SDK's NewStreaming does.
func (o *OpenAI) stream(ctx context.Context, p openai.ChatCompletionNewParams, opts ...option.RequestOption) *ssestream.Stream[chunk] {
	var response *http.Response
	err := o.client.Post(ctx, "chat/completions", p, &response, append(opts, option.WithJSONSet("stream", true))...)
	return ssestream.NewStream[chunk](ssestream.NewDecoder(response), err)
}
