package db

import (
	"context"
	"time"
)

// Account is a tenant; every other row belongs to one.
// Granted = Balance + Held + Spent always holds, in micro-units.
type Account struct {
	ID            string `db:"account_id"`
	Name          string `db:"name"`
	Plan          string `db:"plan"`
	GrantedMicros int64  `db:"granted_micros"`
	BalanceMicros int64  `db:"balance_micros"`
	HeldMicros    int64  `db:"held_micros"`
	SpentMicros   int64  `db:"spent_micros"`
	// BalanceLowMicros is the balance below which the account is warned; 0: never.
	BalanceLowMicros int64 `db:"balance_low_micros"`
	// Operates says that the account's owners, signed in, operate the server.
	Operates  bool      `db:"operates"`
	CreatedAt time.Time `db:"created_at"`
}

// accountSelect reads accounts, each with the money of all its rows.
const accountSelect = `
		select a.account_id, a.name, a.plan, (a.granted_micros + p.granted)::bigint as granted_micros,
			(a.balance_micros + p.balance)::bigint as balance_micros, (a.held_micros + p.held)::bigint as held_micros,
			(a.spent_micros + p.spent)::bigint as spent_micros, a.balance_low_micros, a.operates, a.created_at
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
		insert into accounts (account_id, name, plan, operates, created_at)
		values ($1, $2, $3, $4, $5)
		on conflict (account_id) do nothing`,
		a.ID, a.Name, a.Plan, a.Operates, a.CreatedAt)
	return err
}

// Accounts lists accounts, the first made first. For operators: it crosses accounts.
func (q *Queries) Accounts(ctx context.Context) ([]Account, error) {
	accounts := []Account{}
	err := q.list(ctx, &accounts, accountSelect+`
		order by a.created_at, a.account_id`)
	return accounts, err
}

// AccountsBefore lists accounts, the newest first, from before an id; "" starts
// with the newest. For operators: it crosses accounts.
func (q *Queries) AccountsBefore(ctx context.Context, beforeID string, limit int) ([]Account, error) {
	accounts := []Account{}
	err := q.list(ctx, &accounts, accountSelect+`
		where $1 = '' or a.account_id < $1
		order by a.account_id desc
		limit $2`,
		beforeID, limit)
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

// LockAccount returns one account and keeps others from changing it until the transaction ends.
func (q *Queries) LockAccount(ctx context.Context, accountID string) (Account, error) {
	var a Account
	err := q.get(ctx, &a, accountSelect+`
		where a.account_id = $1
		for no key update of a`,
		accountID)
	return a, err
}

// LockPurses keeps others from the account's purses until the transaction ends.
// Who changes them beside the account's own row locks them first: whoever has that row never waits for a purse.
func (q *Queries) LockPurses(ctx context.Context, accountID string) error {
	_, err := q.exec(ctx, `
		with `+inOrder+`
		select purse
		from purses
		where account_id = $1 and (select count(*) from in_order) > 0
		order by purse
		for no key update`,
		accountID)
	return err
}

// UpdateAccount stores an account's name, plan and settings.
func (q *Queries) UpdateAccount(ctx context.Context, a Account) error {
	return q.execOne(ctx, `
		update accounts
		set name = $2, plan = $3, balance_low_micros = $4, operates = $5
		where account_id = $1`,
		a.ID, a.Name, a.Plan, a.BalanceLowMicros, a.Operates)
}

// Withdraw takes amount from the balance, wherever it lies, and books it under
// entryID. It is false, and changes nothing, when the balance does not hold the
// amount. For a transaction that has locked the account, or it may not see all
// purses, and its purses before; run again, it would take again.
func (q *Queries) Withdraw(ctx context.Context, accountID, entryID string, amountMicros int64, at time.Time) (bool, error) {
	n, err := q.exec(ctx, `
		with full_purse as materialized (
			select purse, granted_micros, balance_micros, held_micros, spent_micros
			from purses
			where account_id = $1
			order by purse
			for no key update
		), account as materialized (
			select granted_micros, balance_micros, held_micros, spent_micros
			from accounts
			where account_id = $1 and (select count(*) from full_purse) >= 0
			for no key update
		), total as materialized (
			select coalesce(sum(balance_micros), 0)::bigint as micros
			from full_purse
			having coalesce(sum(balance_micros), 0) + (select balance_micros from account) >= $3
		), emptied as (
			update purses p
			set granted_micros = f.granted_micros - f.balance_micros, balance_micros = 0, held_micros = f.held_micros, spent_micros = f.spent_micros
			from full_purse f, total
			where p.account_id = $1 and p.purse = f.purse and f.balance_micros > 0
		), withdrawn as (
			update accounts a
			set granted_micros = l.granted_micros + total.micros - $3, balance_micros = l.balance_micros + total.micros - $3,
				held_micros = l.held_micros, spent_micros = l.spent_micros
			from account l, total
			where a.account_id = $1
			returning a.account_id
		)
		insert into ledger (account_id, entry_id, kind, amount_micros, created_at)
		select account_id, $2, 'withdrawal', $3, $4
		from withdrawn`,
		accountID, entryID, amountMicros, at)
	return n == 1, err
}

// LockFirstStart makes concurrent first starts take turns; it ends with the transaction.
func (q *Queries) LockFirstStart(ctx context.Context) error {
	_, err := q.exec(ctx, `select pg_advisory_xact_lock(7265, 1)`)
	return err
}
