package openai

import (
	"context"
	"encoding/json"
	"net/http"

	gen "parley/gen/openai"
	"parley/impl/core/turn"
	"parley/impl/httpd"
)

// options is what a request asks of its answer's form; it is stored with the turn.
type options struct {
	API          string `json:"api,omitempty"` // "" for chat completions
	IncludeUsage bool   `json:"include_usage,omitempty"`
	Base64       bool   `json:"base64,omitempty"`
	Previous     string `json:"previous,omitempty"` // the turn that a response follows; see turn.Engine.Chain
}

// The values of options.API.
const (
	apiEmbeddings = "embeddings"
	apiResponses  = "responses"
)

func readOptions(stored json.RawMessage) options {
	var o options
	if len(stored) <= len("{}") {
		return o // every piece of an answer is encoded by them
	}
	_ = json.Unmarshal(stored, &o) // stored by us in this shape
	return o
}

// done is the data of the last event.
const done = turn.Literal("[DONE]")

// stream writes an answer as server-sent events. The turn goes on without a client that leaves.
type stream struct {
	ctx  context.Context
	live *turn.Live
}

// VisitCreateChatCompletionResponse streams a completion.
func (s stream) VisitCreateChatCompletionResponse(w http.ResponseWriter) error {
	return httpd.WriteFrames(w, http.StatusOK, s.live.ID, s.live.Frames(s.ctx, 0))
}

// Encode is this surface's stream: nameless chunks, the first with the role,
// one with the finish reason, one with the usage if the request asked for it,
// and [DONE]. A failure is an object with the member error before [DONE].
func Encode(v turn.View, e turn.Event) []turn.Frame {
	if f, streaming := (*v.State).(*forms); streaming && f.fits(v, e) {
		return v.Piece("", f.of(v, e.Kind), e.Text)
	}
	switch readOptions(v.Options).API {
	case apiEmbeddings:
		return encodeEmbedding(e)
	case apiResponses:
		return encodeResponse(v, e)
	}
	*v.State = &forms{modelID: v.ModelID}
	switch e.Kind {
	case turn.Delta:
		frames := chunks(v, e, gen.ChatCompletionDelta{Content: &e.Text}, nil)
		if e.Logprobs != "" {
			c := frames[len(frames)-1].Data.(gen.ChatCompletionChunk)
			c.Choices[0].Logprobs = toAPILogprobs(e.Logprobs)
		}
		return frames
	case turn.Calls:
		return chunks(v, e, gen.ChatCompletionDelta{ToolCalls: toAPICallPieces(e.Text)}, nil)
	case turn.Thought:
		return chunks(v, e, gen.ChatCompletionDelta{ReasoningContent: &e.Text}, nil)
	case turn.Completed:
		return ending(v, e)
	}
	return []turn.Frame{{Data: gen.ChatCompletionStreamError{Error: toAPIFailure(e)}}, {Data: done}}
}

// chunks is a piece of the answer, behind the chunk with the role if it is the first.
func chunks(v turn.View, e turn.Event, delta gen.ChatCompletionDelta, finish *string) []turn.Frame {
	var frames []turn.Frame
	if e.N == 1 {
		role, none := gen.ChatCompletionDeltaRoleAssistant, ""
		frames = append(frames, choice(v, gen.ChatCompletionDelta{Role: &role, Content: &none}, nil))
	}
	return append(frames, choice(v, delta, finish))
}

func choice(v turn.View, delta gen.ChatCompletionDelta, finish *string) turn.Frame {
	c := chunk(v)
	c.Choices = []gen.ChatCompletionChunkChoice{{Delta: delta, FinishReason: finish}}
	return turn.Frame{Data: c}
}

func chunk(v turn.View) gen.ChatCompletionChunk {
	return gen.ChatCompletionChunk{
		ID: completionID(v.TurnID), Object: gen.ChatCompletionChunkObjectChatCompletionChunk, Created: v.BeganAt.Unix(), Model: v.ModelID,
		Choices: []gen.ChatCompletionChunkChoice{},
	}
}

func ending(v turn.View, e turn.Event) []turn.Frame {
	finish := e.Finish
	frames := chunks(v, e, gen.ChatCompletionDelta{Annotations: toAPIAnnotations(e.Citations, v.Content)}, &finish)
	if readOptions(v.Options).IncludeUsage && e.Usage != nil {
		c, usage := chunk(v), toAPIUsage(e.Usage.InputTokens, e.Usage.OutputTokens)
		c.Usage = &usage
		frames = append(frames, turn.Frame{Data: c})
	}
	return append(frames, turn.Frame{Data: done})
}

// toAPIFailure words the end of a turn that did not complete.
func toAPIFailure(e turn.Event) gen.OpenaiError {
	code := "server_error"
	if e.Kind == turn.Cancelled {
		code = "cancelled"
	}
	return gen.OpenaiError{Message: e.Text, Type: gen.OpenaiErrorTypeServerError, Code: &code}
}
