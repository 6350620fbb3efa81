package openai

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"parley/db"
	gen "parley/gen/openai"
	"parley/impl/core/fault"
	"parley/impl/core/turn"
	"parley/impl/httpd"
)

// chainMax is how many responses before it a response reads.
const chainMax = 100

// asked is what the log of a response keeps of its request.
type asked struct {
	Items    []entry           `json:"items"`
	Response gen.ModelResponse `json:"response"` // with what the request says of it
}

// Question is what a person reads of what the log of a response keeps of its
// request: the texts of its items, one a paragraph.
func Question(kept string) string {
	var was asked
	if err := json.Unmarshal([]byte(kept), &was); err != nil {
		return "" // stored by us in this shape
	}
	var texts []string
	for _, item := range was.Items {
		for _, part := range item.Content {
			if part.Text != nil {
				texts = append(texts, *part.Text)
			}
		}
	}
	return strings.Join(texts, "\n\n")
}

// input is a request as a turn.
func (r responses) input(ctx context.Context, body *gen.ModelResponseRequest) (turn.Input, error) {
	caller := httpd.Caller(ctx)
	background, unstored := isTrue(body.Background), body.Store != nil && !*body.Store
	if background && unstored {
		return turn.Input{}, wrong("/background", "store", "must be stored")
	}
	items, err := readItems(body.Input)
	if err != nil {
		return turn.Input{}, err
	}
	sampling, err := responseSampling(httpd.Body(ctx), body)
	if err != nil {
		return turn.Input{}, err
	}
	before, err := r.before(ctx, body.PreviousResponseID)
	if err != nil {
		return turn.Input{}, err
	}
	who, err := r.names.answering(ctx, caller.AccountID, body.Model)
	if err != nil {
		return turn.Input{}, err
	}
	kept, err := json.Marshal(asked{Items: items, Response: asAsked(body)})
	if err != nil {
		return turn.Input{}, err
	}
	in := turn.Input{
		Caller: caller, Surface: surface, Agent: who.agent, Model: who.model, History: toMessages(append(before, items...)), Sampling: sampling,
		Unstored: unstored, Awaited: !background, Asked: string(kept), Options: options{API: apiResponses},
	}
	if body.PreviousResponseID != nil {
		in.Options = options{API: apiResponses, Previous: turnOf(*body.PreviousResponseID)}
	}
	if body.Instructions != nil {
		in.SystemPrompt = *body.Instructions
	}
	return in, nil
}

// before returns what was said up to the end of a previous response.
func (r responses) before(ctx context.Context, previous *string) ([]entry, error) {
	if previous == nil {
		return nil, nil
	}
	t, err := r.find(ctx, *previous)
	if err != nil {
		return nil, noPrevious(err)
	}
	if t.State == db.TurnRunning {
		return nil, wrong("/previous_response_id", "ended", "has not ended yet")
	}
	logs, err := r.turns.Chain(ctx, t.AccountID, t.ID, chainMax)
	if err != nil {
		return nil, err
	}
	if len(logs) == 0 {
		return nil, noPrevious(errNoResponse)
	}
	var said []entry
	for _, log := range logs {
		f := foldOf(turn.View{}, log)
		said = append(said, f.asked.Items...)
		said = append(said, f.entries()...)
	}
	return withoutOrphans(said), nil
}

func noPrevious(err error) error {
	if fault.KindOf(err) != fault.NotFound {
		return err
	}
	return fault.New(fault.NotFound, "The previous response was not found.").Coded(codeNoPrevious)
}

func wrong(path, rule, reason string) error {
	f := fault.New(fault.Invalid, "Invalid body %s: %s", path, reason)
	f.Fields = []fault.Field{{In: "body", Path: path, Rule: rule, Reason: reason}}
	return f
}

// asAsked is what a request says of its response.
func asAsked(body *gen.ModelResponseRequest) gen.ModelResponse {
	r := blank()
	r.Background, r.Store = isTrue(body.Background), body.Store == nil || *body.Store
	r.Instructions, r.MaxOutputTokens, r.PreviousResponseID = body.Instructions, body.MaxOutputTokens, body.PreviousResponseID
	r.Reasoning, r.Temperature, r.TopP, r.Truncation, r.User = body.Reasoning, body.Temperature, body.TopP, body.Truncation, body.User
	r.ParallelToolCalls = body.ParallelToolCalls == nil || *body.ParallelToolCalls
	if body.Metadata != nil {
		r.Metadata = body.Metadata
	}
	if body.Text != nil && body.Text.Format != nil {
		r.Text = body.Text
	} else if body.Text != nil {
		r.Text.Verbosity = body.Text.Verbosity
	}
	if body.Tools != nil {
		r.Tools = body.Tools
	}
	if body.ToolChoice != nil {
		if raw, err := body.ToolChoice.MarshalJSON(); err == nil && string(raw) != "null" {
			_ = r.ToolChoice.UnmarshalJSON(raw) // keeps any bytes
		}
	}
	return r
}

// blank is a response of which nothing is known but the defaults.
func blank() gen.ModelResponse {
	r := gen.ModelResponse{
		Object: gen.ModelResponseObjectResponse, Status: gen.ModelResponseStatusInProgress, Metadata: map[string]string{},
		Output: []gen.ResponseOutputItem{}, ParallelToolCalls: true, Store: true, Tools: []gen.ResponseTool{},
		Text: &gen.ResponseText{Format: &gen.ResponseFormat{Type: gen.ResponseFormatTypeText}},
	}
	_ = r.ToolChoice.UnmarshalJSON([]byte(`"auto"`)) // keeps any bytes
	return r
}

// responseMembers are the members of a request for a response that mean something
// to this server, are refused, or are not known to chat completions.
var responseMembers = []string{
	"model", "input", "instructions", "previous_response_id", "stream", "stream_options", "background", "store", "metadata", "temperature",
	"max_output_tokens", "user", "tools", "tool_choice", "text", "reasoning", "truncation", "conversation", "prompt", "include",
	"max_tool_calls", "top_logprobs", "context_management",
}

// responseSampling reads how the model shall write, in the terms of chat completions.
func responseSampling(raw []byte, body *gen.ModelResponseRequest) (turn.Sampling, error) {
	s := turn.Sampling{Temperature: body.Temperature, Extra: membersBeside(raw, responseMembers)}
	if s.Extra == nil {
		s.Extra = map[string]json.RawMessage{}
	}
	if body.MaxOutputTokens != nil {
		s.MaxOutputTokens = int(*body.MaxOutputTokens)
	}
	if body.User != nil {
		s.EndUser = *body.User
	}
	passTools(s.Extra, body)
	if body.Reasoning != nil && body.Reasoning.Effort != nil {
		s.Extra["reasoning_effort"] = encoded(*body.Reasoning.Effort)
	}
	if body.Text != nil && body.Text.Verbosity != nil {
		s.Extra["verbosity"] = encoded(*body.Text.Verbosity)
	}
	if body.Text != nil && body.Text.Format != nil {
		if err := passFormat(s.Extra, body.Text.Format); err != nil {
			return s, err
		}
	}
	return s, checkExtra(s.Extra)
}

// encoded is for values that were read as JSON.
func encoded(value any) json.RawMessage {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return raw
}

func passTools(extra map[string]json.RawMessage, body *gen.ModelResponseRequest) {
	tools := make([]any, len(body.Tools))
	for i, t := range body.Tools {
		function := map[string]any{"name": t.Name}
		put(function, "description", t.Description)
		put(function, "parameters", t.Parameters)
		put(function, "strict", t.Strict)
		tools[i] = map[string]any{"type": "function", "function": function}
	}
	if len(tools) > 0 {
		extra["tools"] = encoded(tools)
	}
	if body.ToolChoice == nil {
		return
	}
	if named, err := body.ToolChoice.AsResponseToolName(); err == nil && named.Name != "" {
		extra["tool_choice"] = encoded(map[string]any{"type": "function", "function": map[string]any{"name": named.Name}})
	} else if mode, err := body.ToolChoice.AsChatCompletionToolMode(); err == nil && mode != "" {
		extra["tool_choice"] = encoded(mode)
	}
}

// put sets a member that was given.
func put[T any](members map[string]any, name string, value *T) {
	if value != nil {
		members[name] = *value
	}
}

func passFormat(extra map[string]json.RawMessage, f *gen.ResponseFormat) error {
	switch {
	case f.Type == gen.ResponseFormatTypeText:
		return nil
	case f.Type == gen.ResponseFormatTypeJSONObject:
		extra["response_format"] = encoded(map[string]any{"type": f.Type})
		return nil
	case f.Name == nil:
		return missing("/text/format/name")
	case f.Schema == nil:
		return missing("/text/format/schema")
	}
	schema := map[string]any{"name": *f.Name, "schema": *f.Schema}
	put(schema, "description", f.Description)
	put(schema, "strict", f.Strict)
	extra["response_format"] = encoded(map[string]any{"type": f.Type, "json_schema": schema})
	return nil
}

// readItems returns the items of an input, checked.
func readItems(input gen.ResponseInput) ([]entry, error) {
	if text, err := input.AsResponseInputText(); err == nil {
		return []entry{{Type: itemMessage, Role: "user", Content: []gen.ResponseInputPart{{Type: gen.ResponseInputPartTypeInputText, Text: &text}}}}, nil
	}
	items, err := input.AsResponseInputItems()
	if err != nil {
		return nil, err
	}
	read := make([]entry, len(items))
	for i := range items {
		if read[i], err = readItem(&items[i], "/input/"+strconv.Itoa(i)); err != nil {
			return nil, err
		}
	}
	return read, nil
}
