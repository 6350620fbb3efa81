package db

import (
	"context"
	"time"

	"github.com/lib/pq"
)

// foldBatch bounds how many entries one transaction folds.
const foldBatch = 5000

// FoldLedger gives the account's new ledger entries their numbers and running
// totals and adds them to the usage by day. Everything that was booked before
// the call is folded when it returns; when there is nothing, it is one small read.
func (d *DB) FoldLedger(ctx context.Context, accountID string) error {
	var pending bool
	if err := d.get(ctx, &pending, `select exists (select 1 from ledger where account_id = $1 and seq is null)`, accountID); err != nil || !pending {
		return err
	}
	for folded := foldBatch; folded == foldBatch; {
		err := d.InTx(ctx, func(q *Queries) error {
			if err := q.lockHead(ctx, accountID); err != nil {
				return err
			}
			var err error
			folded, err = q.fold(ctx, accountID)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// lockHead makes folds of an account take turns; the next statement sees what the last one did.
func (q *Queries) lockHead(ctx context.Context, accountID string) error {
	_, err := q.exec(ctx, `
		insert into ledger_heads as h (account_id)
		values ($1)
		on conflict (account_id) do update
		set last_seq = h.last_seq`,
		accountID)
	return err
}

// fold finds the rows by their places: whatever the statistics say, it reads no more of the book than it folds.
func (q *Queries) fold(ctx context.Context, accountID string) (int, error) {
	var folded int
	err := q.get(ctx, &folded, `
		with found as materialized (
			select ctid as place, entry_id, kind, amount_micros, app_id, key_id, model_id, surface, end_user, input_tokens, output_tokens, created_at,
				took_ms, first_ms
			from ledger
			where account_id = $1 and seq is null
			order by created_at, entry_id
			limit $2
		), pending as materialized (
			select entry_id, kind, amount_micros, coalesce(app_id, '') as app_id, coalesce(key_id, '') as key_id, coalesce(model_id, '') as model_id,
				coalesce(surface, '') as surface, coalesce(end_user, '') as end_user, input_tokens, output_tokens, took_ms, first_ms,
				(created_at at time zone 'UTC')::date as day, row_number() over booked as n,
				(sum(case kind when 'grant' then amount_micros else -amount_micros end) over booked)::bigint as moved
			from found
			window booked as (order by created_at, entry_id)
		), numbered as (
			update ledger l
			set seq = h.last_seq + p.n, total_micros = h.total_micros + p.moved
			from pending p, ledger_heads h
			where l.account_id = $1 and l.entry_id = p.entry_id and h.account_id = $1 and l.ctid = any(array(select place from found))
		), days as (
			insert into usage_days as u (account_id, app_id, day, model_id, requests, input_tokens, output_tokens, cost_micros)
			select $1, app_id, day, model_id, count(*), sum(input_tokens), sum(output_tokens), sum(amount_micros)
			from pending
			where kind = 'usage'
			group by app_id, day, model_id
			on conflict (account_id, app_id, day, model_id) do update
			set requests = u.requests + excluded.requests, input_tokens = u.input_tokens + excluded.input_tokens,
				output_tokens = u.output_tokens + excluded.output_tokens, cost_micros = u.cost_micros + excluded.cost_micros
		), cells as (
			insert into usage_cells as u (account_id, day, app_id, key_id, model_id, surface, end_user,
				requests, input_tokens, output_tokens, cost_micros)
			select $1, day, app_id, key_id, model_id, surface, end_user, count(*), sum(input_tokens), sum(output_tokens), sum(amount_micros)
			from pending
			where kind = 'usage'
			group by day, app_id, key_id, model_id, surface, end_user
			on conflict (account_id, day, app_id, key_id, model_id, surface, end_user) do update
			set requests = u.requests + excluded.requests, input_tokens = u.input_tokens + excluded.input_tokens,
				output_tokens = u.output_tokens + excluded.output_tokens, cost_micros = u.cost_micros + excluded.cost_micros
		), latencies as (
			insert into usage_latencies as u (account_id, day, key_id, model_id, measure, bucket, answers, sum_ms)
			select $1, day, key_id, model_id, measure, floor(ln(greatest(ms, 1)::double precision) / ln(2::double precision) * 4)::integer, count(*), sum(ms)
			from pending
			cross join lateral (values ('took', took_ms), ('first', first_ms)) as m (measure, ms)
			where kind = 'usage' and ms is not null
			group by 2, 3, 4, 5, 6
			on conflict (account_id, day, key_id, model_id, measure, bucket) do update
			set answers = u.answers + excluded.answers, sum_ms = u.sum_ms + excluded.sum_ms
		), head as (
			update ledger_heads
			set last_seq = last_seq + (select count(*) from pending),
				total_micros = total_micros + (select moved from pending order by n desc limit 1)
			where account_id = $1 and exists (select 1 from pending)
		)
		select count(*) from pending`,
		accountID, foldBatch)
	return folded, err
}

// UnfoldedAccounts names accounts with entries to fold. For a server's loop: it crosses accounts.
func (q *Queries) UnfoldedAccounts(ctx context.Context, limit int) ([]string, error) {
	accounts := []string{}
	err := q.list(ctx, &accounts, `
		select distinct account_id
		from ledger
		where seq is null
		limit $1`,
		limit)
	return accounts, err
}

// ModelUsage sums the usage of one model.
type ModelUsage struct {
	ModelID      string `db:"model_id"`
	Requests     int64  `db:"requests"`
	InputTokens  int64  `db:"input_tokens"`
	OutputTokens int64  `db:"output_tokens"`
	CostMicros   int64  `db:"cost_micros"`
}

const day = "2006-01-02"

// UsageByModel sums an app's folded usage over UTC days, from one (included)
// to another (excluded), the dearest model first.
func (q *Queries) UsageByModel(ctx context.Context, accountID, appID string, from, to time.Time) ([]ModelUsage, error) {
	usage := []ModelUsage{}
	err := q.list(ctx, &usage, `
		select model_id, sum(requests)::bigint as requests, sum(input_tokens)::bigint as input_tokens,
			sum(output_tokens)::bigint as output_tokens, sum(cost_micros)::bigint as cost_micros
		from usage_days
		where account_id = $1 and app_id = $2 and day >= $3::date and day < $4::date
		group by model_id
		order by cost_micros desc, requests desc, model_id`,
		accountID, appID, from.UTC().Format(day), to.UTC().Format(day))
	return usage, err
}

// UsageGroup names a group of usage: the members that usage is not grouped by are "".
type UsageGroup struct {
	Day     string `db:"day"` // UTC, as 2006-01-02
	AppID   string `db:"app_id"`
	KeyID   string `db:"key_id"`
	ModelID string `db:"model_id"`
	Surface string `db:"surface"`
	EndUser string `db:"end_user"`
}

// GroupUsage is the usage of a group.
type GroupUsage struct {
	UsageGroup
	Requests     int64 `db:"requests"`
	InputTokens  int64 `db:"input_tokens"`
	OutputTokens int64 `db:"output_tokens"`
	CostMicros   int64 `db:"cost_micros"`
}

// UsageFilter chooses and groups usage.
type UsageFilter struct {
	From, To time.Time   // UTC days, To excluded
	By       []string    // columns of UsageGroup to group by; none: one group
	After    *UsageGroup // groups beyond this one; nil: from the first
	Limit    int
}

// Usage sums the account's folded usage by group, in the order of UsageGroup's members.
func (q *Queries) Usage(ctx context.Context, accountID string, f UsageFilter) ([]GroupUsage, error) {
	after := UsageGroup{}
	if f.After != nil {
		after = *f.After
	}
	groups := []GroupUsage{}
	err := q.list(ctx, &groups, `
		select day, app_id, key_id, model_id, surface, end_user, requests, input_tokens, output_tokens, cost_micros
		from (
			select case when 'day' = any($4) then day::text else '' end as day, case when 'app_id' = any($4) then app_id else '' end as app_id,
				case when 'key_id' = any($4) then key_id else '' end as key_id, case when 'model_id' = any($4) then model_id else '' end as model_id,
				case when 'surface' = any($4) then surface else '' end as surface, case when 'end_user' = any($4) then end_user else '' end as end_user,
				sum(requests)::bigint as requests, sum(input_tokens)::bigint as input_tokens,
				sum(output_tokens)::bigint as output_tokens, sum(cost_micros)::bigint as cost_micros
			from usage_cells
			where account_id = $1 and day >= $2::date and day < $3::date
			group by 1, 2, 3, 4, 5, 6
		) grouped
		where not $5 or (day, app_id, key_id, model_id, surface, end_user) > ($6, $7, $8, $9, $10, $11)
		order by day, app_id, key_id, model_id, surface, end_user
		limit $12`,
		accountID, f.From.UTC().Format(day), f.To.UTC().Format(day), pq.Array(f.By), f.After != nil,
		after.Day, after.AppID, after.KeyID, after.ModelID, after.Surface, after.EndUser, f.Limit)
	return groups, err
}

// namelessUsage is the statement that adds usage of end users to that of nobody in particular.
func namelessUsage(condition string) string {
	return `
		with gone as (
			delete from usage_cells
			where account_id = $1 and ` + condition + `
			returning day, app_id, key_id, model_id, surface, requests, input_tokens, output_tokens, cost_micros
		)
		insert into usage_cells as u (account_id, day, app_id, key_id, model_id, surface, end_user,
			requests, input_tokens, output_tokens, cost_micros)
		select $1, day, app_id, key_id, model_id, surface, '', sum(requests), sum(input_tokens), sum(output_tokens), sum(cost_micros)
		from gone
		group by day, app_id, key_id, model_id, surface
		on conflict (account_id, day, app_id, key_id, model_id, surface, end_user) do update
		set requests = u.requests + excluded.requests, input_tokens = u.input_tokens + excluded.input_tokens,
			output_tokens = u.output_tokens + excluded.output_tokens, cost_micros = u.cost_micros + excluded.cost_micros`
}

// unnameUsage takes the end users' names out of what answers in conversations
// cost. The head is locked first: a fold under way would add up names that are taken out meanwhile.
func (q *Queries) unnameUsage(ctx context.Context, accountID string, conversationIDs []string) error {
	if err := q.lockHead(ctx, accountID); err != nil {
		return err
	}
	if _, err := q.exec(ctx, `
		with named as materialized (
			select entry_id, seq, coalesce(app_id, '') as app_id, coalesce(key_id, '') as key_id, coalesce(model_id, '') as model_id,
				coalesce(surface, '') as surface, end_user, input_tokens, output_tokens, amount_micros, (created_at at time zone 'UTC')::date as day
			from ledger
			where account_id = $1 and kind = 'usage' and end_user <> '' and turn_id in (
				select turn_id from turns where account_id = $1 and conversation_id = any($2))
		), unnamed as (
			update ledger l
			set end_user = null
			from named n
			where l.account_id = $1 and l.entry_id = n.entry_id
		), moved as materialized (
			select day, app_id, key_id, model_id, surface, end_user, count(*) as requests, sum(input_tokens) as input_tokens,
				sum(output_tokens) as output_tokens, sum(amount_micros) as cost_micros
			from named
			where seq is not null
			group by day, app_id, key_id, model_id, surface, end_user
		), taken as (
			update usage_cells u
			set requests = u.requests - m.requests, input_tokens = u.input_tokens - m.input_tokens,
				output_tokens = u.output_tokens - m.output_tokens, cost_micros = u.cost_micros - m.cost_micros
			from moved m
			where u.account_id = $1 and (u.day, u.app_id, u.key_id, u.model_id, u.surface, u.end_user)
				= (m.day, m.app_id, m.key_id, m.model_id, m.surface, m.end_user)
		)
		insert into usage_cells as u (account_id, day, app_id, key_id, model_id, surface, end_user,
			requests, input_tokens, output_tokens, cost_micros)
		select $1, day, app_id, key_id, model_id, surface, '', sum(requests), sum(input_tokens), sum(output_tokens), sum(cost_micros)
		from moved
		group by day, app_id, key_id, model_id, surface
		on conflict (account_id, day, app_id, key_id, model_id, surface, end_user) do update
		set requests = u.requests + excluded.requests, input_tokens = u.input_tokens + excluded.input_tokens,
			output_tokens = u.output_tokens + excluded.output_tokens, cost_micros = u.cost_micros + excluded.cost_micros`,
		accountID, pq.Array(conversationIDs)); err != nil {
		return err
	}
	_, err := q.exec(ctx, `delete from usage_cells where account_id = $1 and end_user <> '' and requests = 0`, accountID)
	return err
}
