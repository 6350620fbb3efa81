package db

import (
	"context"
	"time"
)

// reportBatch bounds how many answers one statement counts.
const reportBatch = 1000

// ReportAnswers counts ended answers of an account's projects that were not
// counted yet, each once, and returns how many: fewer than a batch when none are left.
func (q *Queries) ReportAnswers(ctx context.Context, accountID string) (counted, batch int, err error) {
	err = q.get(ctx, &counted, `
		with found as materialized (
			select t.turn_id, t.conversation_id, t.state, t.ended_at, t.options
			from turns t
			where t.account_id = $1 and t.surface = 'projects' and not t.reported and t.state <> 'running'
			order by t.ended_at, t.turn_id
			limit $2
			for update
		), marked as (
			update turns t
			set reported = true
			from found f
			where t.account_id = $1 and t.turn_id = f.turn_id and not t.reported
			returning t.turn_id
		), answers as materialized (
			select f.turn_id, c.session_id, coalesce(c.project_id, (f.options->>'project_id')::bigint) as project_id,
				(f.options->>'prompt_id')::bigint as prompt_id, f.state as status, f.ended_at, (f.ended_at at time zone 'UTC')::date as day,
				coalesce(nullif(f.options->'metadata'->>'request_source', ''), 'api') as request_source
			from marked m
			join found f on f.turn_id = m.turn_id
			left join project_conversations c on c.account_id = $1 and c.session_id = f.conversation_id
		), begun as (
			update project_conversations c
			set reported = true
			where c.account_id = $1 and c.session_id in (select session_id from answers) and not c.reported
			returning c.session_id
		), firsts as (
			select distinct on (a.session_id) a.turn_id
			from answers a
			join begun b on b.session_id = a.session_id
			order by a.session_id, a.ended_at, a.turn_id
		), listed as (
			insert into project_answers (account_id, project_id, prompt_id, session_id, turn_id, ended_at)
			select $1, project_id, prompt_id, session_id, turn_id, ended_at
			from answers
			where session_id is not null and prompt_id is not null
			on conflict (account_id, project_id, prompt_id) do nothing
		), days as (
			insert into project_days as d (account_id, project_id, day, request_source, status, queries, conversations)
			select $1, a.project_id, a.day, a.request_source, a.status, count(*), count(f.turn_id)
			from answers a
			join projects p on p.account_id = $1 and p.project_id = a.project_id
			left join firsts f on f.turn_id = a.turn_id
			group by a.project_id, a.day, a.request_source, a.status
			order by a.project_id, a.day, a.request_source, a.status
			on conflict (account_id, project_id, day, request_source, status) do update
			set queries = d.queries + excluded.queries, conversations = d.conversations + excluded.conversations
		)
		select count(*) from marked`,
		accountID, reportBatch)
	return counted, reportBatch, err
}

// UnreportedAccounts names accounts with answers to count. For a server's loop: it crosses accounts.
func (q *Queries) UnreportedAccounts(ctx context.Context, limit int) ([]string, error) {
	accounts := []string{}
	err := q.list(ctx, &accounts, `
		select distinct account_id
		from turns
		where surface = 'projects' and not reported and state <> 'running'
		limit $1`,
		limit)
	return accounts, err
}

// ProjectDay is what a project answered on a UTC day, by where the questions came from and how the answers ended.
type ProjectDay struct {
	Day           time.Time `db:"day"`
	RequestSource string    `db:"request_source"`
	Status        string    `db:"status"` // TurnCompleted, TurnFailed or TurnCancelled
	Queries       int64     `db:"queries"`
	Conversations int64     `db:"conversations"` // whose first answer is among them
}

// ProjectDays returns the figures of a project, the oldest day first.
func (q *Queries) ProjectDays(ctx context.Context, accountID string, projectID int64) ([]ProjectDay, error) {
	days := []ProjectDay{}
	err := q.list(ctx, &days, `
		select day, request_source, status, queries, conversations
		from project_days
		where account_id = $1 and project_id = $2
		order by day, request_source, status`,
		accountID, projectID)
	return days, err
}

// CountProjectAnswers counts what ProjectAnswers lists on all pages.
func (q *Queries) CountProjectAnswers(ctx context.Context, accountID string, projectID int64, from, to time.Time) (int64, error) {
	var n int64
	err := q.get(ctx, &n, `
		select count(*)
		from project_answers
		where account_id = $1 and project_id = $2 and ended_at >= $3 and ended_at < $4`,
		accountID, projectID, from, to)
	return n, err
}

// ProjectAnswer is a question with its answer and the conversation that they are in.
type ProjectAnswer struct {
	Prompt
	Conversation int64 `db:"number"`
}

// ProjectAnswers lists answers of a project that ended from one time until before another, the newest first.
func (q *Queries) ProjectAnswers(ctx context.Context, accountID string, projectID int64, from, to time.Time, offset, limit int) ([]ProjectAnswer, error) {
	found := []ProjectAnswer{}
	err := q.list(ctx, &found, `
		with picked as materialized (
			select prompt_id, session_id, turn_id
			from project_answers
			where account_id = $1 and project_id = $2 and ended_at >= $3 and ended_at < $4
			order by prompt_id desc
			offset $5 limit $6
		)
		select p.session_id, p.turn_id, t.options, t.state, coalesce(asked.content, '') as question, coalesce(answered.content, '') as answer,
			answered.citations, t.created_at, t.ended_at, f.reaction, f.judged_by, f.created_at as judged_at, f.updated_at as rejudged_at, c.number
		from picked p
		join turns t on t.account_id = $1 and t.turn_id = p.turn_id
		join project_conversations c on c.account_id = $1 and c.session_id = p.session_id
		left join messages asked on asked.account_id = $1 and asked.conversation_id = p.session_id and asked.turn_id = p.turn_id and asked.role = 'user'
		left join messages answered on answered.account_id = $1 and answered.conversation_id = p.session_id and answered.turn_id = p.turn_id
			and answered.role = 'assistant'
		left join project_feedback f on f.account_id = $1 and f.session_id = p.session_id and f.prompt_id = p.prompt_id
		order by p.prompt_id desc`,
		accountID, projectID, from, to, offset, limit)
	return found, err
}
