package db

import (
	"context"
	"time"

	"github.com/lib/pq"
)

// What limits and pays a turn, as parts of the statements of BeginTurn and
// EndTurn. Both lock in the same order, so that they cannot deadlock: the key's
// gate, the plan's tokens, the budgets by id, the purses by number, the account
// and last the conversation. Whoever holds the account's row never waits for a purse: a turn that found a purse
// emptied meanwhile has it locked all the same while it waits for the account. A row that was locked is read as it is
// then, not as it was when the statement began; but an update checks the
// constraints first with the row as it was, so it takes all that a constraint
// joins from what was locked.

// MaxPurses bounds how many purses an account has beside its own row.
const MaxPurses = 64

// purseChoices is how many purses a turn tries at least before it waits for the account's own row.
const purseChoices = 8

// Ceilings are what a plan allows a turn of the caller; nil is without limit.
type Ceilings struct {
	ConcurrentStreams *int   // turns of the key that run at once
	TokensPerMinute   *int   // of all that share Bucket
	Bucket            string // what the plan counts
	Tokens            int64  // what the turn is charged until its end: its input and the longest answer
}

// Verdict is what the ceilings and budgets of a turn decided, and from which figures.
type Verdict struct {
	Room     bool `db:"room"`     // fewer turns of the key run than may
	Tokens   bool `db:"tokens"`   // the minute has room for the turn's tokens
	Budgeted bool `db:"budgeted"` // every budget covers the hold
	Missing  bool `db:"missing"`  // a ceiling has no row yet to count in
	Stale    bool `db:"stale"`    // the account got purses that the statement could not see
	Purse    int  `db:"purse"`    // the row that holds the turn's highest cost; 0 is the account's own

	// The tokens that the minute held before the turn, by Unix second, the
	// oldest first, and the database's clock then; for plans with such a ceiling.
	Second        int64         `db:"second"`
	WindowSeconds pq.Int64Array `db:"window_seconds"`
	WindowTokens  pq.Int64Array `db:"window_tokens"`
}

// TokenWindow is how many seconds a second's tokens count beyond its own.
const TokenWindow = 60

// periods returns the starts of the day and of the month, in UTC.
func periods(at time.Time) (day, month time.Time) {
	y, m, d := at.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC), time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
}

const (
	// occupies are the columns of a turn that its end gives back.
	occupies = `end_user, purse, in_stream, token_bucket, token_second, token_charge, budget_ids, budget_starts`

	occupation = `$25, coalesce((select purse from purse), 0), $21::integer is not null,
		case when $23::integer is not null then $22::text end, (select second from token_window),
		case when $23::integer is not null then $24::bigint end,
		(select array_agg(budget_id) from budget), (select array_agg(start) from budget)`

	// verdict locks what limits the turn and decides.
	verdict = `streams as materialized (
			select running
			from stream_gates
			where account_id = $1 and key_id = $6 and $21::integer is not null and exists (select 1 from conversation)
			for no key update
		), token_row as materialized (
			select seconds, tokens
			from token_windows
			where account_id = $1 and bucket = $22 and $23::integer is not null and exists (select 1 from conversation)
				and (select count(*) from streams) >= 0
			for no key update
		), token_window as materialized (
			select l.second,
				array(select u.s from unnest(l.seconds, l.tokens) u(s, n) where u.s >= l.second - 60 order by u.s) as seconds,
				array(select u.n from unnest(l.seconds, l.tokens) u(s, n) where u.s >= l.second - 60 order by u.s) as tokens,
				(select coalesce(sum(u.n), 0) from unnest(l.seconds, l.tokens) u(s, n) where u.s >= l.second - 60) as used
			from (
				select array(select s - c.ahead from unnest(r.seconds) with ordinality u(s, i) order by i) as seconds, r.tokens, c.second
				from token_row r
				cross join lateral (
					select second, greatest(0, r.seconds[cardinality(r.seconds)] - second) as ahead -- the clock was put back
					from (select floor(extract(epoch from clock_timestamp()))::bigint as second) read
				) c
			) l
		), budget as materialized (
			select budget_id, amount_micros, greatest(period_start, case period when 'day' then $26::timestamptz when 'month' then $27::timestamptz end) as start,
				case when period_start < case period when 'day' then $26::timestamptz when 'month' then $27::timestamptz end then 0
					else held_micros + spent_micros end as used
			from budgets
			where account_id = $1 and subject = any(array[$6, $25::text]) and $9::bigint > 0
				and (kind = 'key' and subject = $6 or kind = 'end_user' and subject = $25) and exists (select 1 from conversation)
				and (select count(*) from token_row) >= 0
			order by budget_id
			for no key update
		), verdict as materialized (
			select not exists (select 1 from streams where running >= $21) as room,
				not exists (select 1 from token_window where used + $24::bigint > $23) as tokens,
				not exists (select 1 from budget where used + $9 > amount_micros) as budgeted,
				exists (select 1 from conversation) and ($21 is not null and not exists (select 1 from streams)
					or $23 is not null and not exists (select 1 from token_row)) as missing
		), passed as materialized (
			select 1 from verdict where room and tokens and budgeted and not missing and exists (select 1 from conversation)
		), `

	// anyPurse holds the highest cost in a purse that nobody else has locked, or
	// else in the account's own row.
	anyPurse = `purse as materialized (
			select purse
			from purses
			where account_id = $1 and $9 > 0 and balance_micros >= $9 and purse > $28::integer and exists (select 1 from passed)
			order by purse
			limit 1
			for no key update skip locked
		), held_in_purse as (
			update purses
			set balance_micros = balance_micros - $9, held_micros = held_micros + $9
			where account_id = $1 and purse = (select purse from purse)
			returning 1
		), held as (
			update accounts
			set balance_micros = balance_micros - $9, held_micros = held_micros + $9
			where account_id = $1 and $9 > 0 and balance_micros >= $9 and exists (select 1 from passed) and not exists (select 1 from purse)
			returning 1
		), stale as (
			select false as stale
		), `

	// allPurses empties all purses into the account's own row and holds the
	// highest cost there: what it refuses, the account cannot pay.
	allPurses = `full_purse as materialized (
			select purse, granted_micros, balance_micros, held_micros, spent_micros
			from purses
			where account_id = $1 and $9 > 0 and exists (select 1 from passed)
			order by purse
			for no key update
		), account as materialized (
			select purses, granted_micros, balance_micros, held_micros, spent_micros
			from accounts
			where account_id = $1 and $9 > 0 and exists (select 1 from passed) and $28::integer >= 0
				and (select count(*) from full_purse) >= 0
			for no key update
		), total as materialized (
			select coalesce(sum(balance_micros), 0)::bigint as micros
			from full_purse
			having coalesce(sum(balance_micros), 0) + (select balance_micros from account) >= $9
		), emptied as (
			update purses p
			set granted_micros = f.granted_micros - f.balance_micros, balance_micros = 0, held_micros = f.held_micros, spent_micros = f.spent_micros
			from full_purse f, total
			where p.account_id = $1 and p.purse = f.purse and f.balance_micros > 0
		), held as (
			update accounts a
			set granted_micros = l.granted_micros + total.micros, balance_micros = l.balance_micros + total.micros - $9,
				held_micros = l.held_micros + $9, spent_micros = l.spent_micros
			from account l, total
			where a.account_id = $1
			returning 1
		), purse as (
			select null::smallint as purse where false
		), held_in_purse as (
			select 1 where false
		), stale as (
			select coalesce((select purses from account), 0) > (select count(*) from full_purse) as stale
		), `

	// occupied counts the turn wherever it is limited, once its cost is held.
	occupied = `funded as materialized (
			select 1 where $9::bigint = 0 and exists (select 1 from passed)
			union all
			select 1 from held
			union all
			select 1 from held_in_purse
		), entered as (
			update stream_gates
			set running = running + 1
			where account_id = $1 and key_id = $6 and $21 is not null and exists (select 1 from funded)
		), charged as (
			update token_windows t
			set seconds = case when w.second = any(w.seconds) then w.seconds else w.seconds || w.second end,
				tokens = case when w.second = any(w.seconds)
					then w.tokens[:cardinality(w.tokens) - 1] || w.tokens[cardinality(w.tokens)] + $24::bigint else w.tokens || $24::bigint end
			from token_window w
			where t.account_id = $1 and t.bucket = $22 and exists (select 1 from funded)
		), budgeted as (
			update budgets b
			set held_micros = case when b.period_start < l.start then 0 else b.held_micros end + $9,
				spent_micros = case when b.period_start < l.start then 0 else b.spent_micros end, period_start = l.start
			from budget l
			where b.account_id = $1 and b.budget_id = l.budget_id and exists (select 1 from funded)
		), `

	found = `(select room from verdict) as room, (select tokens from verdict) as tokens, (select budgeted from verdict) as budgeted,
			(select missing from verdict) as missing,
			(select stale from stale) as stale,
			coalesce((select purse from purse), 0) as purse, coalesce((select second from token_window), 0) as second,
			(select seconds from token_window) as window_seconds, (select tokens from token_window) as window_tokens`
)

// makeGates makes the rows in which the ceilings of a turn are counted.
func (q *Queries) makeGates(ctx context.Context, t Turn, limits Ceilings) error {
	_, err := q.exec(ctx, `
		with gate as (
			insert into stream_gates (account_id, key_id)
			values ($1, $2)
			on conflict (account_id, key_id) do nothing
		)
		insert into token_windows (account_id, bucket)
		values ($1, $3)
		on conflict (account_id, bucket) do nothing`,
		t.AccountID, t.KeyID, limits.Bucket)
	return err
}

// SpreadMoney shares the balance in the account's own row out over its purses,
// which it makes, when each gets leastMicros or more, so that turns that begin
// and end at once do not wait for one row. It moves money without changing what
// there is; done twice it moves some more. Purses that it cannot see, because
// another server just made them, it leaves to the next time.
func (q *Queries) SpreadMoney(ctx context.Context, accountID string, leastMicros int64) error {
	_, err := q.exec(ctx, `
		with `+inOrder+`, full_purse as materialized (
			select purse
			from purses
			where account_id = $1 and (select count(*) from in_order) > 0
			order by purse
			for no key update
		), account as materialized (
			select granted_micros, balance_micros, held_micros, spent_micros, balance_micros / ($3::bigint + 1) as share
			from accounts
			where account_id = $1 and balance_micros / ($3::bigint + 1) >= greatest($2, 1) and purses = (select count(*) from full_purse)
			for no key update
		), spread as (
			insert into purses as p (account_id, purse, granted_micros, balance_micros)
			select $1, n, share, share
			from account, generate_series(1, $3::bigint) n
			order by n
			on conflict (account_id, purse) do update
			set granted_micros = p.granted_micros + excluded.granted_micros, balance_micros = p.balance_micros + excluded.balance_micros
			returning balance_micros
		)
		update accounts a
		set granted_micros = s.granted_micros - s.share * $3::bigint, balance_micros = s.balance_micros - s.share * $3::bigint,
			held_micros = s.held_micros, spent_micros = s.spent_micros, purses = $3::bigint
		from account s, (select count(*) from spread) locked
		where a.account_id = $1`,
		accountID, leastMicros, MaxPurses)
	return err
}
