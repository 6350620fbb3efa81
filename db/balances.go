package db

import "context"

// LowBalance is an account whose balance fell below what it is warned at.
type LowBalance struct {
	AccountID     string `db:"account_id"`
	BelowMicros   int64  `db:"balance_low_micros"`
	BalanceMicros int64  `db:"left_micros"`
}

// NoteLowBalances marks the accounts that have fallen below what they are warned
// at and returns them, each once until the balance is above it again. What
// running turns hold counts as balance: it may come back. It crosses
// accounts: it is the server's housekeeping, within the transaction that stores the events.
func (q *Queries) NoteLowBalances(ctx context.Context) ([]LowBalance, error) {
	low := []LowBalance{}
	err := q.list(ctx, &low, `
		with turned as (
			update accounts t
			set balance_told = not t.balance_told
			from (
				select a.account_id, a.balance_micros + a.held_micros + coalesce((
					select sum(p.balance_micros + p.held_micros) from purses p where p.account_id = a.account_id), 0)::bigint as left_micros
				from accounts a
				where a.balance_low_micros > 0 or a.balance_told
			) a
			where t.account_id = a.account_id and (a.left_micros < t.balance_low_micros) <> t.balance_told
			returning t.account_id, t.balance_low_micros, a.left_micros, t.balance_told
		)
		select account_id, balance_low_micros, left_micros
		from turned
		where balance_told`)
	return low, err
}
