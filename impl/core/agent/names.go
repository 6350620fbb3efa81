package agent

import (
	"context"
	"errors"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/model"
)

// ErrNoModel says that neither a model nor an agent has a name.
var ErrNoModel = fault.New(fault.NotFound, "The model does not exist or you do not have access to it.")

// Named is a model or an agent: exactly one is set.
type Named struct {
	Model *db.Model
	Agent *db.Agent
}

// ID is the id of the model or the agent; "" of neither.
func (n Named) ID() string {
	switch {
	case n.Model != nil:
		return n.Model.ID
	case n.Agent != nil:
		return n.Agent.ID
	}
	return ""
}

// Named returns the model, of one of the kinds, or the agent of the account with
// an id; neither is ErrNoModel.
func (s *Service) Named(ctx context.Context, accountID, name string, kinds ...string) (Named, error) {
	m, err := s.Models.Named(ctx, accountID, name, kinds...)
	if err == nil {
		return Named{Model: &m}, nil
	}
	if fault.KindOf(err) != fault.NotFound {
		return Named{}, err
	}
	a, err := s.Get(ctx, accountID, name)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return Named{}, ErrNoModel
	}
	return Named{Agent: &a}, err
}

// Answering is Named for who shall answer: a name that is no model or agent may
// be an alias, and without an upstream any other name means the built-in model,
// so that clients with a model's name built in work offline. No name is the default model.
func (s *Service) Answering(ctx context.Context, accountID, name string) (Named, error) {
	if name == "" {
		m, _, err := s.Models.Resolve(ctx, accountID, "")
		return Named{Model: &m}, err
	}
	found, err := s.Named(ctx, accountID, name, model.KindLLM)
	if !errors.Is(err, ErrNoModel) {
		return found, err
	}
	m, err := s.Meant(ctx, accountID, name, model.KindLLM)
	return Named{Model: &m}, err
}

// Meant returns the model of a kind that a name which is none stands for.
func (s *Service) Meant(ctx context.Context, accountID, name, kind string) (db.Model, error) {
	modelID, err := s.Models.Meant(ctx, accountID, name)
	if err != nil {
		return db.Model{}, err
	}
	m, err := db.Model{}, error(ErrNoModel)
	if modelID != name {
		m, err = s.Models.Named(ctx, accountID, modelID, kind)
	}
	if err != nil && fault.KindOf(err) == fault.NotFound {
		m, err = s.Models.Offline(ctx, accountID, kind)
	}
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return m, ErrNoModel
	}
	return m, err
}
