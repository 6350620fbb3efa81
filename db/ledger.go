package db

import (
	"context"
	"time"
)

// Entry is one line of the book. Those of grants and withdrawals name no turn.
type Entry struct {
	AccountID    string    `db:"account_id"`
	ID           string    `db:"entry_id"`
	Seq          int64     `db:"seq"`
	Kind         string    `db:"kind"`          // "grant", "withdrawal" or "usage"
	AmountMicros int64     `db:"amount_micros"` // never negative
	TotalMicros  int64     `db:"total_micros"`  // granted minus withdrawn and spent, this entry included
	TurnID       *string   `db:"turn_id"`
	AppID        *string   `db:"app_id"`
	KeyID        *string   `db:"key_id"`
	ModelID      *string   `db:"model_id"`
	Surface      *string   `db:"surface"`
	EndUser      *string   `db:"end_user"`
	InputTokens  int64     `db:"input_tokens"`
	OutputTokens int64     `db:"output_tokens"`
	Estimated    bool      `db:"estimated"`
	CreatedAt    time.Time `db:"created_at"`
}

// Entries lists the account's folded entries, the newest first, from before a
// number; 0 starts with the newest.
func (q *Queries) Entries(ctx context.Context, accountID string, beforeSeq int64, limit int) ([]Entry, error) {
	entries := []Entry{}
	err := q.list(ctx, &entries, `
		select account_id, entry_id, seq, kind, amount_micros, total_micros, turn_id, app_id, key_id, model_id, surface, end_user,
			input_tokens, output_tokens, estimated, created_at
		from ledger
		where account_id = $1 and seq is not null and seq < case when $2::bigint = 0 then 9223372036854775807 else $2::bigint end
		order by seq desc
		limit $3`,
		accountID, beforeSeq, limit)
	return entries, err
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
