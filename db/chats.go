package db

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx/types"
)

// The states of a chat.
const (
	ChatReady     = "ready"
	ChatRunning   = "running"
	ChatWaiting   = "wait_for_human_input"
	ChatCompleted = "completed"
	ChatError     = "error"
)

// Chat runs a flow.
type Chat struct {
	AccountID   string         `db:"account_id"`
	ID          string         `db:"chat_id"`
	AppID       string         `db:"app_id"`
	Name        string         `db:"name"`
	FromType    string         `db:"from_type"` // "flow" or "template"
	FromID      string         `db:"from_id"`
	Status      string         `db:"status"`
	Reason      string         `db:"reason"`  // why it is in error, or was ended early
	Prompt      string         `db:"prompt"`  // what a person is asked for
	Version     int64          `db:"version"` // counts the changes
	Run         int64          `db:"run"`     // counts from 1; 0 before the first
	PayerID     string         `db:"payer_id"`
	PayerKind   string         `db:"payer_kind"` // "key", "client" or "user"
	FlowVersion int64          `db:"flow_version"`
	Definition  types.JSONText `db:"definition"`
	State       types.JSONText `db:"state"`
	TurnID      string         `db:"turn_id"` // of the present step; "" before it has one
	Attempt     int            `db:"attempt"` // how often the present step has failed
	LastMessage int64          `db:"last_message"`
	LastEvent   int64          `db:"last_event"`
	DeadlineAt  *time.Time     `db:"deadline_at"`
	CreatedAt   time.Time      `db:"created_at"`
	UpdatedAt   time.Time      `db:"updated_at"`
}

const chatColumns = `account_id, chat_id, app_id, name, from_type, from_id, status, reason, prompt, version, run, payer_id, payer_kind,
	flow_version, definition, state, turn_id, attempt, last_message, last_event, deadline_at, created_at, updated_at`

// ChatMessage is what somebody said in a chat.
type ChatMessage struct {
	Seq       int64     `db:"seq" json:"-"` // in its chat, from 1
	ID        string    `db:"message_id" json:"message_id"`
	Run       int64     `db:"run" json:"run"`
	Type      string    `db:"type" json:"type"` // "user" or "assistant"
	Sender    string    `db:"sender" json:"sender"`
	Receiver  string    `db:"receiver" json:"receiver"`
	Content   string    `db:"content" json:"content"`
	CreatedAt time.Time `db:"created_at" json:"created_at"`
}

// ChatEvent is what followers of a chat are told.
type ChatEvent struct {
	Seq        int64          `db:"seq" json:"-"` // in its chat, from 1 without gaps
	Kind       string         `db:"kind" json:"kind"`
	Payload    types.JSONText `db:"payload" json:"payload"`
	Message    int            `db:"-" json:"message,omitempty"` // the position from 1 of its message among those stored with it; 0 for none
	MessageSeq *int64         `db:"message_seq" json:"-"`
	CreatedAt  time.Time      `db:"created_at" json:"created_at"`
}

// InsertChat stores a chat that has not run.
func (q *Queries) InsertChat(ctx context.Context, c Chat) error {
	_, err := q.exec(ctx, `
		insert into chats (`+chatColumns+`)
		values ($1, $2, $3, $4, $5, $6, $7, '', '', 0, 0, '', '', $8, $9, '{}', '', 0, 0, 0, null, $10, $10)
		on conflict (account_id, chat_id) do nothing`,
		c.AccountID, c.ID, c.AppID, c.Name, c.FromType, c.FromID, c.Status, c.FlowVersion, c.Definition, c.CreatedAt)
	return err
}

// Chats lists the account's chats, the newest first, from before an id; "" starts with the newest.
func (q *Queries) Chats(ctx context.Context, accountID, beforeID string, limit int) ([]Chat, error) {
	found := []Chat{}
	err := q.list(ctx, &found, `
		select `+chatColumns+`
		from chats
		where account_id = $1 and ($2 = '' or chat_id < $2)
		order by chat_id desc
		limit $3`,
		accountID, beforeID, limit)
	return found, err
}

// Chat returns one chat of the account.
func (q *Queries) Chat(ctx context.Context, accountID, chatID string) (Chat, error) {
	var c Chat
	err := q.get(ctx, &c, `
		select `+chatColumns+`
		from chats
		where account_id = $1 and chat_id = $2`,
		accountID, chatID)
	return c, err
}

// MoveChat stores the next version of a chat, which c was read as before it was
// changed, with what was said and what followers are told, and returns the
// numbers of the last message and the last event. ErrNotFound when somebody
// else has changed the chat meanwhile, or it is gone. It belongs into a
// transaction: repeated, it finds its own change.
func (q *Queries) MoveChat(ctx context.Context, c Chat, messages []ChatMessage, events []ChatEvent) (lastMessage, lastEvent int64, err error) {
	var last struct {
		Message int64 `db:"last_message"`
		Event   int64 `db:"last_event"`
	}
	err = q.get(ctx, &last, `
		with moved as (
			update chats
			set version = version + 1, status = $4, reason = $5, prompt = $6, run = $7, payer_id = $8, payer_kind = $9, flow_version = $10,
				definition = $11, state = $12, turn_id = $13, attempt = $14, last_message = last_message + $15, last_event = last_event + $16,
				deadline_at = $17, updated_at = $18
			where account_id = $1 and chat_id = $2 and version = $3
			returning last_message, last_event
		), said as (
			insert into chat_messages (account_id, chat_id, seq, message_id, run, type, sender, receiver, content, created_at)
			select $1, $2, moved.last_message - $15 + m.n, m.value->>'message_id', (m.value->>'run')::bigint, m.value->>'type', m.value->>'sender', m.value->>'receiver',
				m.value->>'content', (m.value->>'created_at')::timestamptz
			from moved, json_array_elements($19) with ordinality as m (value, n)
		), told as (
			insert into chat_events (account_id, chat_id, seq, kind, payload, message_seq, created_at)
			select $1, $2, moved.last_event - $16 + e.n, e.value->>'kind', (e.value->'payload')::jsonb,
				moved.last_message - $15 + (e.value->>'message')::bigint, (e.value->>'created_at')::timestamptz
			from moved, json_array_elements($20) with ordinality as e (value, n)
		), turned as (
			insert into chat_turns (account_id, chat_id, turn_id)
			select $1, $2, $13
			from moved
			where $13 <> ''
			on conflict (account_id, chat_id, turn_id) do nothing
		)
		select last_message, last_event from moved`,
		c.AccountID, c.ID, c.Version, c.Status, c.Reason, c.Prompt, c.Run, c.PayerID, c.PayerKind, c.FlowVersion,
		c.Definition, c.State, c.TurnID, c.Attempt, len(messages), len(events), c.DeadlineAt, c.UpdatedAt, asJSON(nonNil(messages)), asJSON(nonNil(events)))
	return last.Message, last.Event, err
}

func nonNil[T any](rows []T) []T {
	if rows == nil {
		return []T{}
	}
	return rows
}

// ChatMessages lists a chat's messages in order, from after a number.
func (q *Queries) ChatMessages(ctx context.Context, accountID, chatID string, after int64, limit int) ([]ChatMessage, error) {
	found := []ChatMessage{}
	err := q.list(ctx, &found, `
		select seq, message_id, run, type, sender, receiver, content, created_at
		from chat_messages
		where account_id = $1 and chat_id = $2 and seq > $3
		order by seq
		limit $4`,
		accountID, chatID, after, limit)
	return found, err
}

// ChatEvents lists what followers of a chat are told, in order, from after a number.
func (q *Queries) ChatEvents(ctx context.Context, accountID, chatID string, after int64, limit int) ([]ChatEvent, error) {
	found := []ChatEvent{}
	err := q.list(ctx, &found, `
		select seq, kind, payload, message_seq, created_at
		from chat_events
		where account_id = $1 and chat_id = $2 and seq > $3
		order by seq
		limit $4`,
		accountID, chatID, after, limit)
	return found, err
}

// DeleteChat removes a chat with all that was said in it. The texts of its turns
// go, too, but for one that still runs.
func (q *Queries) DeleteChat(ctx context.Context, accountID, chatID string) error {
	return q.execOne(ctx, `
		with texts as (
			delete from turn_events e
			using chat_turns c, turns t
			where c.account_id = $1 and c.chat_id = $2 and t.account_id = $1 and t.turn_id = c.turn_id and t.state <> 'running'
				and e.account_id = $1 and e.turn_id = c.turn_id
		), answers as (
			update turns t
			set failure = null
			from chat_turns c
			where c.account_id = $1 and c.chat_id = $2 and t.account_id = $1 and t.turn_id = c.turn_id and t.state <> 'running' and t.failure is not null
		)
		delete from chats where account_id = $1 and chat_id = $2`,
		accountID, chatID)
}

// ChatName is what finds a chat.
type ChatName struct {
	AccountID string `db:"account_id"`
	ID        string `db:"chat_id"`
}

// OverdueChats returns chats that run beyond their time. It crosses accounts: it is the server's housekeeping.
func (q *Queries) OverdueChats(ctx context.Context, now time.Time, limit int) ([]ChatName, error) {
	found := []ChatName{}
	err := q.list(ctx, &found, `
		select account_id, chat_id
		from chats
		where deadline_at < $1
		limit $2`,
		now, limit)
	return found, err
}

// EraseChats removes chats of a scope that were made up to a time, and returns
// how many. The texts of their turns are those of turns without a conversation.
func (q *Queries) EraseChats(ctx context.Context, accountID, scope, subject string, until time.Time) (int64, error) {
	return q.exec(ctx, `
		delete from chats
		where account_id = $1 and ($2::text = 'account' or ($2::text = 'app' and app_id = $3)) and created_at <= $4`,
		accountID, scope, subject, until)
}

// EraseChatsBefore removes chats that do not run and were last used before a time, and returns how many.
func (q *Queries) EraseChatsBefore(ctx context.Context, accountID string, before time.Time) (int64, error) {
	return q.exec(ctx, `delete from chats where account_id = $1 and updated_at < $2 and status <> 'running'`, accountID, before)
}
