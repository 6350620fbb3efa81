package db

import (
	"context"
	"time"

	"github.com/lib/pq"
)

// PutMessageFeedback stores how an answer of a conversation was judged, in place of what was said before; a reaction of
// nil takes it back. A message that is not there, or is no answer, is ErrNotFound.
func (q *Queries) PutMessageFeedback(ctx context.Context, accountID, conversationID, messageID string, reaction *string, at time.Time) error {
	return q.execOne(ctx, `
		insert into message_feedback (account_id, conversation_id, message_id, reaction, created_at, updated_at)
		select account_id, conversation_id, message_id, $4::text, $5::timestamptz, $5::timestamptz
		from messages
		where account_id = $1 and conversation_id = $2 and message_id = $3 and role = 'assistant'
		on conflict (account_id, conversation_id, message_id) do update
		set reaction = excluded.reaction, updated_at = excluded.updated_at`,
		accountID, conversationID, messageID, reaction, at)
}

// MessageFeedback returns the reactions to a conversation's answers by their ids; what was taken back is left out.
func (q *Queries) MessageFeedback(ctx context.Context, accountID, conversationID string, messageIDs []string) (map[string]string, error) {
	var rows []struct {
		MessageID string `db:"message_id"`
		Reaction  string `db:"reaction"`
	}
	err := q.list(ctx, &rows, `
		select message_id, reaction
		from message_feedback
		where account_id = $1 and conversation_id = $2 and message_id = any($3) and reaction is not null`,
		accountID, conversationID, pq.StringArray(messageIDs))
	found := make(map[string]string, len(rows))
	for _, row := range rows {
		found[row.MessageID] = row.Reaction
	}
	return found, err
}
