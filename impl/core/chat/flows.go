package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/flow"
	"parley/impl/core/model"
)

// FlowInput is what a flow is made of. For a change, nil leaves what is.
type FlowInput struct {
	Name, Description *string
	Definition        json.RawMessage
}

// Validate tells why a definition cannot be run in the account; nothing when it can.
func (s *Service) Validate(ctx context.Context, accountID string, definition []byte) ([]flow.Problem, error) {
	f, problems := flow.Parse(definition)
	if f == nil {
		return problems, nil
	}
	for _, agentID := range f.AgentIDs() {
		_, err := s.Agents.Get(ctx, accountID, agentID)
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return nil, err
		}
		if err != nil {
			problems = append(problems, flow.Problem{Node: f.With(agentID, ""), Reason: "agent_id: the account has no such agent."})
		}
	}
	missing, err := s.toolProblems(ctx, accountID, f)
	if err != nil {
		return nil, err
	}
	problems = append(problems, missing...)
	for _, modelID := range f.ModelIDs() {
		err := s.Models.Check(ctx, accountID, model.KindLLM, modelID)
		if err != nil && fault.KindOf(err) != fault.Invalid {
			return nil, err
		}
		if err != nil {
			problems = append(problems, flow.Problem{Node: f.With("", modelID), Reason: "model: there is no such model."})
		}
	}
	return problems, nil
}

// toolProblems tells of the tools that the account does not have.
func (s *Service) toolProblems(ctx context.Context, accountID string, f *flow.Flow) ([]flow.Problem, error) {
	wanted := f.ToolIDs()
	if len(wanted) == 0 {
		return nil, nil
	}
	found, err := s.DB.ToolsOf(ctx, accountID, wanted)
	if err != nil {
		return nil, err
	}
	var problems []flow.Problem
	for _, toolID := range wanted {
		if !slices.ContainsFunc(found, func(t db.Tool) bool { return t.ID == toolID }) {
			problems = append(problems, flow.Problem{Node: f.WithTool(toolID), Reason: "tools: the account has no such tool; make it with POST /tools and name its id."})
		}
	}
	return problems, nil
}

// refuse is the Invalid fault of a definition that cannot be run; nil when it can.
func (s *Service) refuse(ctx context.Context, accountID string, definition []byte) error {
	problems, err := s.Validate(ctx, accountID, definition)
	if err != nil || len(problems) == 0 {
		return err
	}
	f := fault.New(fault.Invalid, "The flow cannot be run: %s", told(problems[0]))
	for _, p := range problems {
		f.Fields = append(f.Fields, fault.Field{In: "body", Path: "/flow", Rule: "flow", Reason: told(p)})
	}
	return f
}

// CreateFlow stores a flow. One that cannot be run is an Invalid fault.
func (s *Service) CreateFlow(ctx context.Context, accountID string, in FlowInput) (db.Flow, error) {
	if err := s.refuse(ctx, accountID, in.Definition); err != nil {
		return db.Flow{}, err
	}
	now := s.Now()
	f := db.Flow{AccountID: accountID, ID: newID(), Version: 1, CreatedAt: now, UpdatedAt: now}
	in.apply(&f)
	return f, s.DB.InsertFlow(ctx, f)
}

func (in FlowInput) apply(f *db.Flow) {
	if in.Name != nil {
		f.Name = *in.Name
	}
	if in.Description != nil {
		f.Description = *in.Description
	}
	if in.Definition != nil {
		f.Definition = []byte(in.Definition)
	}
}

// Flow returns a flow of the account; any other is a NotFound fault.
func (s *Service) Flow(ctx context.Context, accountID, flowID string) (db.Flow, error) {
	f, err := s.DB.Flow(ctx, accountID, flowID)
	return f, missing(err, errFlowMissing)
}

// Flows returns the account's flows, the newest first, from before an id; "" starts with the newest.
func (s *Service) Flows(ctx context.Context, accountID, before string, limit int) ([]db.Flow, error) {
	return s.DB.Flows(ctx, accountID, before, limit)
}

// FlowVersions returns what a flow said, the newest version first, from before a version; 0 starts with the newest.
func (s *Service) FlowVersions(ctx context.Context, accountID, flowID string, before int64, limit int) ([]db.Flow, error) {
	if _, err := s.Flow(ctx, accountID, flowID); err != nil {
		return nil, err
	}
	return s.DB.FlowVersions(ctx, accountID, flowID, before, limit)
}

// UpdateFlow makes the next version of a flow. Chats that run keep the version that they began with.
func (s *Service) UpdateFlow(ctx context.Context, accountID, flowID string, in FlowInput) (db.Flow, error) {
	if in.Definition != nil {
		if err := s.refuse(ctx, accountID, in.Definition); err != nil {
			return db.Flow{}, err
		}
	}
	for range conflictsMax {
		f, err := s.Flow(ctx, accountID, flowID)
		if err != nil {
			return db.Flow{}, err
		}
		in.apply(&f)
		f.Version, f.UpdatedAt = f.Version+1, s.Now()
		if err := s.DB.UpdateFlow(ctx, f); !errors.Is(err, db.ErrNotFound) {
			return f, err
		}
	}
	return db.Flow{}, fault.New(fault.Unavailable, "The flow is being changed by others; try again.")
}

// DeleteFlow removes a flow. Chats that were made from it keep what they run.
func (s *Service) DeleteFlow(ctx context.Context, accountID, flowID string) error {
	return missing(s.DB.DeleteFlow(ctx, accountID, flowID), errFlowMissing)
}

func encoded(state flow.State) ([]byte, error) {
	raw, err := json.Marshal(state)
	if err != nil {
		return nil, fmt.Errorf("encode state of chat: %w", err)
	}
	return raw, nil
}
