package openai

import (
	"context"
	"math"

	"parley/db"
	gen "parley/gen/openai"
	"parley/impl/core/model"
	"parley/impl/httpd"
)

// listMax bounds each of the three kinds that the list holds.
const listMax = 1000

type models struct{ names names }

// ListOpenaiModels lists the account's language models, then its agents, then its models for embeddings.
func (m models) ListOpenaiModels(ctx context.Context, _ gen.ListOpenaiModelsRequestObject) (gen.ListOpenaiModelsResponseObject, error) {
	accountID := httpd.Caller(ctx).AccountID
	offered, err := m.names.models.List(ctx, accountID, model.KindLLM, math.MinInt32, "", listMax)
	if err != nil {
		return nil, err
	}
	agents, err := m.names.agents.List(ctx, accountID, "", listMax)
	if err != nil {
		return nil, err
	}
	embedding, err := m.names.models.List(ctx, accountID, model.KindEmbedding, math.MinInt32, "", listMax)
	if err != nil {
		return nil, err
	}
	data := make([]gen.OpenaiModel, 0, len(offered)+len(agents)+len(embedding))
	for i := range offered {
		data = append(data, toAPIModel(&offered[i]))
	}
	for i := range agents {
		data = append(data, toAPIAgent(&agents[i]))
	}
	for i := range embedding {
		data = append(data, toAPIModel(&embedding[i]))
	}
	return gen.ListOpenaiModels200JSONResponse{Object: gen.OpenaiModelListObjectList, Data: data}, nil
}

// GetOpenaiModel returns a model or an agent of the account.
func (m models) GetOpenaiModel(ctx context.Context, request gen.GetOpenaiModelRequestObject) (gen.GetOpenaiModelResponseObject, error) {
	found, err := m.names.find(ctx, httpd.Caller(ctx).AccountID, request.ModelID, model.KindLLM, model.KindEmbedding)
	if err != nil {
		return nil, err
	}
	if found.agent != nil {
		return gen.GetOpenaiModel200JSONResponse(toAPIAgent(found.agent)), nil
	}
	return gen.GetOpenaiModel200JSONResponse(toAPIModel(found.model)), nil
}

func toAPIModel(m *db.Model) gen.OpenaiModel {
	return gen.OpenaiModel{
		ID: m.ID, Object: gen.OpenaiModelObjectModel, Created: m.CreatedAt.Unix(), OwnedBy: m.ProviderID, Name: m.Name,
	}
}

func toAPIAgent(a *db.Agent) gen.OpenaiModel {
	return gen.OpenaiModel{
		ID: a.ID, Object: gen.OpenaiModelObjectModel, Created: a.CreatedAt.Unix(), OwnedBy: "agent", Name: a.Name,
	}
}
