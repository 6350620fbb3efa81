package db

import (
	"context"
	"time"
)

// Account is a tenant; every other row belongs to one.
// Granted = Balance + Held + Spent always holds, in micro-units.
type Account struct {
	ID            string    `db:"account_id"`
	Name          string    `db:"name"`
	Plan          string    `db:"plan"`
	GrantedMicros int64     `db:"granted_micros"`
	BalanceMicros int64     `db:"balance_micros"`
	HeldMicros    int64     `db:"held_micros"`
	SpentMicros   int64     `db:"spent_micros"`
	CreatedAt     time.Time `db:"created_at"`
}

// accountSelect reads accounts, each with the money of all its rows.
const accountSelect = `
		select a.account_id, a.name, a.plan, (a.granted_micros + p.granted)::bigint as granted_micros,
			(a.balance_micros + p.balance)::bigint as balance_micros, (a.held_micros + p.held)::bigint as held_micros,
			(a.spent_micros + p.spent)::bigint as spent_micros, a.created_at
		from accounts a
		cross join lateral (
			select coalesce(sum(granted_micros), 0) as granted, coalesce(sum(balance_micros), 0) as balance,
				coalesce(sum(held_micros), 0) as held, coalesce(sum(spent_micros), 0) as spent
			from purses
			where account_id = a.account_id
		) p`

// AccountsPlanKey is the constraint that an unknown plan breaks.
const AccountsPlanKey = "accounts_plan_fkey"

// InsertAccount stores an account without money; Grant gives it some.
func (q *Queries) InsertAccount(ctx context.Context, a Account) error {
	_, err := q.exec(ctx, `
		insert into accounts (account_id, name, plan, created_at)
		values ($1, $2, $3, $4)
		on conflict (account_id) do nothing`,
		a.ID, a.Name, a.Plan, a.CreatedAt)
	return err
}

// Accounts lists accounts, the first made first. For operators: it crosses accounts.
func (q *Queries) Accounts(ctx context.Context) ([]Account, error) {
	accounts := []Account{}
	err := q.list(ctx, &accounts, accountSelect+`
		order by a.created_at, a.account_id`)
	return accounts, err
}

// Account returns one account.
func (q *Queries) Account(ctx context.Context, accountID string) (Account, error) {
	var a Account
	err := q.get(ctx, &a, accountSelect+`
		where a.account_id = $1`,
		accountID)
	return a, err
}

// Grant adds amount to the balance and books it under entryID, in one
// statement, unless it is booked already.
func (q *Queries) Grant(ctx context.Context, accountID, entryID string, amountMicros int64, at time.Time) error {
	return q.execOne(ctx, `
		with granted as (
			update accounts
			set granted_micros = granted_micros + $3, balance_micros = balance_micros + $3
			where account_id = $1 and not exists (select 1 from ledger where account_id = $1 and entry_id = $2)
			returning account_id
		), booked as (
			insert into ledger (account_id, entry_id, kind, amount_micros, created_at)
			select account_id, $2, 'grant', $3, $4
			from granted
		)
		select account_id from accounts where account_id = $1`,
		accountID, entryID, amountMicros, at)
}

// LockFirstStart makes concurrent first starts take turns; it ends with the transaction.
func (q *Queries) LockFirstStart(ctx context.Context) error {
	_, err := q.exec(ctx, `select pg_advisory_xact_lock(7265, 1)`)
	return err
}
