// Package provider speaks to models. A Provider streams one answer at a time;
// it knows neither turns nor money. OpenAI is any OpenAI-compatible upstream,
// BuiltIn the offline model that is there when nothing else is. Package
// providertest holds what tests need: a scripted provider, a hostile upstream,
// and the suite that every Provider passes.
//
// Upstreams are treated as hostile: everything that they send is bounded, and
// none of their text reaches a caller except as the model's answer.
package provider

import (
	"context"
	"encoding/json"

	"parley/impl/core/tokens"
)

// Role says who wrote a message.
type Role = tokens.Role

// The roles that a Request may hold.
const (
	RoleSystem    = tokens.RoleSystem
	RoleUser      = tokens.RoleUser
	RoleAssistant = tokens.RoleAssistant
	RoleTool      = tokens.RoleTool
)

// Message is one entry of the conversation that a model answers.
type Message = tokens.Message

// Passage is a piece of knowledge offered to the model. Prompts number passages
// from 1 in the order of Request.Knowledge. Title and URL may be empty.
type Passage struct {
	ID, Title, URL, Text string
}

// Request asks for one answer. Providers do not change it.
type Request struct {
	Model           string
	Messages        []Message // oldest first; history already cut to the model's context
	Knowledge       []Passage
	MaxOutputTokens int      // zero leaves it to the model
	Temperature     *float64 // nil leaves it to the model
	Stop            []string // texts before which the answer ends, at most four; none is empty
	EndUser         string   // an opaque name of the end user for the upstream's abuse reports; empty sends none
	// Extra are further members of the request in OpenAI's terms, such as tools,
	// which go to the upstream as they are. None of them says what a field above says.
	Extra map[string]json.RawMessage
}

// Delta is the next piece of an answer, of the model's own reasoning, or both.
// Pieces are valid UTF-8 without NUL, whatever the upstream sent.
type Delta struct {
	Text, Thought string
	Calls         string // pieces of calls of tools, see EncodeCalls; only when Request.Extra offers tools
	Logprobs      string // a JSON array: what Text was chosen from, in OpenAI's terms; only when Request.Extra asks for it
}

// Usage is what an answer took. Estimated says that it, or a part of it, was
// counted here because the upstream did not report it.
type Usage struct {
	InputTokens, OutputTokens int
	Estimated                 bool
}

// The reasons for which an answer ends, in OpenAI's words.
const (
	FinishStop          = "stop"
	FinishLength        = "length"
	FinishContentFilter = "content_filter"
	FinishToolCalls     = "tool_calls"
)

// Result is what is known when an answer has ended.
type Result struct {
	Usage        Usage
	FinishReason string // one of the Finish constants; empty when the answer was cut
	Cited        []int  // indexes into Request.Knowledge, in order of first citation
	Model        string // the model that answered, as the upstream names it
}

// Model is one model that a provider offers. ContextTokens is zero when unknown,
// Vision, whether it sees pictures, nil.
type Model struct {
	ID, Name      string
	ContextTokens int
	Vision        *bool
}

// Provider gives answers. Implementations are safe for concurrent use.
type Provider interface {
	// Chat streams the answer to req through emit, which is called from one
	// goroutine and never after Chat returned. An error of emit ends the answer
	// and is in the chain of the error returned. Otherwise errors are faults:
	// Canceled when ctx was, Upstream, Unavailable (RetryAfter set when known),
	// or Invalid for a prompt over the model's context. With an error too,
	// Result.Usage holds what had been produced so far: zero when the upstream
	// never began to answer.
	Chat(ctx context.Context, req Request, emit func(Delta) error) (Result, error)
	// Models lists what the provider offers, in its order.
	Models(ctx context.Context) ([]Model, error)
}
