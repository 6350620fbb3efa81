package db

import (
	"context"
	"time"

	"github.com/lib/pq"
)

// Rows that belong to a scope's subject, with $1 the account, $2 the scope and $3 the subject.
const (
	conversationsInScope = `($2::text = 'account' or ($2::text = 'app' and app_id = $3) or ($2::text = 'conversation' and conversation_id = $3)
		or ($2::text = 'end_user' and (end_user = $3 or conversation_id in (
			select conversation_id from turns where account_id = $1 and end_user = $3 and conversation_id is not null))))`
	turnsInScope = `($2::text = 'account' or ($2::text = 'app' and app_id = $3) or ($2::text = 'conversation' and conversation_id = $3)
		or ($2::text = 'end_user' and end_user = $3))`
)

// RunningTurns returns the turns of a scope that began before a time and still run.
func (q *Queries) RunningTurns(ctx context.Context, accountID, scope, subject string, before time.Time) ([]string, error) {
	ids := []string{}
	err := q.list(ctx, &ids, `
		select turn_id
		from turns
		where account_id = $1 and `+turnsInScope+` and state = 'running' and created_at <= $4`,
		accountID, scope, subject, before)
	return ids, err
}

// EraseConversations removes at most limit conversations of a scope with
// everything that was said in them, and returns how many. What they cost stays.
func (d *DB) EraseConversations(ctx context.Context, accountID, scope, subject string, limit int) (int64, error) {
	return d.eraseThose(ctx, accountID, `
		select conversation_id
		from conversations
		where account_id = $1 and `+conversationsInScope+`
		limit $4`,
		accountID, scope, subject, limit)
}

// EraseConversationsBefore removes at most limit conversations whose latest
// message is older than a time, and in which no answer is being made, as EraseConversations does.
func (d *DB) EraseConversationsBefore(ctx context.Context, accountID string, before time.Time, limit int) (int64, error) {
	return d.eraseThose(ctx, accountID, `
		select conversation_id
		from conversations c
		where account_id = $1 and last_message_at < $2 and not exists (
			select 1 from turns t
			where t.account_id = $1 and t.conversation_id = c.conversation_id and t.state = 'running')
		limit $3`,
		accountID, before, limit)
}

func (d *DB) eraseThose(ctx context.Context, accountID, which string, args ...any) (int64, error) {
	var ids []string
	err := d.InTx(ctx, func(q *Queries) error {
		if err := q.list(ctx, &ids, which, args...); err != nil || len(ids) == 0 {
			return err
		}
		if _, err := q.exec(ctx, `
			delete from conversations
			where account_id = $1 and conversation_id = any($2)`,
			accountID, pq.Array(ids)); err != nil {
			return err
		}
		if err := q.deleteEvents(ctx, accountID, ids); err != nil {
			return err
		}
		return q.forget(ctx, accountID, ids)
	})
	return int64(len(ids)), err
}

// forget removes what points at conversations just deleted: what webhooks were
// to be told of them, and from the turns, which the money refers to, whatever is not figures.
func (q *Queries) forget(ctx context.Context, accountID string, conversationIDs []string) error {
	if _, err := q.exec(ctx, `
		delete from webhook_events
		where account_id = $1 and payload->>'conversation_id' = any($2)`,
		accountID, pq.Array(conversationIDs)); err != nil {
		return err
	}
	if err := q.unnameUsage(ctx, accountID, conversationIDs); err != nil {
		return err
	}
	_, err := q.exec(ctx, `
		update turns
		set conversation_id = null, options = '{}', failure = null, end_user = null
		where account_id = $1 and conversation_id = any($2) and state <> 'running'`,
		accountID, pq.Array(conversationIDs))
	return err
}

// EraseLooseTurns forgets the texts of ended turns of a scope that have no conversation and
// began up to a time. Their figures stay.
func (q *Queries) EraseLooseTurns(ctx context.Context, accountID, scope, subject string, until time.Time) error {
	if _, err := q.exec(ctx, `
		delete from turn_events e
		using turns t
		where e.account_id = $1 and t.account_id = $1 and t.turn_id = e.turn_id and t.conversation_id is null
			and t.state <> 'running' and t.created_at <= $4 and `+turnsInScope,
		accountID, scope, subject, until); err != nil {
		return err
	}
	_, err := q.exec(ctx, `
		update turns
		set options = '{}', failure = null
		where account_id = $1 and conversation_id is null and state <> 'running' and created_at <= $4
			and (options <> '{}' or failure is not null) and `+turnsInScope,
		accountID, scope, subject, until)
	return err
}

// ForgetAnswers removes the stored answers of creations, which may repeat what
// is erased. Their Idempotency-Keys stay used.
func (q *Queries) ForgetAnswers(ctx context.Context, accountID string) error {
	_, err := q.exec(ctx, `
		update idempotency_keys
		set sealed_answer = null
		where account_id = $1 and sealed_answer is not null`,
		accountID)
	return err
}

// VoidExports makes every export of the account void, so that none brings back
// what is erased; the archives have to be removed after.
func (q *Queries) VoidExports(ctx context.Context, accountID string) error {
	_, err := q.exec(ctx, `
		update exports
		set state = 'expired'
		where account_id = $1 and state in ('waiting', 'ready')`,
		accountID)
	return err
}

// eraseAccount are the statements that take texts and names out of what the
// account's conversations do not own. The account, its apps and its keys keep working.
var eraseAccount = []string{
	`delete from user_sessions where account_id = $1`,
	`delete from user_links where account_id = $1`,
	`delete from user_emails where account_id = $1`,
	`delete from users where account_id = $1`,
	`delete from agents where account_id = $1`,
	`delete from chats where account_id = $1`,
	`delete from flows where account_id = $1`,
	`delete from tools where account_id = $1`,
	`delete from projects where account_id = $1`,
	`delete from project_images where account_id = $1`,
	`delete from project_profiles where account_id = $1`,
	`delete from collections where account_id = $1`,
	`delete from images where account_id = $1`,
	versioned + ` delete from providers where account_id = $1 and ` + afterVersion,
	`delete from key_habits where account_id = $1`,
	`delete from webhooks where account_id = $1`,
	`delete from webhook_events where account_id = $1`,
	`delete from exports where account_id = $1`,
	`delete from engagement_events where account_id = $1`,
	`delete from engagement_undated where account_id = $1`,
	`delete from engagement_slots where account_id = $1`,
	`delete from engagement_states where account_id = $1`,
	`delete from engagement_rules where account_id = $1`,
	`delete from realtime_secrets where account_id = $1`,
	`delete from budgets where account_id = $1 and kind = 'end_user'`,
	`update erasures set subject = '' where account_id = $1 and scope = 'end_user'`,
	`update ledger set end_user = null where account_id = $1 and end_user is not null`,
	`update turns set end_user = null where account_id = $1 and end_user is not null`,
	namelessUsage(`end_user <> ''`),
	`update apps set name = app_id where account_id = $1`,
	`update keys set name = key_id where account_id = $1`,
	`update oauth_clients set name = client_id where account_id = $1`,
	`update accounts set name = account_id where account_id = $1`,
	`update audit_events set details = '{}', address = '' where account_id = $1`,
}

// eraseEndUser are the statements that take an end user's name out of what is kept.
var eraseEndUser = []string{
	`delete from engagement_events where account_id = $1 and user_id = $2`,
	`delete from engagement_undated where account_id = $1 and user_id = $2`,
	`delete from engagement_slots where account_id = $1 and user_id = $2`,
	`delete from engagement_states where account_id = $1 and user_id = $2`,
	`delete from engagement_rule_hits where account_id = $1 and user_id = $2`,
	`delete from budgets where account_id = $1 and kind = 'end_user' and subject = $2`,
	`update ledger set end_user = null where account_id = $1 and end_user = $2`,
	`update turns set end_user = null where account_id = $1 and end_user = $2`,
	namelessUsage(`end_user = $2`),
	`update exports set subject = '' where account_id = $1 and scope = 'end_user' and subject = $2`,
	`update erasures set subject = '' where account_id = $1 and scope = 'end_user' and subject = $2`,
}

// EraseEndUser takes an end user's name out of the books, turns, budgets, exports and erasures.
func (d *DB) EraseEndUser(ctx context.Context, accountID, name string) error {
	return d.InTx(ctx, func(q *Queries) error {
		if err := q.lockHead(ctx, accountID); err != nil {
			return err
		}
		for _, statement := range eraseEndUser {
			if _, err := q.exec(ctx, statement, accountID, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// EraseAccount takes texts and names out of everything of the account but its
// conversations and turns, and removes its jobs except one.
func (d *DB) EraseAccount(ctx context.Context, accountID, exceptJobID string) error {
	return d.InTx(ctx, func(q *Queries) error {
		if err := q.lockHead(ctx, accountID); err != nil {
			return err
		}
		for _, statement := range eraseAccount {
			if _, err := q.exec(ctx, statement, accountID); err != nil {
				return err
			}
		}
		_, err := q.exec(ctx, `delete from jobs where account_id = $1 and job_id <> $2`, accountID, exceptJobID)
		return err
	})
}
