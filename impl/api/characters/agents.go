package characters

import (
	"context"
	"time"

	"parley/db"
	gen "parley/gen/characters"
	"parley/impl/core/agent"
	"parley/impl/core/engagement"
	"parley/impl/core/image"
	"parley/impl/httpd"
)

type agents struct {
	pictures
	service *agent.Service
	images  *image.Service
}

// ListAgents lists the account's agents, the newest first.
func (a agents) ListAgents(ctx context.Context, request gen.ListAgentsRequestObject) (gen.ListAgentsResponseObject, error) {
	limit, accountID := int(*request.Params.Limit), httpd.Caller(ctx).AccountID
	rows, err := a.service.List(ctx, accountID, text(request.Params.Cursor), limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage("/api/v1/agents", rows[limit-1].ID, limit)
	}
	list, err := a.toAPIAgents(ctx, accountID, rows)
	if err != nil {
		return nil, err
	}
	return gen.ListAgents200JSONResponse{Body: list, Headers: gen.ListAgents200ResponseHeaders{Link: link}}, nil
}

// toAPIAgents finds the agents' pictures with one statement.
func (a agents) toAPIAgents(ctx context.Context, accountID string, rows []db.Agent) (gen.AgentList, error) {
	var ids []string
	for _, row := range rows {
		if row.AvatarID != nil {
			ids = append(ids, *row.AvatarID)
		}
	}
	found, err := a.images.Named(ctx, accountID, ids)
	if err != nil {
		return nil, err
	}
	out := make(gen.AgentList, len(rows))
	for i, row := range rows {
		out[i] = a.toAPIAgentWith(ctx, row, found[text(row.AvatarID)])
	}
	return out, nil
}

// CreateAgent stores an agent, with a picture when it names a model that makes one.
func (a agents) CreateAgent(ctx context.Context, request gen.CreateAgentRequestObject) (gen.CreateAgentResponseObject, error) {
	caller := httpd.Caller(ctx)
	in := agent.CreateInput{
		Name:              request.Body.Name,
		AppearancePrompt:  text(request.Body.AppearancePrompt),
		PersonalityPrompt: text(request.Body.PersonalityPrompt),
		Description:       text(request.Body.Description),
		SDModelID:         text(request.Body.SDModelID),
		Age:               request.Body.Age,
	}
	if in.SDModelID != "" {
		return a.createWithPicture(ctx, in, patience(text(request.Params.Prefer)))
	}
	row, err := a.service.Create(ctx, caller.AccountID, in)
	if err != nil {
		return nil, err
	}
	return gen.CreateAgent201JSONResponse{
		Body: toAPIAgent(row), Headers: gen.CreateAgent201ResponseHeaders{Location: "/api/v1/agents/" + row.ID},
	}, nil
}

func (a agents) createWithPicture(ctx context.Context, in agent.CreateInput, limit <-chan time.Time) (gen.CreateAgentResponseObject, error) {
	row, err := a.service.Prepare(ctx, httpd.Caller(ctx).AccountID, in)
	if err != nil {
		return nil, err
	}
	picture, err := a.picture(ctx, row, true, limit)
	if err != nil {
		return nil, err
	}
	location := "/api/v1/agents/" + row.ID
	if picture.State == db.ImageWaiting {
		return gen.CreateAgent202JSONResponse{
			Body: toAPIAgent(row), Headers: gen.CreateAgent202ResponseHeaders{Location: location, ParleyTurn: *picture.TurnID},
		}, nil
	}
	return gen.CreateAgent201JSONResponse{
		Body: a.toAPIAgentWith(ctx, row, picture), Headers: gen.CreateAgent201ResponseHeaders{Location: location, ParleyTurn: picture.TurnID},
	}, nil
}

// picture makes the agent's avatar and waits for it until limit fires (nil: never).
func (a agents) picture(ctx context.Context, row db.Agent, isNew bool, limit <-chan time.Time) (db.Image, error) {
	begun, err := a.images.Begin(ctx, image.Input{
		Caller: httpd.Caller(ctx), Surface: surface, Purpose: db.ImageAvatar, ModelID: *row.SDModelID, Prompt: agent.Looks(row),
		Agent: &row, NewAgent: isNew,
	})
	if err != nil {
		return begun, err
	}
	return a.images.Wait(ctx, row.AccountID, begun.ID, limit)
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
	list, err := a.toAPIAgents(ctx, row.AccountID, []db.Agent{row})
	if err != nil {
		return nil, err
	}
	return gen.GetAgent200JSONResponse(list[0]), nil
}

// UpdateAgent changes an agent, and makes it another picture when it names a model.
func (a agents) UpdateAgent(ctx context.Context, request gen.UpdateAgentRequestObject) (gen.UpdateAgentResponseObject, error) {
	b := request.Body
	row, err := a.service.Update(ctx, httpd.Caller(ctx).AccountID, request.AgentID, agent.UpdateInput{
		Name: b.Name, AppearancePrompt: b.AppearancePrompt, PersonalityPrompt: b.PersonalityPrompt, Description: b.Description,
		SDModelID: b.SDModelID, Age: b.Age,
	})
	if err != nil {
		return nil, err
	}
	if b.SDModelID == nil {
		list, err := a.toAPIAgents(ctx, row.AccountID, []db.Agent{row})
		if err != nil {
			return nil, err
		}
		return gen.UpdateAgent200JSONResponse{Body: list[0]}, nil
	}
	picture, err := a.picture(ctx, row, false, patience(text(request.Params.Prefer)))
	if err != nil {
		return nil, err
	}
	if picture.State == db.ImageWaiting {
		list, err := a.toAPIAgents(ctx, row.AccountID, []db.Agent{row})
		if err != nil {
			return nil, err
		}
		return gen.UpdateAgent202JSONResponse{
			Body: list[0], Headers: gen.UpdateAgent202ResponseHeaders{Location: "/api/v1/agents/" + row.ID, ParleyTurn: *picture.TurnID},
		}, nil
	}
	return gen.UpdateAgent200JSONResponse{
		Body: a.toAPIAgentWith(ctx, row, picture), Headers: gen.UpdateAgent200ResponseHeaders{ParleyTurn: picture.TurnID},
	}, nil
}

// DeleteAgent removes an agent and its picture.
func (a agents) DeleteAgent(ctx context.Context, request gen.DeleteAgentRequestObject) (gen.DeleteAgentResponseObject, error) {
	if err := a.service.Delete(ctx, httpd.Caller(ctx).AccountID, request.AgentID); err != nil {
		return nil, err
	}
	return gen.DeleteAgent204Response{}, nil
}
