package openai

import (
	"encoding/json"
	"fmt"
	"strings"

	gen "parley/gen/openai"
	"parley/impl/core/provider"
	"parley/impl/core/turn"
)

func isTrue(p *bool) bool { return p != nil && *p }

func fromAPIMessages(ms []gen.ChatCompletionMessage) ([]provider.Message, error) {
	out := make([]provider.Message, len(ms))
	for i, m := range ms {
		text, err := fromAPIContent(m.Content)
		if err != nil {
			return nil, err
		}
		out[i] = provider.Message{Role: provider.Role(m.Role), Content: text}
		if m.Role == gen.ChatCompletionMessageRoleDeveloper {
			out[i].Role = provider.RoleSystem
		}
	}
	return out, nil
}

// fromAPIContent returns a message's text; parts are lines of it.
func fromAPIContent(content gen.ChatCompletionMessage_Content) (string, error) {
	if text, err := content.AsChatCompletionText(); err == nil {
		return text, nil
	}
	parts, err := content.AsChatCompletionParts()
	if err != nil {
		return "", fmt.Errorf("read validated content: %w", err)
	}
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = p.Text
	}
	return strings.Join(texts, "\n"), nil
}

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
	message := gen.ChatCompletionAnswerMessage{Role: gen.ChatCompletionAnswerMessageRoleAssistant, Content: a.Content}
	if a.Thought != "" {
		message.ReasoningContent = &a.Thought
	}
	choice := gen.ChatCompletionChoice{
		Message: message, FinishReason: gen.ChatCompletionChoiceFinishReason(finishReason(a.FinishReason)),
	}
	return gen.ChatCompletion{
		ID: completionID(a.TurnID), Object: gen.ChatCompletionObjectChatCompletion, Created: a.CreatedAt.Unix(), Model: a.ModelID,
		Choices: []gen.ChatCompletionChoice{choice}, Usage: toAPIUsage(int64(a.Usage.InputTokens), int64(a.Usage.OutputTokens)),
	}
}

// Whole is this surface's answer that is not streamed.
func Whole(_ json.RawMessage, a turn.Answer) any { return toAPICompletion(a) }

func toAPIUsage(input, output int64) gen.ChatCompletionUsage {
	return gen.ChatCompletionUsage{PromptTokens: input, CompletionTokens: output, TotalTokens: input + output}
}

// finishReason leaves out what was not asked for: tool calls.
func finishReason(reason string) string {
	if reason == provider.FinishLength || reason == provider.FinishContentFilter {
		return reason
	}
	return provider.FinishStop
}
