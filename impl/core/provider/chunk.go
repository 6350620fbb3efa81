package provider

import (
	"bytes"
	"errors"

	"github.com/tidwall/gjson"
)

// chunk is what is used of one event of a stream: its first choice. Members of
// a wrong type count as absent.
type chunk struct {
	model        string
	usage        *counts // nil when the event has none
	finishReason string

	text, thought string
	raw           string // the text as it stands in JSON; "" when it was put together
	calls, choice string // JSON: of delta's tool_calls, "" without any, and of the whole choice
}

// counts are the tokens that an upstream reports.
type counts struct{ input, output int64 }

// lastEvent is the data of the event after which nothing comes.
var lastEvent = []byte("[DONE]")

var errReported = errors.New("error event in the stream")

// readChunk reads the data of an event. An event that tells of an error is errReported.
func readChunk(name string, data []byte) (chunk, error) {
	if name == "error" {
		return chunk{}, errReported
	}
	if data = bytes.TrimSpace(data); !gjson.ValidBytes(data) || data[0] != '{' {
		return chunk{}, errBadJSON
	}
	var c chunk
	var failed bool
	gjson.ParseBytes(data).ForEach(func(name, value gjson.Result) bool {
		switch name.Str {
		case "model":
			c.model = value.Str
		case "usage":
			c.usage = countsOf(value)
		case "choices":
			value.ForEach(func(_, one gjson.Result) bool { return !c.take(one) })
		case "error":
			failed = value.Type != gjson.Null
		}
		return true
	})
	if failed {
		return chunk{}, errReported
	}
	return c, nil
}

// countsOf reads what an upstream reports; nil when it reports nothing.
func countsOf(usage gjson.Result) *counts {
	if !usage.IsObject() {
		return nil
	}
	return &counts{input: usage.Get("prompt_tokens").Int(), output: usage.Get("completion_tokens").Int()}
}

// take takes over a choice when it is the first.
func (c *chunk) take(choice gjson.Result) bool {
	var delta gjson.Result
	var finishReason string
	first := true
	choice.ForEach(func(name, value gjson.Result) bool {
		switch name.Str {
		case "index":
			first = value.Int() == 0
		case "finish_reason":
			finishReason = value.Str
		case "delta", "message": // message in an answer that is not streamed
			delta = value
		}
		return true
	})
	if !first {
		return false
	}
	c.finishReason, c.choice = finishReason, choice.Raw
	c.read(delta)
	return true
}

// read takes over a message or a piece of one. For the model's own reasoning
// upstreams use two members that OpenAI's API does not have.
func (c *chunk) read(message gjson.Result) {
	var refusal, reasoning string
	message.ForEach(func(name, value gjson.Result) bool {
		switch name.Str {
		case "content":
			c.text, c.raw = value.Str, value.Raw
		case "refusal":
			refusal = value.Str
		case "reasoning_content":
			c.thought = value.Str
		case "reasoning":
			reasoning = value.Str
		case "tool_calls":
			c.calls = value.Raw
		}
		return true
	})
	if refusal != "" {
		c.text, c.raw = c.text+refusal, ""
	}
	if c.thought == "" {
		c.thought = reasoning
	}
}
