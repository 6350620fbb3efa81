package db

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx/types"
)

// Ending is what EndTurn stores beside the turn's final figures.
type Ending struct {
	Answer     *Message       // nil: no message, because nothing was produced or there is no conversation
	Preview    string         // the beginning of the answer
	EntryID    string         // of the ledger
	Previous   int64          // the first event of the batch before Events; 0: Events begins the log
	FirstEvent int64          // number of the first of Events
	Events     types.JSONText // the events not yet stored; nil when there are none
	Told       *Event         // what webhooks shall know of it, when there are any; nil: nothing
	Nothing    bool           // nothing was produced or spent: the turn's Idempotency-Key may be used again
}

// ended is a turn's end in the form in which it is sent.
type ended struct {
	N            int            `json:"n"`
	AccountID    string         `json:"account_id"`
	TurnID       string         `json:"turn_id"`
	Owner        string         `json:"owner"`
	Generation   int64          `json:"generation"`
	State        string         `json:"state"`
	CostMicros   int64          `json:"cost_micros"`
	InputTokens  int64          `json:"input_tokens"`
	OutputTokens int64          `json:"output_tokens"`
	Estimated    bool           `json:"estimated"`
	LastEvent    int64          `json:"last_event"`
	Failure      *string        `json:"failure"`
	FailureKind  *string        `json:"failure_kind"`
	EndedAt      *time.Time     `json:"ended_at"`
	ModelID      string         `json:"model_id"`
	EntryID      string         `json:"entry_id"`
	MessageID    string         `json:"message_id"`
	Preview      string         `json:"preview"`
	Content      string         `json:"content"`
	Thought      string         `json:"thought"`
	Citations    types.JSONText `json:"citations"`
	Previous     int64          `json:"previous"`
	FirstEvent   int64          `json:"first_event"`
	Events       types.JSONText `json:"events"`
	ToldID       string         `json:"told_id"`
	ToldKind     string         `json:"told_kind"`
	Told         types.JSONText `json:"told"`
	Nothing      bool           `json:"nothing"`
	FirstMs      *int64         `json:"first_ms"`
}

// endedTurn is a turn with its ending.
type endedTurn struct {
	turn   Turn
	ending Ending
}

// row is the end as number n of a statement.
func (t endedTurn) row(n int) ended {
	none := types.JSONText("null")
	e := ended{
		N: n, AccountID: t.turn.AccountID, TurnID: t.turn.ID, Owner: t.turn.Owner, Generation: t.turn.Generation, State: t.turn.State,
		CostMicros: t.turn.CostMicros, InputTokens: t.turn.InputTokens, OutputTokens: t.turn.OutputTokens, Estimated: t.turn.Estimated,
		LastEvent: t.turn.LastEvent, Failure: t.turn.Failure, FailureKind: t.turn.FailureKind, ModelID: t.turn.ModelID,
		EntryID: t.ending.EntryID, Preview: t.ending.Preview, Previous: t.ending.Previous, FirstEvent: t.ending.FirstEvent,
		Citations: none, Events: none, Told: none, Nothing: t.ending.Nothing, FirstMs: t.turn.FirstMs,
	}
	if t.turn.EndedAt != nil {
		at := t.turn.EndedAt.UTC()
		e.EndedAt = &at
	}
	if m := t.ending.Answer; m != nil {
		e.MessageID, e.Content, e.Thought = m.ID, m.Content, m.Thought
		if m.Citations.Valid {
			e.Citations = m.Citations.JSONText
		}
	}
	if t.ending.Events != nil {
		e.Events = t.ending.Events
	}
	if told := t.ending.Told; told != nil {
		e.ToldID, e.ToldKind, e.Told = told.ID, told.Kind, told.Payload
	}
	return e
}

// EndTurn stores the answer, its model, the exact usage, the settlement (hold
// released, cost spent), the ledger entry and the last events: all of it or
// nothing. Only the owner of a running turn can; for anyone else it is
// ErrNotFound. So it is when the batch before the last events is not stored,
// because Postgres crashed: then the whole log is to be given.
// When the conversation was deleted meanwhile, only figures and money are kept.
//
// Ends that are stored at the same time share one statement and its commit.
func (d *DB) EndTurn(ctx context.Context, t Turn, e Ending) error {
	if d.inActOf(ctx) {
		return d.Queries.EndTurn(ctx, t, e)
	}
	span := spanOf(ctx, together+"ends of turns")
	stored, err := d.ends.do(ctx, endedTurn{t, e})
	endSpan(span, err)
	if err == nil && !stored {
		return ErrNotFound
	}
	return err
}

// EndTurn is DB.EndTurn inside a transaction.
func (q *Queries) EndTurn(ctx context.Context, t Turn, e Ending) error {
	stored, err := q.endTurns(ctx, []endedTurn{{t, e}})
	if err == nil && !stored[0] {
		return ErrNotFound
	}
	return err
}

// endTurns ends turns of any accounts and tells which it did. Like BeginTurn it
// updates what limits and pays the turns before the conversations.
func (q *Queries) endTurns(ctx context.Context, turns []endedTurn) ([]bool, error) {
	rows := make([]ended, len(turns))
	for i, t := range turns {
		rows[i] = t.row(i)
	}
	var done []int
	err := q.list(ctx, &done, `
		with want as materialized (
			select *
			from json_to_recordset($1) as w(n integer, account_id text, turn_id text, owner text, generation bigint, state text,
				cost_micros bigint, input_tokens bigint, output_tokens bigint, estimated boolean, last_event bigint, failure text,
				failure_kind text, ended_at timestamptz, model_id text, entry_id text, message_id text, preview text, content text,
				thought text, citations jsonb, previous bigint, first_event bigint, events jsonb, told_id text, told_kind text, told jsonb,
				nothing boolean, first_ms bigint) `+knownRows+`$2
		), `+inTurns(`(
			select (select cardinality(t.budget_ids) from turns t where t.account_id = w.account_id and t.turn_id = w.turn_id) from want w) > 1`)+` ended as (
			update turns t
			set state = w.state, cost_micros = w.cost_micros, input_tokens = w.input_tokens, output_tokens = w.output_tokens,
				estimated = w.estimated, last_event = w.last_event, failure = w.failure, ended_at = w.ended_at,
				failure_kind = w.failure_kind, model_id = w.model_id
			from want w
			where t.account_id = w.account_id and t.turn_id = w.turn_id and t.owner = w.owner and t.generation = w.generation
				and `+isRunning+` and (select count(*) from taken) >= 0 and (w.previous = 0 or (
					select e.first_event + jsonb_array_length(e.events) = w.first_event
					from turn_events e
					where e.account_id = w.account_id and e.turn_id = w.turn_id and e.first_event = w.previous))
			returning t.account_id, t.turn_id, t.conversation_id, t.held_micros, t.surface, t.app_id, t.key_id, t.idempotency_key,
				`+occupies+`, w.n, w.cost_micros, w.input_tokens, w.output_tokens, w.estimated, w.ended_at, w.model_id, w.entry_id,
				w.message_id, w.preview, w.content, w.thought, w.citations, w.first_event, w.events, w.told_id, w.told_kind, w.told, w.nothing, w.first_ms,
				case w.state when 'completed' then greatest(0, extract(epoch from w.ended_at - t.created_at) * 1000)::bigint end as took_ms
		), `+settled+` booked as (
			insert into ledger (account_id, entry_id, kind, amount_micros, turn_id, app_id, key_id, model_id, surface,
				end_user, input_tokens, output_tokens, estimated, created_at, took_ms, first_ms)
			select account_id, entry_id, 'usage', cost_micros, turn_id, app_id, key_id, model_id, surface, end_user,
				input_tokens, output_tokens, estimated, ended_at, took_ms, case when took_ms is not null then first_ms end
			from ended
		), `+answered+` told as (
			insert into webhook_events (account_id, event_id, kind, payload, created_at)
			select account_id, told_id, told_kind, told, ended_at
			from ended e
			where told_id <> '' and exists (
				select 1 from webhooks h where h.account_id = e.account_id and h.status = 'enabled' and e.told_kind = any(h.events))
			returning account_id, event_id, created_at
		), telling as (
			insert into jobs (account_id, job_id, kind, args, max_attempts, run_at, created_at)
			select account_id, event_id, '`+EventJob+`', '{}', 10, created_at, created_at
			from told
		), released as (
			delete from idempotency_keys k
			using ended e
			where k.account_id = e.account_id and k.app_id = e.app_id and k.idempotency_key = e.idempotency_key
				and k.turn_id = e.turn_id and e.nothing
		)
		select n from ended`,
		asJSON(rows), len(rows))
	stored := make([]bool, len(turns))
	for _, n := range done {
		stored[n] = true
	}
	return stored, err
}

const (
	// knownRows, before their number, tells the planner how many rows are sent: it
	// takes JSON for a hundred, and plans that are kept from when a table was
	// small would read it whole for them ever after. For a number that it does not
	// know, it expects ten. For the same reason what is looked up for each row
	// stands in a subquery of its own, which cannot become a join.
	knownRows = "limit "

	// isRunning keeps the planner from the index of running turns, which it takes
	// for nearly empty, as it is while statistics are made: it would read all of
	// it for each row that is sent.
	isRunning = "t.state || '' = 'running'"

	// settled gives back what turns occupied and spends their cost. Each kind of
	// rows is updated after those before it, which counting them makes sure of:
	// Postgres evaluates such a condition first.
	settled = `left_stream as (
			update stream_gates g
			set running = g.running - c.turns
			from (select account_id, key_id, count(*) as turns from ended where in_stream group by account_id, key_id) c
			where g.account_id = c.account_id and g.key_id = c.key_id
			returning 1
		), corrected as (
			update token_windows w
			set tokens = array(
				select u.n + coalesce((select sum(m.n) from unnest(c.at, c.more) m(s, n) where m.s = u.s), 0)::bigint
				from unnest(w.seconds, w.tokens) with ordinality u(s, n, i)
				order by u.i)
			from (
				select account_id, token_bucket, array_agg(token_second) as at, array_agg(input_tokens + output_tokens - token_charge) as more
				from ended
				where token_bucket is not null
				group by account_id, token_bucket
			) c
			where w.account_id = c.account_id and w.bucket = c.token_bucket and (select count(*) from left_stream) >= 0
			returning 1
		), budgeted as (
			update budgets b
			set held_micros = b.held_micros - d.held, spent_micros = b.spent_micros + d.cost
			from (
				select e.account_id, h.budget_id, h.start, sum(e.held_micros)::bigint as held, sum(e.cost_micros)::bigint as cost
				from ended e
				cross join unnest(e.budget_ids, e.budget_starts) h(budget_id, start)
				group by e.account_id, h.budget_id, h.start
			) d
			where b.account_id = d.account_id and b.budget_id = d.budget_id and b.period_start = d.start
				and (select count(*) from corrected) >= 0
			returning 1
		), due as materialized (
			select account_id, purse, sum(held_micros)::bigint as held, sum(cost_micros)::bigint as cost
			from ended
			where held_micros > 0
			group by account_id, purse
		), settled_in_purse as (
			update purses p
			set balance_micros = p.balance_micros + d.held - d.cost, held_micros = p.held_micros - d.held, spent_micros = p.spent_micros + d.cost
			from due d
			where p.account_id = d.account_id and p.purse = d.purse and (select count(*) from budgeted) >= 0
			returning 1
		), settled as (
			update accounts a
			set balance_micros = a.balance_micros + d.held - d.cost, held_micros = a.held_micros - d.held, spent_micros = a.spent_micros + d.cost
			from due d
			where a.account_id = d.account_id and d.purse = 0 and (select count(*) from settled_in_purse) >= 0
			returning 1
		),`

	// answered adds the answers and last events to conversations that are still there.
	answered = `conversation as (
			update conversations c
			set last_seq = c.last_seq + d.answers, last_message_at = coalesce(d.at, c.last_message_at), preview = coalesce(d.preview, c.preview),
				input_tokens = c.input_tokens + d.input, output_tokens = c.output_tokens + d.output
			from (
				select account_id, conversation_id, sum(input_tokens)::bigint as input, sum(output_tokens)::bigint as output,
					count(*) filter (where message_id <> '') as answers, max(ended_at) filter (where message_id <> '') as at,
					(array_agg(preview order by n desc) filter (where message_id <> ''))[1] as preview
				from ended
				where conversation_id is not null
				group by account_id, conversation_id
			) d
			where c.account_id = d.account_id and c.conversation_id = d.conversation_id and (select count(*) from settled) >= 0
			returning c.account_id, c.conversation_id, c.last_seq - d.answers as seq
		), answered as (
			insert into messages (account_id, conversation_id, seq, message_id, role, content, thought, citations,
				turn_id, model_id, created_at)
			select e.account_id, e.conversation_id, c.seq + row_number() over (partition by e.account_id, e.conversation_id order by e.n),
				e.message_id, 'assistant', e.content, e.thought, e.citations, e.turn_id, e.model_id, e.ended_at
			from ended e
			join conversation c on c.account_id = e.account_id and c.conversation_id = e.conversation_id
			where e.message_id <> ''
		), kept as (
			insert into turn_events (account_id, turn_id, first_event, events)
			select e.account_id, e.turn_id, e.first_event, e.events
			from ended e
			where e.events is not null and (e.conversation_id is null or exists (
				select 1 from conversation c where c.account_id = e.account_id and c.conversation_id = e.conversation_id))
			` + keepLonger + `
		), erased as (
			delete from turn_events v
			using ended e
			where v.account_id = e.account_id and v.turn_id = e.turn_id and e.conversation_id is not null and not exists (
				select 1 from conversation c where c.account_id = e.account_id and c.conversation_id = e.conversation_id)
		),`
)

// inTurns makes statements that want several turns of an account wait for each
// other, and for those inOrder, because no such statement touches rows of one
// kind in a certain order: they would deadlock. The statement of a single turn
// needs it when it has more than one row of a kind, which several tells. A lock
// of the rows would not do: to lock a row and then update it in one statement
// looks at an old version of it twice, and others wait in between.
//
// A statement of many waits for no lock for long. It fails then, and each turn
// gets a statement of its own: the turns of an account whose rows somebody
// holds must not keep those of others waiting.
func inTurns(several string) string {
	return `patience as materialized (
			select set_config('lock_timeout', case when count(*) > 1 then '500ms' else current_setting('lock_timeout') end, true)
			from want
		), taken as materialized (
			select pg_advisory_xact_lock(hashtextextended('turns of ' || account_id, 0))
			from (
				select distinct account_id
				from want
				where case when (select count(*) from want) > 1 then true else ` + several + ` end and (select count(*) from patience) > 0
				order by account_id
			) a
		),`
}

// inOrder is for statements that lock several rows of a kind in a certain order:
// they need not wait for each other, but for statements inTurns.
const inOrder = `in_order as materialized (
			select pg_advisory_xact_lock_shared(hashtextextended('turns of ' || $1::text, 0))
		)`
