package conversation

import (
	"context"
	"errors"

	"parley/db"
	"parley/impl/core/fault"
)

// Judge stores what an answer of a conversation was worth ("liked", "disliked"); nil takes it back. What is no answer of
// the conversation is a NotFound fault.
func (s *Service) Judge(ctx context.Context, c db.Conversation, messageID string, reaction *string) error {
	err := s.DB.PutMessageFeedback(ctx, c.AccountID, c.ID, messageID, reaction, s.Now())
	if errors.Is(err, db.ErrNotFound) {
		return fault.New(fault.NotFound, "Message not found")
	}
	return err
}

// Judged returns the reactions to the answers among messages by their ids.
func (s *Service) Judged(ctx context.Context, c db.Conversation, messages []db.Message) (map[string]string, error) {
	var ids []string
	for _, m := range messages {
		if m.Role == "assistant" {
			ids = append(ids, m.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	return s.DB.MessageFeedback(ctx, c.AccountID, c.ID, ids)
}
