package db

import (
	"context"
	"time"

	"github.com/lib/pq"
)

// RealtimeItem is an item of a realtime session.
type RealtimeItem struct {
	ID        string    `db:"item_id"`
	Rank      int64     `db:"rank"` // its place among the others
	Item      string    `db:"item"` // JSON
	CreatedAt time.Time `db:"created_at"`
}

// InsertRealtimeSession stores a conversation as a session with its settings, as
// JSON. One that exists is left as it is.
func (q *Queries) InsertRealtimeSession(ctx context.Context, c Conversation, settings string) error {
	_, err := q.exec(ctx, `
		with made as (
			insert into conversations (`+conversationColumns+`)
			values ($1, $2, $3, $4, $5, $6, '', '', 0, 0, 0, '', $7, $7, $8)
			on conflict (account_id, conversation_id) do nothing
			returning account_id, conversation_id
		)
		insert into realtime_sessions (account_id, conversation_id, settings)
		select account_id, conversation_id, $9::json
		from made`,
		c.AccountID, c.ID, c.Surface, c.AppID, c.AgentID, c.ModelID, c.CreatedAt, c.EndUser, settings)
	return err
}

// UpdateRealtimeSession changes a session's settings; ErrNotFound when there is no such session.
func (q *Queries) UpdateRealtimeSession(ctx context.Context, accountID, conversationID, settings string) error {
	return q.execOne(ctx, `
		update realtime_sessions
		set settings = $3::json
		where account_id = $1 and conversation_id = $2`,
		accountID, conversationID, settings)
}

// RealtimeSettings returns a session's settings.
func (q *Queries) RealtimeSettings(ctx context.Context, accountID, conversationID string) (string, error) {
	var settings string
	err := q.get(ctx, &settings, `
		select settings
		from realtime_sessions
		where account_id = $1 and conversation_id = $2`,
		accountID, conversationID)
	return settings, err
}

// Spoken is what an answer adds to its session's figures.
type Spoken struct {
	Preview                   string // the beginning of its text; "" leaves what is there
	InputTokens, OutputTokens int64
}

// InsertRealtimeItems adds items to a session, and what they add to its figures
// unless they were there already. A ConflictError says that the session is gone.
func (q *Queries) InsertRealtimeItems(ctx context.Context, accountID, conversationID string, items []RealtimeItem, s Spoken, at time.Time) error {
	ids, ranks, texts := make([]string, len(items)), make([]int64, len(items)), make([]string, len(items))
	for i, item := range items {
		ids[i], ranks[i], texts[i] = item.ID, item.Rank, item.Item
	}
	_, err := q.exec(ctx, `
		with added as (
			insert into realtime_items (account_id, conversation_id, item_id, rank, item, created_at)
			select $1, $2, i.item_id, i.rank, i.item::json, $6
			from unnest($3::text[], $4::bigint[], $5::text[]) as i (item_id, rank, item)
			on conflict on constraint realtime_items_pkey do nothing
			returning item_id
		)
		update conversations
		set last_message_at = $6, preview = case when $7::text = '' then preview else $7 end,
			input_tokens = input_tokens + $8, output_tokens = output_tokens + $9
		where account_id = $1 and conversation_id = $2 and exists (select 1 from added)`,
		accountID, conversationID, pq.Array(ids), pq.Array(ranks), pq.Array(texts), at, s.Preview, s.InputTokens, s.OutputTokens)
	return err
}

// UpdateRealtimeItem changes an item; ErrNotFound when there is no such item.
func (q *Queries) UpdateRealtimeItem(ctx context.Context, accountID, conversationID, itemID, item string) error {
	return q.execOne(ctx, `
		update realtime_items
		set item = $4::json
		where account_id = $1 and conversation_id = $2 and item_id = $3`,
		accountID, conversationID, itemID, item)
}

// DeleteRealtimeItem removes an item; one that is gone is gone.
func (q *Queries) DeleteRealtimeItem(ctx context.Context, accountID, conversationID, itemID string) error {
	_, err := q.exec(ctx, `
		delete from realtime_items
		where account_id = $1 and conversation_id = $2 and item_id = $3`,
		accountID, conversationID, itemID)
	return err
}

// RealtimeItems returns a session's items in their order.
func (q *Queries) RealtimeItems(ctx context.Context, accountID, conversationID string, limit int) ([]RealtimeItem, error) {
	items := []RealtimeItem{}
	err := q.list(ctx, &items, `
		select item_id, rank, item, created_at
		from realtime_items
		where account_id = $1 and conversation_id = $2
		order by rank, item_id
		limit $3`,
		accountID, conversationID, limit)
	return items, err
}

// InsertRealtimeSecret stores what the sessions of an ephemeral secret begin
// with, and forgets those of the account that have expired.
func (q *Queries) InsertRealtimeSecret(ctx context.Context, accountID, secretID, settings string, expiresAt, now time.Time) error {
	_, err := q.exec(ctx, `
		with expired as (
			delete from realtime_secrets
			where account_id = $1 and expires_at < $5
		)
		insert into realtime_secrets (account_id, secret_id, settings, expires_at)
		values ($1, $2, $3::json, $4)
		on conflict on constraint realtime_secrets_pkey do nothing`,
		accountID, secretID, settings, expiresAt, now)
	return err
}

// RealtimeSecret returns what the sessions of a secret begin with.
func (q *Queries) RealtimeSecret(ctx context.Context, accountID, secretID string) (string, error) {
	var settings string
	err := q.get(ctx, &settings, `
		select settings
		from realtime_secrets
		where account_id = $1 and secret_id = $2`,
		accountID, secretID)
	return settings, err
}
