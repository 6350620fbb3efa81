package openai

import (
	"context"

	"parley/db"
	"parley/impl/core/agent"
	"parley/impl/core/fault"
	"parley/impl/core/model"
)

// names finds what "model" may name.
type names struct {
	agents *agent.Service
	models *model.Catalog
}

// named is a model or an agent: exactly one is set.
type named struct {
	model *db.Model
	agent *db.Agent
}

// find returns the model, of one of the kinds, or the agent of the account with
// an id; neither is a NotFound fault.
func (n names) find(ctx context.Context, accountID, name string, kinds ...string) (named, error) {
	found, err := n.agents.Named(ctx, accountID, name, kinds...)
	return named{model: found.Model, agent: found.Agent}, err
}

// answering is find for who shall answer; see agent.Service.Answering.
func (n names) answering(ctx context.Context, accountID, name string) (named, error) {
	found, err := n.agents.Answering(ctx, accountID, name)
	return named{model: found.Model, agent: found.Agent}, err
}

// embedding is answering for embeddings, which agents do not make.
func (n names) embedding(ctx context.Context, accountID, name string) (db.Model, error) {
	m, err := n.models.Named(ctx, accountID, name, model.KindEmbedding)
	if err == nil || fault.KindOf(err) != fault.NotFound {
		return m, err
	}
	return n.agents.Meant(ctx, accountID, name, model.KindEmbedding)
}
