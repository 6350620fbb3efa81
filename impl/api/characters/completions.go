package characters

import (
	"context"

	gen "parley/gen/characters"
	"parley/impl/core/agent"
	"parley/impl/core/turn"
	"parley/impl/httpd"
)

type completions struct {
	agents *agent.Service
	turns  *turn.Engine
}

// CreateCompletion answers messages without storing a conversation.
func (c completions) CreateCompletion(ctx context.Context, request gen.CreateCompletionRequestObject) (gen.CreateCompletionResponseObject, error) {
	caller, body := httpd.Caller(ctx), request.Body
	in := turn.Input{
		Caller: caller, Surface: surface, ModelID: body.LLMID, History: fromAPIPromptMessages(body.Messages),
		Options: streamOptions{Verbose: *body.Verbose}, Awaited: true, Cites: true,
	}
	if body.AgentID != nil {
		row, err := c.agents.Get(ctx, caller.AccountID, *body.AgentID)
		if err != nil {
			return nil, err
		}
		in.Agent = &row
	}
	live, err := c.turns.Start(ctx, in)
	if err != nil {
		return nil, err
	}
	if *body.Stream || httpd.WantsEvents(ctx) {
		return stream{ctx: ctx, live: live}, nil
	}
	answer, err := live.Wait(ctx)
	if err != nil {
		return nil, err
	}
	return gen.CreateCompletion200JSONResponse{
		Body:    toAPIAnswer(answer, *body.Verbose),
		Headers: gen.CreateCompletion200ResponseHeaders{ParleyTurn: live.ID},
	}, nil
}
