package db

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/jmoiron/sqlx/types"
)

// The states of a turn. It leaves "running" once and for good.
const (
	TurnRunning   = "running"
	TurnCompleted = "completed"
	TurnFailed    = "failed"
	TurnCancelled = "cancelled"
)

// Turn is one answer being made or made.
type Turn struct {
	AccountID      string         `db:"account_id"`
	ID             string         `db:"turn_id"`
	Surface        string         `db:"surface"`
	ConversationID *string        `db:"conversation_id"`
	AppID          string         `db:"app_id"`
	KeyID          string         `db:"key_id"`
	ModelID        string         `db:"model_id"`
	State          string         `db:"state"`
	Owner          string         `db:"owner"`
	Generation     int64          `db:"generation"`  // which of its owners that is
	LeaseUntil     time.Time      `db:"lease_until"` // by the database's clock
	Lease          time.Duration  `db:"-"`           // how long BeginTurn makes it
	HeldMicros     int64          `db:"held_micros"`
	CostMicros     int64          `db:"cost_micros"`
	InputTokens    int64          `db:"input_tokens"`
	OutputTokens   int64          `db:"output_tokens"`
	Estimated      bool           `db:"estimated"`
	LastEvent      int64          `db:"last_event"`
	Options        types.JSONText `db:"options"` // what the request asked of its stream, in the surface's own terms
	Failure        *string        `db:"failure"`
	FailureKind    *string        `db:"failure_kind"` // what went wrong, in the words of the rules above
	IdempotencyKey *string        `db:"idempotency_key"`
	EndUser        *string        `db:"end_user"` // whom the caller made it for; nil when it did not say
	Unstored       bool           `db:"unstored"` // nothing of its text is kept: it has no events
	CreatedAt      time.Time      `db:"created_at"`
	EndedAt        *time.Time     `db:"ended_at"`
}

const turnColumns = `account_id, turn_id, surface, conversation_id, app_id, key_id, model_id, state, owner, generation, lease_until,
	held_micros, cost_micros, input_tokens, output_tokens, estimated, last_event, options, failure, failure_kind,
	idempotency_key, end_user, created_at, ended_at, unstored`

// Begun tells what BeginTurn found. The turn exists only when Began tells so.
type Begun struct {
	Funded       bool `db:"funded"`       // the balance covered the hold; false when it was not asked
	Conversation bool `db:"conversation"` // the conversation exists, or the turn has none
	Verdict
}

// Refused tells whether the balance alone stands against the turn.
func (b Begun) Refused() bool {
	return b.Conversation && !b.Funded && b.Room && b.Tokens && b.Budgeted && !b.Missing
}

// Beginning is what BeginTurn stores beside the turn.
type Beginning struct {
	Conversation *Conversation // a new one to make; nil when the turn's exists or it has none
	Question     *Message      // the user's message; nil: none is stored
	Claim        *Claim        // the request's Idempotency-Key; nil without one. A second turn for it is a ConflictError
	Ceilings     Ceilings      // the caller's plan
	Lazy         bool          // the commit need not wait for the disk; see BeginTurn
}

// BeginTurn stores, in one statement: the hold, the conversation if it is new,
// the user's message at its end and the running turn with our count of its
// input tokens. All of it or, when a ceiling, a budget or the balance does not
// cover the turn or the conversation is gone, nothing. A turn that exists has
// begun: nothing is stored twice. See turns_money.go for what decides. A refusal
// for want of money takes a second statement, which looks everywhere.
//
// A lazy beginning is lost when Postgres itself crashes within the half second
// after it, and with it all later writes that did not wait for the disk either,
// never a part of it. The commit of EndTurn waits and makes it durable, so it is
// for turns of which nothing is acknowledged before their end.
func (q *Queries) BeginTurn(ctx context.Context, t Turn, begin Beginning) (Begun, error) {
	b, err := q.beginTurn(ctx, anyPurse, t, begin)
	if err == nil && b.Missing {
		if err = q.makeGates(ctx, t, begin.Ceilings); err != nil {
			return b, err
		}
		b, err = q.beginTurn(ctx, anyPurse, t, begin)
	}
	for try := 0; err == nil && b.Refused() && (try == 0 || b.Stale); try++ {
		b, err = q.beginTurn(ctx, allPurses, t, begin)
	}
	return b, err
}

func (q *Queries) beginTurn(ctx context.Context, purse string, t Turn, begin Beginning) (Begun, error) {
	m, c, limits := begin.Question, begin.Conversation, begin.Ceilings
	if m == nil {
		m = &Message{}
	}
	if c == nil {
		c = &Conversation{}
	}
	claim := Claim{ExpiresAt: t.CreatedAt}
	if begin.Claim != nil {
		claim, t.IdempotencyKey = *begin.Claim, &begin.Claim.Key
	}
	day, month := periods(t.CreatedAt)
	var b Begun
	err := q.get(ctx, &b, `
		with begun as (
			select 1 from turns where account_id = $1 and turn_id = $2
		), conversation as (
			select 1 where ($4::text is null or $15) and not exists (select 1 from begun)
			union all
			select 1 from conversations
			where account_id = $1 and conversation_id = $4 and not exists (select 1 from begun)
		), `+verdict+purse+occupied+`
		created as (
			insert into conversations (account_id, conversation_id, surface, app_id, agent_id, model_id, title,
				system_prompt, last_seq, created_at, last_message_at, end_user)
			select $1, $4, $3, $5, $16, $17, $18, $19, case when $11::text = '' then 0 else 1 end, $10, $10, $33
			where $15 and exists (select 1 from funded)
			returning last_seq
		), touched as (
			update conversations
			set last_seq = last_seq + 1, last_message_at = $10
			where account_id = $1 and conversation_id = $4 and $11::text <> '' and exists (select 1 from funded)
			returning last_seq
		), asked as (
			insert into messages (account_id, conversation_id, seq, message_id, role, content, turn_id, created_at, image_ids)
			select $1, $4, last_seq, $11, 'user', $12, $2, $10, $35::text[]
			from (select last_seq from touched union all select last_seq from created) numbered
			where $11::text <> ''
		), turn as (
			insert into turns (account_id, turn_id, surface, conversation_id, app_id, key_id, model_id, state, owner,
				lease_until, held_micros, input_tokens, options, created_at, `+occupies+`, idempotency_key, unstored)
			select $1, $2, $3, $4, $5, $6, $7, 'running', $8, `+leaseOf("$13")+`, $9, $14, $20, $10, `+occupation+`, $29, $32
			where exists (select 1 from funded)
		), claimed as (
			insert into idempotency_keys (account_id, app_id, idempotency_key, fingerprint, turn_id, expires_at)
			select $1, $5, $29, $30, $2, $31
			where $29::text is not null and exists (select 1 from funded)
		), durability as materialized (
			select case when $34 then set_config('synchronous_commit', 'off', true) end
		)
		select exists (select 1 from funded) or exists (select 1 from begun) as funded,
			exists (select 1 from conversation) or exists (select 1 from begun) as conversation, `+found+`
		from durability`,
		t.AccountID, t.ID, t.Surface, t.ConversationID, t.AppID, t.KeyID, t.ModelID, t.Owner, t.HeldMicros,
		t.CreatedAt, m.ID, m.Content, t.Lease.Microseconds(), t.InputTokens,
		begin.Conversation != nil, c.AgentID, c.ModelID, c.Title, c.SystemPrompt, t.Options,
		limits.ConcurrentStreams, limits.Bucket, limits.TokensPerMinute, limits.Tokens, t.EndUser, day, month, rand.IntN(MaxPurses-purseChoices),
		t.IdempotencyKey, claim.Fingerprint, claim.ExpiresAt, t.Unstored, c.EndUser, begin.Lazy && !q.inActOf(ctx), m.ImageIDs)
	return b, err
}

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

// EndTurn stores, in one statement: the answer, its model, the exact usage, the
// settlement (hold released, cost spent), the ledger entry and the last
// events. Only the owner of a running turn can; for anyone else it is
// ErrNotFound. So it is when the batch before the last events is not stored,
// because Postgres crashed: then the whole log is to be given.
// When the conversation was deleted meanwhile, only figures and money are kept.
// Like BeginTurn it locks what limits and pays the turn before the conversation.
func (q *Queries) EndTurn(ctx context.Context, t Turn, e Ending) error {
	m := e.Answer
	if m == nil {
		m = &Message{}
	}
	told := e.Told
	if told == nil {
		told = &Event{}
	}
	return q.execOne(ctx, `
		with ended as (
			update turns
			set state = $4, cost_micros = $5, input_tokens = $6, output_tokens = $7, estimated = $8, last_event = $9,
				failure = $10, ended_at = $11, failure_kind = $23, model_id = $25
			where account_id = $1 and turn_id = $2 and owner = $3 and generation = $26 and state = 'running'
				and ($27 = 0 or exists (
					select 1 from turn_events e
					where e.account_id = $1 and e.turn_id = $2 and e.first_event = $27 and e.first_event + jsonb_array_length(e.events) = $18))
			returning conversation_id, held_micros, surface, app_id, key_id, model_id, `+occupies+`, idempotency_key
		), `+settled+` booked as (
			insert into ledger (account_id, entry_id, kind, amount_micros, turn_id, app_id, key_id, model_id, surface,
				end_user, input_tokens, output_tokens, estimated, created_at)
			select $1, $12, 'usage', $5, $2, app_id, key_id, model_id, surface, end_user, $6, $7, $8, $11
			from ended
		), conversation as (
			update conversations c
			set last_seq = c.last_seq + case when $13::text = '' then 0 else 1 end,
				last_message_at = case when $13::text = '' then c.last_message_at else $11 end,
				preview = case when $13::text = '' then c.preview else $14 end,
				input_tokens = c.input_tokens + $6, output_tokens = c.output_tokens + $7
			from ended e, money_locked
			where c.account_id = $1 and c.conversation_id = e.conversation_id
			returning c.conversation_id, c.last_seq
		), answered as (
			insert into messages (account_id, conversation_id, seq, message_id, role, content, thought, citations,
				turn_id, model_id, created_at)
			select $1, c.conversation_id, c.last_seq, $13, 'assistant', $15, $16, $17::jsonb, $2, e.model_id, $11
			from conversation c, ended e
			where $13::text <> ''
		), kept as (
			insert into turn_events (account_id, turn_id, first_event, events)
			select $1, $2, $18, $19::jsonb
			from ended e
			where $19::jsonb is not null and (e.conversation_id is null or exists (select 1 from conversation))
			`+keepLonger+`
		), erased as (
			delete from turn_events
			where account_id = $1 and turn_id = $2
				and exists (select 1 from ended where conversation_id is not null)
				and not exists (select 1 from conversation)
		), told as (
			insert into webhook_events (account_id, event_id, kind, payload, created_at)
			select $1, $20::text, $21::text, $22, $11
			from ended
			where $20::text <> '' and exists (
				select 1 from webhooks where account_id = $1 and status = 'enabled' and $21::text = any(events))
			returning event_id
		), telling as (
			insert into jobs (account_id, job_id, kind, args, max_attempts, run_at, created_at)
			select $1, event_id, '`+EventJob+`', '{}', 10, $11, $11
			from told
		), released as (
			delete from idempotency_keys k
			using ended e
			where k.account_id = $1 and k.app_id = e.app_id and k.idempotency_key = e.idempotency_key and k.turn_id = $2 and $24
		)
		select 1 from ended`,
		t.AccountID, t.ID, t.Owner, t.State, t.CostMicros, t.InputTokens, t.OutputTokens, t.Estimated, t.LastEvent,
		t.Failure, t.EndedAt, e.EntryID, m.ID, e.Preview, m.Content, m.Thought, m.Citations, e.FirstEvent,
		types.NullJSONText{JSONText: e.Events, Valid: e.Events != nil}, told.ID, told.Kind, types.NullJSONText{JSONText: told.Payload, Valid: e.Told != nil},
		t.FailureKind, e.Nothing, t.ModelID, t.Generation, e.Previous)
}

// Turn returns one turn of the account.
func (q *Queries) Turn(ctx context.Context, accountID, turnID string) (Turn, error) {
	var t Turn
	err := q.get(ctx, &t, `
		select `+turnColumns+`
		from turns
		where account_id = $1 and turn_id = $2`,
		accountID, turnID)
	return t, err
}

// RequestCancel asks the owner of a running turn to end it.
func (q *Queries) RequestCancel(ctx context.Context, accountID, turnID string) error {
	return q.execOne(ctx, `
		update turns
		set cancel_requested = true
		where account_id = $1 and turn_id = $2 and state = 'running'`,
		accountID, turnID)
}
