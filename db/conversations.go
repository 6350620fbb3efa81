package db

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx/types"
	"github.com/lib/pq"
)

// Conversation is an ordered list of messages that one surface owns.
type Conversation struct {
	AccountID     string    `db:"account_id"`
	ID            string    `db:"conversation_id"`
	Surface       string    `db:"surface"`
	AppID         string    `db:"app_id"`
	AgentID       *string   `db:"agent_id"`
	ModelID       *string   `db:"model_id"`
	Title         string    `db:"title"`
	SystemPrompt  string    `db:"system_prompt"`
	LastSeq       int64     `db:"last_seq"`
	InputTokens   int64     `db:"input_tokens"`
	OutputTokens  int64     `db:"output_tokens"`
	Preview       string    `db:"preview"`
	CreatedAt     time.Time `db:"created_at"`
	LastMessageAt time.Time `db:"last_message_at"`
	EndUser       *string   `db:"end_user"` // whom it was begun for; nil: nobody in particular
}

// Message is one entry of a conversation. Seq counts from 1 without gaps.
type Message struct {
	AccountID      string             `db:"account_id"`
	ConversationID string             `db:"conversation_id"`
	Seq            int64              `db:"seq"`
	ID             string             `db:"message_id"`
	Role           string             `db:"role"` // "system", "user" or "assistant"
	Content        string             `db:"content"`
	Thought        string             `db:"thought"`
	Citations      types.NullJSONText `db:"citations"`
	TurnID         *string            `db:"turn_id"`
	ModelID        *string            `db:"model_id"`
	ImageID        *string            `db:"image_id"`  // the picture that it shows, which may be gone
	ImageIDs       pq.StringArray     `db:"image_ids"` // the pictures that its sender put into it, likewise
	CreatedAt      time.Time          `db:"created_at"`
}

// JSON is a value for columns that may hold none.
func JSON(raw []byte) types.NullJSONText { return types.NullJSONText{JSONText: raw, Valid: true} }

const (
	conversationColumns = `account_id, conversation_id, surface, app_id, agent_id, model_id, title, system_prompt,
	last_seq, input_tokens, output_tokens, preview, created_at, last_message_at, end_user`
	// messageContents are what a reader of one conversation does not know.
	messageContents = `seq, message_id, role, content, thought, citations, turn_id, model_id, image_id, image_ids, created_at`
)

// InsertConversation stores a conversation without messages.
func (q *Queries) InsertConversation(ctx context.Context, c Conversation) error {
	_, err := q.exec(ctx, `
		insert into conversations (`+conversationColumns+`)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
		on conflict (account_id, conversation_id) do nothing`,
		c.AccountID, c.ID, c.Surface, c.AppID, c.AgentID, c.ModelID, c.Title, c.SystemPrompt,
		c.LastSeq, c.InputTokens, c.OutputTokens, c.Preview, c.CreatedAt, c.LastMessageAt, c.EndUser)
	return err
}

// InsertMessages stores the first messages of a conversation, numbered by
// their place; the conversation's LastSeq must already count them.
func (q *Queries) InsertMessages(ctx context.Context, accountID, conversationID string, ms []Message) error {
	ids, roles, contents, times := make([]string, len(ms)), make([]string, len(ms)), make([]string, len(ms)), make([]time.Time, len(ms))
	for i, m := range ms {
		ids[i], roles[i], contents[i], times[i] = m.ID, m.Role, m.Content, m.CreatedAt
	}
	_, err := q.exec(ctx, `
		insert into messages (account_id, conversation_id, seq, message_id, role, content, created_at)
		select $1, $2, m.seq, m.message_id, m.role, m.content, m.created_at
		from unnest($3::text[], $4::text[], $5::text[], $6::timestamptz[]) with ordinality
			as m (message_id, role, content, created_at, seq)`,
		accountID, conversationID, pq.Array(ids), pq.Array(roles), pq.Array(contents), pq.Array(times))
	return err
}

// Conversation returns one conversation of a surface.
func (q *Queries) Conversation(ctx context.Context, accountID, surface, conversationID string) (Conversation, error) {
	var c Conversation
	err := q.get(ctx, &c, `
		select `+conversationColumns+`
		from conversations
		where account_id = $1 and conversation_id = $2 and surface = $3`,
		accountID, conversationID, surface)
	return c, err
}

// Conversations lists a surface's conversations, the newest first, from before an id; "" starts with the newest.
func (q *Queries) Conversations(ctx context.Context, accountID, surface, beforeID string, limit int) ([]Conversation, error) {
	cs := []Conversation{}
	err := q.list(ctx, &cs, `
		select `+conversationColumns+`
		from conversations
		where account_id = $1 and surface = $2 and `+ifGiven(beforeID, "conversation_id < $3")+`
		order by conversation_id desc
		limit $4`,
		accountID, surface, beforeID, limit)
	return cs, err
}

// SessionFilter picks sessions of a surface. An empty AppID is every app.
type SessionFilter struct {
	Surface     string
	AppID       string
	ActiveSince time.Time
	Offset      int
	Limit       int
}

// Sessions lists conversations by their latest message, the latest first.
func (q *Queries) Sessions(ctx context.Context, accountID string, f SessionFilter) ([]Conversation, error) {
	cs := []Conversation{}
	err := q.list(ctx, &cs, `
		select `+conversationColumns+`
		from conversations
		where account_id = $1 and surface = $2 and `+ifGiven(f.AppID, "app_id = $3")+` and last_message_at >= $4
		order by last_message_at desc, conversation_id desc
		offset $5 limit $6`,
		accountID, f.Surface, f.AppID, f.ActiveSince, f.Offset, f.Limit)
	return cs, err
}

// MessagesBefore returns the newest messages after skipping some, the oldest of them first.
func (q *Queries) MessagesBefore(ctx context.Context, accountID, conversationID string, skip, limit int) ([]Message, error) {
	return q.messages(ctx, `
		select `+messageContents+`
		from (
			select `+messageContents+`
			from messages
			where account_id = $1 and conversation_id = $2
			order by seq desc
			offset $3 limit $4
		) page
		order by seq`,
		accountID, conversationID, skip, limit)
}

// NewestMessages returns the newest messages, the oldest of them first: as many as begin within so many bytes of text
// from the end, but not more than limit.
func (q *Queries) NewestMessages(ctx context.Context, accountID, conversationID string, limit int, bytes int64) ([]Message, error) {
	return q.messages(ctx, `
		select `+messageContents+`
		from (
			select `+messageContents+`, sum(octet_length(content)) over (order by seq desc rows unbounded preceding) - octet_length(content) as behind
			from (
				select `+messageContents+`
				from messages
				where account_id = $1 and conversation_id = $2
				order by seq desc
				limit $3
			) newest
		) counted
		where behind < $4
		order by seq`,
		accountID, conversationID, limit, bytes)
}

// Messages lists a conversation's messages after a number, the oldest first.
func (q *Queries) Messages(ctx context.Context, accountID, conversationID string, afterSeq int64, limit int) ([]Message, error) {
	return q.messages(ctx, `
		select `+messageContents+`
		from messages
		where account_id = $1 and conversation_id = $2 and seq > $3
		order by seq
		limit $4`,
		accountID, conversationID, afterSeq, limit)
}

// messages reads messages of one conversation, whose name is not sent with each.
func (q *Queries) messages(ctx context.Context, sql, accountID, conversationID string, args ...any) ([]Message, error) {
	ms := []Message{}
	err := q.list(ctx, &ms, sql, append([]any{accountID, conversationID}, args...)...)
	for i := range ms {
		ms[i].AccountID, ms[i].ConversationID = accountID, conversationID
	}
	return ms, err
}

// MessagesOf returns the messages of several conversations in order, at most perConversation of each, the newest.
func (q *Queries) MessagesOf(ctx context.Context, accountID string, conversationIDs []string, perConversation int) ([]Message, error) {
	ms := []Message{}
	err := q.list(ctx, &ms, `
		select account_id, conversation_id, `+messageContents+`
		from (
			select m.*, row_number() over (partition by conversation_id order by seq desc) as newest
			from messages m
			where account_id = $1 and conversation_id = any($2)
		) numbered
		where newest <= $3
		order by conversation_id, seq`,
		accountID, pq.Array(conversationIDs), perConversation)
	return ms, err
}

// DeleteConversation removes a conversation, its messages and the event logs
// of its turns. The turns and the ledger stay: they hold no text.
func (d *DB) DeleteConversation(ctx context.Context, accountID, surface, appID, conversationID string) error {
	return d.InTx(ctx, func(q *Queries) error {
		err := q.execOne(ctx, `
			delete from conversations
			where account_id = $1 and conversation_id = $2 and surface = $3 and ($4 = '' or app_id = $4)`,
			accountID, conversationID, surface, appID)
		if err != nil {
			return err
		}
		return q.deleteEvents(ctx, accountID, []string{conversationID})
	})
}

// DeleteSessions removes all conversations of an app as DeleteConversation
// does and returns how many there were.
func (d *DB) DeleteSessions(ctx context.Context, accountID, surface, appID string) (int64, error) {
	var gone []string
	err := d.InTx(ctx, func(q *Queries) error {
		err := q.list(ctx, &gone, `
			delete from conversations
			where account_id = $1 and surface = $2 and app_id = $3
			returning conversation_id`,
			accountID, surface, appID)
		if err != nil || len(gone) == 0 {
			return err
		}
		return q.deleteEvents(ctx, accountID, gone)
	})
	return int64(len(gone)), err
}

// deleteEvents removes the event logs and images of conversations just deleted. It is a
// statement of its own because it must see the events of a turn whose end held
// up the deletion.
func (q *Queries) deleteEvents(ctx context.Context, accountID string, conversationIDs []string) error {
	_, err := q.exec(ctx, `
		with gone as (
			delete from images
			where account_id = $1 and conversation_id = any($2)
			returning image_id
		), `+removals+`
		delete from turn_events e
		using turns t
		where e.account_id = $1 and t.account_id = $1 and t.turn_id = e.turn_id and t.conversation_id = any($2)`,
		accountID, pq.Array(conversationIDs), time.Now().UTC())
	return err
}

// RunningConversations returns the app's conversations in which an answer is being made.
func (q *Queries) RunningConversations(ctx context.Context, accountID, surface, appID string) ([]string, error) {
	ids := []string{}
	err := q.list(ctx, &ids, `
		select conversation_id
		from turns
		where account_id = $1 and surface = $2 and app_id = $3 and state = 'running' and conversation_id is not null`,
		accountID, surface, appID)
	return ids, err
}

// UpdateConversation replaces what people set of a conversation: title, prompt, model and agent.
func (q *Queries) UpdateConversation(ctx context.Context, c Conversation) error {
	return q.execOne(ctx, `
		update conversations
		set title = $4, system_prompt = $5, model_id = $6, agent_id = $7
		where account_id = $1 and conversation_id = $2 and surface = $3`,
		c.AccountID, c.ID, c.Surface, c.Title, c.SystemPrompt, c.ModelID, c.AgentID)
}
