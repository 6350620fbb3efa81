package db

import (
	"context"
	"time"

	"github.com/lib/pq"
)

// EngagementRule does something when a figure of an end user crosses a threshold.
type EngagementRule struct {
	AccountID  string    `db:"account_id"`
	ID         string    `db:"rule_id"`
	Name       string    `db:"name"`
	Figure     string    `db:"figure"`
	Comparison string    `db:"comparison"` // "below" or "above"
	Threshold  float64   `db:"threshold"`
	Action     string    `db:"action"`   // "webhook" or "message"
	AgentID    *string   `db:"agent_id"` // of a message: who writes it
	KeyID      *string   `db:"key_id"`   // of a message: who pays for it
	Prompt     string    `db:"prompt"`
	CreatedAt  time.Time `db:"created_at"`
}

const ruleColumns = `account_id, rule_id, name, figure, comparison, threshold, action, agent_id, key_id, prompt, created_at`

// InsertEngagementRule stores a rule unless the account has as many as it may; false then.
func (q *Queries) InsertEngagementRule(ctx context.Context, r EngagementRule, most int) (bool, error) {
	n, err := q.exec(ctx, `
		insert into engagement_rules (`+ruleColumns+`)
		select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
		where (select count(*) from engagement_rules where account_id = $1 and rule_id <> $2) < $12
		on conflict (account_id, rule_id) do update
		set name = engagement_rules.name`,
		r.AccountID, r.ID, r.Name, r.Figure, r.Comparison, r.Threshold, r.Action, r.AgentID, r.KeyID, r.Prompt, r.CreatedAt, most)
	return n == 1, err
}

// EngagementRules lists the account's rules, the newest first, from before an id; "" starts with the newest.
func (q *Queries) EngagementRules(ctx context.Context, accountID, beforeID string, limit int) ([]EngagementRule, error) {
	found := []EngagementRule{}
	err := q.list(ctx, &found, `
		select `+ruleColumns+`
		from engagement_rules
		where account_id = $1 and ($2 = '' or rule_id < $2)
		order by rule_id desc
		limit $3`,
		accountID, beforeID, limit)
	return found, err
}

// EngagementRule returns one rule of the account.
func (q *Queries) EngagementRule(ctx context.Context, accountID, ruleID string) (EngagementRule, error) {
	var r EngagementRule
	err := q.get(ctx, &r, `
		select `+ruleColumns+`
		from engagement_rules
		where account_id = $1 and rule_id = $2`,
		accountID, ruleID)
	return r, err
}

// DeleteEngagementRule removes a rule with what it remembers of users.
func (q *Queries) DeleteEngagementRule(ctx context.Context, accountID, ruleID string) error {
	return q.execOne(ctx, `delete from engagement_rules where account_id = $1 and rule_id = $2`, accountID, ruleID)
}

// InsertEngagementHits notes that a rule's condition holds for users, and returns those for whom it did not before.
func (q *Queries) InsertEngagementHits(ctx context.Context, accountID, ruleID string, userIDs []string, at time.Time) ([]string, error) {
	began := []string{}
	err := q.list(ctx, &began, `
		insert into engagement_rule_hits (account_id, rule_id, user_id, at)
		select r.account_id, r.rule_id, u.user_id, $4
		from engagement_rules r, unnest($3::text[]) as u (user_id)
		where r.account_id = $1 and r.rule_id = $2
		order by u.user_id
		on conflict on constraint engagement_rule_hits_pkey do nothing
		returning user_id`,
		accountID, ruleID, pq.Array(userIDs), at)
	return began, err
}

// DeleteEngagementHits notes that a rule's condition does not hold for users.
func (q *Queries) DeleteEngagementHits(ctx context.Context, accountID, ruleID string, userIDs []string) error {
	_, err := q.exec(ctx, `
		delete from engagement_rule_hits
		where account_id = $1 and rule_id = $2 and user_id = any($3)`,
		accountID, ruleID, pq.Array(userIDs))
	return err
}
