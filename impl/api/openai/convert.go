package openai

import (
	"encoding/json"
	"strings"

	gen "parley/gen/openai"
	"parley/impl/core/provider"
	"parley/impl/core/turn"
)

func isTrue(p *bool) bool { return p != nil && *p }

// fromAPISampling reads how the model shall write; max_completion_tokens wins over its older name.
func fromAPISampling(body *gen.ChatCompletionRequest) turn.Sampling {
	s := turn.Sampling{Temperature: body.Temperature}
	if body.MaxTokens != nil {
		s.MaxOutputTokens = int(*body.MaxTokens)
	}
	if body.MaxCompletionTokens != nil {
		s.MaxOutputTokens = int(*body.MaxCompletionTokens)
	}
	if body.User != nil {
		s.EndUser = *body.User
	}
	if body.Stop == nil {
		return s
	}
	if text, err := body.Stop.AsChatCompletionStop(); err == nil {
		if text != "" {
			s.Stop = []string{text}
		}
	} else if texts, err := body.Stop.AsChatCompletionStops(); err == nil {
		s.Stop = texts
	}
	return s
}

// completionID names a turn's completion as OpenAI would.
func completionID(turnID string) string { return "chatcmpl-" + strings.TrimPrefix(turnID, "turn_") }

func toAPICompletion(a turn.Answer) gen.ChatCompletion {
	message := gen.ChatCompletionAnswerMessage{Role: gen.ChatCompletionAnswerMessageRoleAssistant, ToolCalls: toAPICalls(a.Calls)}
	if a.Content != "" || len(a.Calls) == 0 {
		message.Content = &a.Content
	}
	message.Annotations = toAPIAnnotations(a.Citations, a.Content)
	if a.Thought != "" {
		message.ReasoningContent = &a.Thought
	}
	choice := gen.ChatCompletionChoice{
		Message: message, FinishReason: gen.ChatCompletionChoiceFinishReason(a.FinishReason), Logprobs: toAPILogprobs(a.Logprobs),
	}
	return gen.ChatCompletion{
		ID: completionID(a.TurnID), Object: gen.ChatCompletionObjectChatCompletion, Created: a.CreatedAt.Unix(), Model: a.ModelID,
		Choices: []gen.ChatCompletionChoice{choice}, Usage: toAPIUsage(int64(a.Usage.InputTokens), int64(a.Usage.OutputTokens)),
	}
}

// Whole is this surface's answer that is not streamed.
func Whole(options json.RawMessage, a turn.Answer) any {
	switch o := readOptions(options); o.API {
	case apiEmbeddings:
		return toAPIEmbeddingsOf(a, o.Base64)
	case apiResponses:
		return toAPIResponse(viewOf(a), a.Log)
	}
	return toAPICompletion(a)
}

func toAPIUsage(input, output int64) gen.ChatCompletionUsage {
	return gen.ChatCompletionUsage{PromptTokens: input, CompletionTokens: output, TotalTokens: input + output}
}

func toAPICalls(calls []provider.Call) []gen.ChatCompletionToolCall {
	var out []gen.ChatCompletionToolCall
	for _, c := range calls {
		call := gen.ChatCompletionToolCall{ID: c.ID, Type: gen.ChatCompletionToolCallTypeFunction, AdditionalProperties: toAPIExtra(c.Extra)}
		call.Function.Name, call.Function.Arguments = c.Name, c.Arguments
		out = append(out, call)
	}
	return out
}

func toAPICallPieces(encoded string) []gen.ChatCompletionToolCallPiece {
	pieces, err := provider.DecodeCalls(encoded)
	if err != nil {
		return nil // never: encoded by provider
	}
	out := make([]gen.ChatCompletionToolCallPiece, len(pieces))
	for i, p := range pieces {
		out[i] = gen.ChatCompletionToolCallPiece{Index: int32(p.Index), AdditionalProperties: toAPIExtra(p.Extra)}
		out[i].Function = &gen.ChatCompletionFunctionPiece{Arguments: &p.Arguments}
		if p.ID != "" {
			kind := gen.ChatCompletionToolCallPieceTypeFunction
			out[i].ID, out[i].Type = &p.ID, &kind
		}
		if p.Name != "" {
			out[i].Function.Name = &p.Name
		}
	}
	return out
}

// toAPIExtra is what a vendor adds to a call.
func toAPIExtra(members map[string]json.RawMessage) map[string]any {
	if len(members) == 0 {
		return nil
	}
	out := make(map[string]any, len(members))
	for name, raw := range members {
		out[name] = raw
	}
	return out
}

// toAPILogprobs reads a JSON array of the provider's; nil for "".
func toAPILogprobs(array string) *gen.ChatCompletionLogprobs {
	if array == "" {
		return nil
	}
	var out gen.ChatCompletionLogprobs
	if json.Unmarshal([]byte(array), &out.Content) != nil {
		return nil // never: the provider checked it
	}
	return &out
}
