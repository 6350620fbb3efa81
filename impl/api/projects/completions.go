package projects

import (
	"context"
	"slices"
	"strings"

	gen "parley/gen/projects"
	"parley/impl/core/fault"
	"parley/impl/core/project"
	"parley/impl/core/provider"
	"parley/impl/core/turn"
	"parley/impl/httpd"
)

// unimplemented are the arguments of OpenAI's that projects do not have, in the order in which they are looked for.
var unimplemented = []string{
	"audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "metadata",
	"modalities", "n", "parallel_tool_calls", "prediction", "presence_penalty", "reasoning_effort", "response_format", "seed", "service_tier",
	"stop", "store", "stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user", "web_search_options",
}

type completions struct{ service *project.Service }

// CreateProjectCompletion answers messages as OpenAI does.
func (c completions) CreateProjectCompletion(ctx context.Context, request gen.CreateProjectCompletionRequestObject) (gen.CreateProjectCompletionResponseObject, error) {
	body := request.Body
	for _, name := range unimplemented {
		if _, given := body.AdditionalProperties[name]; given {
			return nil, fault.New(fault.Invalid, "The argument %s is not implemented.", name).Coded(codeNotImplemented)
		}
	}
	live, options, err := c.service.Complete(ctx, project.Question{
		Caller: httpd.Caller(ctx), ProjectID: request.ProjectID, Model: text(body.Model), Lang: text(body.Lang), Inline: isTrue(body.IsInlineCitation),
		Metadata: metadata(ctx, text(body.ExternalID), "api-openai"),
	}, fromAPIProjectCompletionMessages(body.Messages))
	if err != nil {
		return nil, err
	}
	if isTrue(body.Stream) || httpd.WantsEvents(ctx) {
		return stream{ctx: ctx, live: live}, nil
	}
	answer, err := live.Wait(ctx)
	if err != nil {
		return nil, err
	}
	return gen.CreateProjectCompletion200JSONResponse{
		Body: toAPIProjectCompletion(answer, options), Headers: gen.CreateProjectCompletion200ResponseHeaders{ParleyTurn: live.ID},
	}, nil
}

func fromAPIProjectCompletionMessages(ms []gen.ProjectCompletionMessage) []provider.Message {
	out := make([]provider.Message, len(ms))
	for i, m := range ms {
		out[i] = provider.Message{Role: provider.Role(m.Role), Content: m.Content}
	}
	return out
}

// completionID names a turn's completion as OpenAI would.
func completionID(turnID string) string { return "chatcmpl-" + strings.TrimPrefix(turnID, "turn_") }

func toAPIProjectCompletion(a turn.Answer, o project.Options) gen.ProjectCompletion {
	in, out := int64(a.Usage.InputTokens), int64(a.Usage.OutputTokens)
	return gen.ProjectCompletion{
		ID: completionID(a.TurnID), Object: "chat.completion", Created: a.CreatedAt.Unix(), Model: a.ModelID,
		Choices: []gen.ProjectCompletionChoice{{
			Message:      gen.ProjectCompletionAnswer{Role: "assistant", Content: a.Content, Annotations: annotations(o, a.Citations, a.Content)},
			FinishReason: finishReason(a.FinishReason),
		}},
		Usage:     gen.ProjectCompletionUsage{PromptTokens: in, CompletionTokens: out, TotalTokens: in + out},
		Citations: citations(o, a.Citations),
	}
}

// finishReason leaves out what cannot be asked for: tool calls.
func finishReason(reason string) string {
	if slices.Contains([]string{provider.FinishLength, provider.FinishContentFilter}, reason) {
		return reason
	}
	return provider.FinishStop
}

// encodeCompletion is the stream of a completion: nameless chunks, the first
// with the role, the last with the finish reason, and [DONE]. A failure comes before [DONE].
func encodeCompletion(v turn.View, e turn.Event) []turn.Frame {
	const done = turn.Literal("[DONE]")
	switch e.Kind {
	case turn.Thought:
		return nil
	case turn.Delta:
		delta := gen.ProjectCompletionDelta{Content: &e.Text}
		if e.N == 1 {
			role := gen.ProjectCompletionDeltaRoleAssistant
			delta.Role = &role
		}
		return []turn.Frame{{Data: chunk(v, delta, nil)}}
	case turn.Completed:
		finish := finishReason(e.Finish)
		o := project.OptionsOf(v.Options)
		last := chunk(v, gen.ProjectCompletionDelta{Annotations: annotations(o, e.Citations, v.Content)}, &finish)
		last.Citations = citations(o, e.Citations)
		return []turn.Frame{{Data: last}, {Data: done}}
	}
	failure := gen.ProjectsErrorData{Code: 502, Message: e.Text}
	if e.Kind == turn.Cancelled {
		failure.Code = 503
	}
	return []turn.Frame{{Data: gen.ProjectCompletionFailure{Data: failure, Status: "error"}}, {Data: done}}
}

func chunk(v turn.View, delta gen.ProjectCompletionDelta, finish *string) gen.ProjectCompletionChunk {
	return gen.ProjectCompletionChunk{
		ID: completionID(v.TurnID), Object: "chat.completion.chunk", Created: v.BeganAt.Unix(), Model: v.ModelID,
		Choices: []gen.ProjectCompletionChunkChoice{{Delta: delta, FinishReason: finish}},
	}
}
