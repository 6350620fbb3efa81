package conversation

import (
	"context"
	"errors"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/model"
)

// UpdateInput is what to change of a conversation; nil members stay as they are.
type UpdateInput struct {
	Title        *string
	SystemPrompt *string
	ModelID      *string
	AgentID      *string
}

// Update changes a conversation of the surface and returns it. Any other, and
// an agent that does not exist, is a NotFound fault; a model an Invalid one.
func (s *Service) Update(ctx context.Context, accountID, surface, conversationID string, in UpdateInput) (db.Conversation, error) {
	c, err := s.Get(ctx, accountID, surface, "", conversationID)
	if err != nil {
		return c, err
	}
	if in.ModelID != nil {
		if err := s.Models.Check(ctx, accountID, model.KindLLM, *in.ModelID); err != nil {
			return c, err
		}
		c.ModelID = in.ModelID
	}
	if in.AgentID != nil {
		if _, err := s.DB.Agent(ctx, accountID, *in.AgentID); errors.Is(err, db.ErrNotFound) {
			return c, fault.New(fault.NotFound, "Agent not found")
		} else if err != nil {
			return c, err
		}
		c.AgentID = in.AgentID
	}
	if in.Title != nil {
		c.Title = *in.Title
	}
	if in.SystemPrompt != nil {
		c.SystemPrompt = *in.SystemPrompt
	}
	err = s.DB.UpdateConversation(ctx, c)
	if errors.Is(err, db.ErrNotFound) {
		return c, errMissing
	}
	return c, err
}
