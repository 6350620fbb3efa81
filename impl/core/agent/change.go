package agent

import (
	"context"
	"errors"

	"parley/db"
	"parley/impl/core/fault"
)

// UpdateInput is what to change of an agent; nil members stay as they are.
type UpdateInput struct {
	Name              *string
	AppearancePrompt  *string
	PersonalityPrompt *string
	Description       *string
	SDModelID         *string
	Age               *float64
}

// Update changes an agent of the account and returns it; any other is a
// NotFound fault, an sd model that does not exist an Invalid one.
func (s *Service) Update(ctx context.Context, accountID, agentID string, in UpdateInput) (db.Agent, error) {
	if in.SDModelID != nil {
		if err := s.Models.Check(ctx, accountID, "sd", *in.SDModelID); err != nil {
			return db.Agent{}, err
		}
	}
	a, err := s.Get(ctx, accountID, agentID)
	if err != nil {
		return a, err
	}
	change(&a.Name, in.Name)
	change(&a.AppearancePrompt, in.AppearancePrompt)
	change(&a.PersonalityPrompt, in.PersonalityPrompt)
	change(&a.Description, in.Description)
	if in.SDModelID != nil {
		a.SDModelID = in.SDModelID
	}
	if in.Age != nil {
		a.Age = in.Age
	}
	err = s.DB.UpdateAgent(ctx, a)
	if errors.Is(err, db.ErrNotFound) {
		return a, fault.New(fault.NotFound, "Agent not found")
	}
	return a, err
}

func change(member, to *string) {
	if to != nil {
		*member = *to
	}
}

// Delete removes an agent of the account with its picture; any other is a NotFound fault.
func (s *Service) Delete(ctx context.Context, accountID, agentID string) error {
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		avatar, err := q.DeleteAgent(ctx, accountID, agentID)
		if err == nil && s.Release != nil {
			err = s.Release(ctx, q, accountID, agentID)
		}
		if err != nil || avatar == "" {
			return err
		}
		err = q.DeleteImage(ctx, accountID, avatar, s.Now())
		if errors.Is(err, db.ErrNotFound) {
			return nil // an erasure was faster
		}
		return err
	})
	if errors.Is(err, db.ErrNotFound) {
		return fault.New(fault.NotFound, "Agent not found")
	}
	return err
}

// Looks is what a picture of the agent is made from: its appearance, or its name and purpose when nothing is known of that.
func Looks(a db.Agent) string {
	if a.AppearancePrompt == "" && a.Age == nil {
		return a.Name + ", " + a.Description
	}
	return Appearance(a)
}
