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
	Plain      bool           // Begun told that the turn began together with others: it occupies nothing but money of its account's own row
}

// ended is a turn's end in the form in which it is sent; see beginning.
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
	Failure      *string        `json:"failure,omitzero"`
	FailureKind  *string        `json:"failure_kind,omitzero"`
	EndedAt      *time.Time     `json:"ended_at"`
	ModelID      string         `json:"model_id"`
	EntryID      string         `json:"entry_id"`
	MessageID    string         `json:"message_id,omitzero"`
	Preview      string         `json:"preview,omitzero"`
	Content      string         `json:"content,omitzero"`
	Thought      string         `json:"thought,omitzero"`
	Citations    types.JSONText `json:"citations,omitzero"`
	Previous     int64          `json:"previous"`
	FirstEvent   int64          `json:"first_event"`
	Events       types.JSONText `json:"events,omitzero"`
	ToldID       string         `json:"told_id,omitzero"`
	ToldKind     string         `json:"told_kind,omitzero"`
	Told         types.JSONText `json:"told,omitzero"`
	Nothing      bool           `json:"nothing,omitzero"`
	FirstMs      *int64         `json:"first_ms,omitzero"`
}

// endedTurn is a turn with its ending.
type endedTurn struct {
	turn   Turn
	ending Ending
}

// row is the end as number n of a statement.
func (t endedTurn) row(n int) ended {
	e := ended{
		N: n, AccountID: t.turn.AccountID, TurnID: t.turn.ID, Owner: t.turn.Owner, Generation: t.turn.Generation, State: t.turn.State,
		CostMicros: t.turn.CostMicros, InputTokens: t.turn.InputTokens, OutputTokens: t.turn.OutputTokens, Estimated: t.turn.Estimated,
		LastEvent: t.turn.LastEvent, Failure: t.turn.Failure, FailureKind: t.turn.FailureKind, ModelID: t.turn.ModelID,
		EntryID: t.ending.EntryID, Preview: t.ending.Preview, Previous: t.ending.Previous, FirstEvent: t.ending.FirstEvent,
		Events: t.ending.Events, Nothing: t.ending.Nothing, FirstMs: t.turn.FirstMs,
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
	if d.InAct(ctx) {
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
	err := q.list(ctx, &done, endStatements[endPartsOf(turns)], asJSON(rows), len(rows))
	stored := make([]bool, len(turns))
	for _, n := range done {
		stored[n] = true
	}
	return stored, err
}

// endParts are the parts of a statement of ends that not every turn needs. Those
// that none of its turns needs are left out: a part costs Postgres 20 to 60 µs
// of a processor even when it finds nothing to do.
type endParts struct {
	limits  bool // a turn occupied more than money of its account's own row
	stored  bool // a turn has a conversation or events
	told    bool // webhooks may want to hear of a turn
	several bool // there is more than one turn
}

func endPartsOf(turns []endedTurn) endParts {
	parts := endParts{several: len(turns) > 1}
	for _, t := range turns {
		parts.limits = parts.limits || !t.ending.Plain
		parts.stored = parts.stored || !t.turn.Unstored || t.turn.ConversationID != nil || t.ending.Events != nil
		parts.told = parts.told || t.ending.Told != nil
	}
	return parts
}

// endStatements are the texts by their parts. They are made once: each is prepared by its text.
var endStatements = func() map[endParts]string {
	all := map[endParts]string{}
	for n := range 1 << 4 {
		parts := endParts{n&1 != 0, n&2 != 0, n&4 != 0, n&8 != 0}
		all[parts] = parts.statement()
	}
	return all
}()

func (p endParts) statement() string {
	taken, settles, answers, tells, releases := "", due+settled(""), "", "", ""
	var turn string // what has to be locked before a turn
	if p.several || p.limits {
		taken, turn = inTurns(`(
			select (select cardinality(t.budget_ids) from turns t where t.account_id = w.account_id and t.turn_id = w.turn_id) from want w) > 1`), "taken"
	}
	if p.limits {
		settles, releases = due+givenBack+settled("settled_in_purse"), released
	}
	if p.stored {
		answers = answered
	}
	if p.told {
		tells = told
	}
	return `
		with want as materialized (
			select *
			from json_to_recordset($1) as w(n integer, account_id text, turn_id text, owner text, generation bigint, state text,
				cost_micros bigint, input_tokens bigint, output_tokens bigint, estimated boolean, last_event bigint, failure text,
				failure_kind text, ended_at timestamptz, model_id text, entry_id text, message_id text, preview text, content text,
				thought text, citations jsonb, previous bigint, first_event bigint, events jsonb, told_id text, told_kind text, told jsonb,
				nothing boolean, first_ms bigint) ` + knownRows + `$2
		), ` + taken + ` ended as (
			update turns t
			set state = w.state, cost_micros = w.cost_micros, input_tokens = w.input_tokens, output_tokens = w.output_tokens,
				estimated = w.estimated, last_event = w.last_event, failure = w.failure, ended_at = w.ended_at,
				failure_kind = w.failure_kind, model_id = w.model_id
			from want w
			where t.account_id = w.account_id and t.turn_id = w.turn_id and t.owner = w.owner and t.generation = w.generation
				and ` + isRunning + after(turn) + ` and (w.previous = 0 or (
					select e.first_event + jsonb_array_length(e.events) = w.first_event
					from turn_events e
					where e.account_id = w.account_id and e.turn_id = w.turn_id and e.first_event = w.previous))
			returning t.account_id, t.turn_id, t.conversation_id, t.held_micros, t.surface, t.app_id, t.key_id, t.idempotency_key,
				` + occupies + `, w.n, w.cost_micros, w.input_tokens, w.output_tokens, w.estimated, w.ended_at, w.model_id, w.entry_id,
				w.message_id, w.preview, w.content, w.thought, w.citations, w.first_event, w.events, w.told_id, w.told_kind, w.told, w.nothing, w.first_ms,
				case w.state when 'completed' then greatest(0, extract(epoch from w.ended_at - t.created_at) * 1000)::bigint end as took_ms
		), ` + settles + answers + tells + releases + ` booked as (
			insert into ledger (account_id, entry_id, kind, amount_micros, turn_id, app_id, key_id, model_id, surface,
				end_user, input_tokens, output_tokens, estimated, created_at, took_ms, first_ms)
			select account_id, entry_id, 'usage', cost_micros, turn_id, app_id, key_id, model_id, surface, end_user,
				input_tokens, output_tokens, estimated, ended_at, took_ms, case when took_ms is not null then first_ms end
			from ended
		)
		select n from ended`
}

// after makes a part of a statement wait for another one, which counting its
// rows makes sure of: Postgres evaluates such a condition first. "" waits for none.
func after(part string) string {
	if part == "" {
		return ""
	}
	return " and (select count(*) from " + part + ") >= 0"
}
