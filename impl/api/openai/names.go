package openai

import (
	"context"
	"errors"

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

var errNoModel = fault.New(fault.NotFound, "The model does not exist or you do not have access to it.")

// named is a model or an agent: exactly one is set.
type named struct {
	model *db.Model
	agent *db.Agent
}

// find returns the model, of one of the kinds, or the agent of the account with
// an id; neither is a NotFound fault.
func (n names) find(ctx context.Context, accountID, name string, kinds ...string) (named, error) {
	m, err := n.models.Named(ctx, accountID, name, kinds...)
	if err == nil {
		return named{model: &m}, nil
	}
	if fault.KindOf(err) != fault.NotFound {
		return named{}, err
	}
	a, err := n.agents.Get(ctx, accountID, name)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return named{}, errNoModel
	}
	return named{agent: &a}, err
}

// answering is find for who shall answer: a name that is no model or agent may
// be an alias, and without an upstream any other name means the built-in model,
// so that clients with a model's name built in work offline.
func (n names) answering(ctx context.Context, accountID, name string) (named, error) {
	found, err := n.find(ctx, accountID, name, model.KindLLM)
	if !errors.Is(err, errNoModel) {
		return found, err
	}
	m, err := n.meant(ctx, accountID, name, model.KindLLM)
	return named{model: &m}, err
}

// embedding is answering for embeddings, which agents do not make.
func (n names) embedding(ctx context.Context, accountID, name string) (db.Model, error) {
	m, err := n.models.Named(ctx, accountID, name, model.KindEmbedding)
	if err == nil || fault.KindOf(err) != fault.NotFound {
		return m, err
	}
	return n.meant(ctx, accountID, name, model.KindEmbedding)
}

// meant returns the model that a name which is none stands for.
func (n names) meant(ctx context.Context, accountID, name, kind string) (db.Model, error) {
	modelID, err := n.models.Meant(ctx, accountID, name)
	if err != nil {
		return db.Model{}, err
	}
	m, err := db.Model{}, error(errNoModel)
	if modelID != name {
		m, err = n.models.Named(ctx, accountID, modelID, kind)
	}
	if err != nil && fault.KindOf(err) == fault.NotFound {
		m, err = n.models.Offline(ctx, accountID, kind)
	}
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return m, errNoModel
	}
	return m, err
}
