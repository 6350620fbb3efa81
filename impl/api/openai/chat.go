package openai

import (
	"context"

	"github.com/tidwall/gjson"

	gen "parley/gen/openai"
	"parley/impl/core/fault"
	"parley/impl/core/turn"
	"parley/impl/httpd"
)

type completions struct {
	names names
	turns *turn.Engine
}

// CreateChatCompletion answers messages without storing a conversation.
func (c completions) CreateChatCompletion(ctx context.Context, request gen.CreateChatCompletionRequestObject) (gen.CreateChatCompletionResponseObject, error) {
	in, err := c.input(ctx, request.Body)
	if err != nil {
		return nil, err
	}
	live, err := c.turns.Start(ctx, in)
	if err != nil {
		return nil, overContext(err, "/messages")
	}
	if isTrue(request.Body.Stream) || httpd.WantsEvents(ctx) {
		return stream{ctx: ctx, live: live}, nil
	}
	answer, err := live.Wait(ctx)
	if err != nil {
		return nil, err
	}
	return gen.CreateChatCompletion200JSONResponse{
		Body:    toAPICompletion(answer),
		Headers: gen.CreateChatCompletion200ResponseHeaders{ParleyTurn: live.ID},
	}, nil
}

// input is a request as a turn.
func (c completions) input(ctx context.Context, body *gen.ChatCompletionRequest) (turn.Input, error) {
	caller := httpd.Caller(ctx)
	history, err := readMessages(gjson.GetBytes(httpd.Body(ctx), "messages"))
	if err != nil {
		return turn.Input{}, err
	}
	sampling := fromAPISampling(body)
	if sampling.Extra, err = readExtra(httpd.Body(ctx)); err != nil {
		return turn.Input{}, err
	}
	who, err := c.names.answering(ctx, caller.AccountID, body.Model)
	if err != nil {
		return turn.Input{}, err
	}
	in := turn.Input{
		Caller: caller, Surface: surface, Agent: who.agent, Model: who.model, History: history, Sampling: sampling,
		Unstored: body.Store != nil && !*body.Store, Awaited: true,
		Options: options{IncludeUsage: body.StreamOptions != nil && isTrue(body.StreamOptions.IncludeUsage)},
	}
	return in, nil
}

// overContext says as OpenAI does, with 400, that what stands at a path is too long for the model.
func overContext(err error, path string) error {
	f := fault.From(err)
	if f.Kind != fault.TooLarge {
		return err
	}
	over := fault.New(fault.Invalid, "%s", f.Message)
	over.Fields = []fault.Field{{In: "body", Path: path, Rule: ruleContext, Reason: f.Message}}
	return over
}
