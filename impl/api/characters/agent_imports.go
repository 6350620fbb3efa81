package characters

import (
	"context"
	"io"

	gen "parley/gen/characters"
	"parley/impl/core/agent"
	"parley/impl/core/card"
	"parley/impl/core/image"
	"parley/impl/httpd"
)

// agentImports makes agents of what others wrote.
type agentImports struct{ agents agents }

// ImportAgent makes an agent of a character card, with the picture that carried it.
func (x agentImports) ImportAgent(ctx context.Context, _ gen.ImportAgentRequestObject) (gen.ImportAgentResponseObject, error) {
	raw, name := httpd.Body(ctx), ""
	if sent := httpd.UploadOf(ctx, "file"); sent != nil {
		var err error
		if raw, err = io.ReadAll(sent.Content()); err != nil {
			return nil, err
		}
		name = sent.Name
	}
	c, err := card.Read(raw)
	if err != nil {
		return nil, err
	}
	made, err := x.make(ctx, c, name)
	if err != nil {
		return nil, err
	}
	return gen.ImportAgent201JSONResponse{
		Body:    gen.AgentImport{Agent: made, Greetings: c.Greetings, LeftOut: c.LeftOut},
		Headers: gen.ImportAgent201ResponseHeaders{Location: "/api/v1/agents/" + made.ID},
	}, nil
}

func (x agentImports) make(ctx context.Context, c card.Card, fileName string) (gen.Agent, error) {
	caller := httpd.Caller(ctx)
	in := agent.CreateInput{Name: c.Name, PersonalityPrompt: c.Personality, Description: c.Description}
	if c.Picture == nil {
		row, err := x.agents.service.Create(ctx, caller.AccountID, in)
		return toAPIAgent(row), err
	}
	row, err := x.agents.service.Prepare(ctx, caller.AccountID, in)
	if err != nil {
		return gen.Agent{}, err
	}
	avatar, err := x.agents.images.TakeAvatar(ctx, image.Upload{Caller: caller, Name: fileName, Raw: c.Picture}, row)
	return x.agents.toAPIAgentWith(ctx, row, avatar), err
}
