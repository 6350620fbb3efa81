package characters

import (
	"context"

	gen "parley/gen/characters"
	"parley/impl/core/agent"
	"parley/impl/core/engagement"
	"parley/impl/httpd"
)

type agents struct{ service *agent.Service }

// ListAgents lists the account's agents, the newest first.
func (a agents) ListAgents(ctx context.Context, request gen.ListAgentsRequestObject) (gen.ListAgentsResponseObject, error) {
	limit := int(*request.Params.Limit)
	rows, err := a.service.List(ctx, httpd.Caller(ctx).AccountID, text(request.Params.Cursor), limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage("/api/v1/agents", rows[limit-1].ID, limit)
	}
	return gen.ListAgents200JSONResponse{Body: toAPIAgents(rows), Headers: gen.ListAgents200ResponseHeaders{Link: link}}, nil
}

// CreateAgent stores an agent.
func (a agents) CreateAgent(ctx context.Context, request gen.CreateAgentRequestObject) (gen.CreateAgentResponseObject, error) {
	row, err := a.service.Create(ctx, httpd.Caller(ctx).AccountID, agent.CreateInput{
		Name:              request.Body.Name,
		AppearancePrompt:  text(request.Body.AppearancePrompt),
		PersonalityPrompt: text(request.Body.PersonalityPrompt),
		Description:       text(request.Body.Description),
		SDModelID:         text(request.Body.SDModelID),
		Age:               request.Body.Age,
	})
	if err != nil {
		return nil, err
	}
	return gen.CreateAgent201JSONResponse{
		Body: toAPIAgent(row), Headers: gen.CreateAgent201ResponseHeaders{Location: "/api/v1/agents/" + row.ID},
	}, nil
}

// GetAgent returns one agent, built in or the account's own.
func (a agents) GetAgent(ctx context.Context, request gen.GetAgentRequestObject) (gen.GetAgentResponseObject, error) {
	if builtIn, ok := engagement.Find(request.AgentID); ok {
		return gen.GetAgent200JSONResponse(gen.Agent{ID: builtIn.ID, Name: builtIn.Name, Description: builtIn.Description}), nil
	}
	row, err := a.service.Get(ctx, httpd.Caller(ctx).AccountID, request.AgentID)
	if err != nil {
		return nil, err
	}
	return gen.GetAgent200JSONResponse(toAPIAgent(row)), nil
}
