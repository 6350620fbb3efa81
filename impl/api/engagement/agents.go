package engagement

import (
	"context"
	"net/http"

	gen "parley/gen/engagement"
	"parley/impl/core/engagement"
	"parley/impl/core/fault"
	"parley/impl/core/turn"
	"parley/impl/httpd"
)

type agents struct{ advisor *engagement.Advisor }

// ListEngagementAgents lists the built-in agents.
func (agents) ListEngagementAgents(context.Context, gen.ListEngagementAgentsRequestObject) (gen.ListEngagementAgentsResponseObject, error) {
	list := make(gen.ListEngagementAgents200JSONResponse, len(engagement.BuiltIn))
	for i, a := range engagement.BuiltIn {
		list[i] = gen.EngagementAgent{ID: a.ID, Name: a.Name, Description: a.Description, Schema: a.Schema()}
	}
	return list, nil
}

// GenerateEngagement lets a built-in agent answer a prompt.
func (a agents) GenerateEngagement(ctx context.Context, request gen.GenerateEngagementRequestObject) (gen.GenerateEngagementResponseObject, error) {
	body := request.Body
	agent, ok := engagement.Find(request.Params.Agent)
	if !ok {
		return nil, fault.New(fault.Invalid, "agent: is not one of the built-in agents.")
	}
	live, options, err := a.advisor.Ask(ctx, httpd.Caller(ctx), engagement.Question{
		Agent: agent, UserID: text(body.UserID), Prompt: body.Prompt, ModelID: text(body.Model), Structured: *body.Structured,
	})
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
	return gen.GenerateEngagement200JSONResponse{
		Body: toAPIAnswer(options, answer), Headers: gen.GenerateEngagement200ResponseHeaders{ParleyTurn: live.ID},
	}, nil
}

// InteractWithAgent answers a user's message in their lasting conversation with an agent.
func (a agents) InteractWithAgent(ctx context.Context, request gen.InteractWithAgentRequestObject) (gen.InteractWithAgentResponseObject, error) {
	body := request.Body
	live, options, err := a.advisor.Interact(ctx, httpd.Caller(ctx), engagement.Interaction{
		AgentID: request.AgentID, UserID: body.UserID, Prompt: body.Prompt,
	})
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
	return gen.InteractWithAgent200JSONResponse{
		Body: toAPIAnswer(options, answer), Headers: gen.InteractWithAgent200ResponseHeaders{ParleyTurn: live.ID},
	}, nil
}

// stream writes an answer as server-sent events. The turn goes on without a client that leaves.
type stream struct {
	ctx  context.Context
	live *turn.Live
}

// VisitGenerateEngagementResponse streams an answer.
func (s stream) VisitGenerateEngagementResponse(w http.ResponseWriter) error {
	return httpd.WriteFrames(w, http.StatusOK, s.live.ID, s.live.Frames(s.ctx, 0))
}

// VisitInteractWithAgentResponse streams an answer.
func (s stream) VisitInteractWithAgentResponse(w http.ResponseWriter) error {
	return httpd.WriteFrames(w, http.StatusOK, s.live.ID, s.live.Frames(s.ctx, 0))
}
