package db

import (
	"context"
	"time"
)

// ModelUsage sums the usage entries of one model.
type ModelUsage struct {
	ModelID      string `db:"model_id"`
	Requests     int64  `db:"requests"`
	InputTokens  int64  `db:"input_tokens"`
	OutputTokens int64  `db:"output_tokens"`
	CostMicros   int64  `db:"cost_micros"`
}

// UsageByModel sums an app's usage from a time (included) to a time
// (excluded), the dearest model first.
func (q *Queries) UsageByModel(ctx context.Context, accountID, appID string, from, to time.Time) ([]ModelUsage, error) {
	usage := []ModelUsage{}
	err := q.list(ctx, &usage, `
		select model_id, count(*) as requests, sum(input_tokens)::bigint as input_tokens,
			sum(output_tokens)::bigint as output_tokens, sum(amount_micros)::bigint as cost_micros
		from ledger
		where account_id = $1 and app_id = $2 and kind = 'usage' and created_at >= $3 and created_at < $4
		group by model_id
		order by cost_micros desc, requests desc, model_id`,
		accountID, appID, from, to)
	return usage, err
}

// Imbalance is an account whose figures differ from its ledger and its turns.
type Imbalance struct {
	AccountID     string `db:"account_id"`
	GrantedMicros int64  `db:"granted_micros"`
	GrantsMicros  int64  `db:"grants_micros"` // sum of the ledger's grants without what was withdrawn
	SpentMicros   int64  `db:"spent_micros"`
	UsageMicros   int64  `db:"usage_micros"` // sum of the ledger's usage
	HeldMicros    int64  `db:"held_micros"`
	HoldsMicros   int64  `db:"holds_micros"` // sum of what running turns hold
}

// Imbalances compares every account with its ledger and its running turns, in
// one snapshot. An empty result is a book that balances; that balance, held and
// spent add up to granted is a constraint of the table. For operators: it crosses accounts.
func (q *Queries) Imbalances(ctx context.Context) ([]Imbalance, error) {
	found := []Imbalance{}
	err := q.list(ctx, &found, `
		select a.account_id, a.granted_micros, coalesce(l.grants, 0)::bigint as grants_micros, a.spent_micros,
			coalesce(l.usage, 0)::bigint as usage_micros, a.held_micros, coalesce(t.holds, 0)::bigint as holds_micros
		from (`+accountSelect+`) a
		left join (
			select account_id, sum(case kind when 'grant' then amount_micros when 'withdrawal' then -amount_micros else 0 end) as grants,
				sum(amount_micros) filter (where kind = 'usage') as usage
			from ledger
			group by account_id
		) l on l.account_id = a.account_id
		left join (
			select account_id, sum(held_micros) as holds
			from turns
			where state = 'running'
			group by account_id
		) t on t.account_id = a.account_id
		where a.granted_micros <> coalesce(l.grants, 0) or a.spent_micros <> coalesce(l.usage, 0)
			or a.held_micros <> coalesce(t.holds, 0)
		order by a.account_id`)
	return found, err
}
