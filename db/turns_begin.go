package db

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jmoiron/sqlx/types"
)

// Begun tells what BeginTurn found. The turn exists only when Began tells so.
type Begun struct {
	Together     bool `db:"-"`            // it shares its statement with others, and nothing but the balance limits it
	Unheard      bool `db:"-"`            // no webhook of the account is enabled; false when it was not asked
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

// BeginTurn is DB.BeginTurn inside a transaction, and for turns that more limits
// than the balance. It stores, in one statement: the hold, the conversation if it is new,
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
		with `+inOrder+`, begun as (
			select 1 from turns where account_id = $1 and turn_id = $2 and (select count(*) from in_order) > 0
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
		t.IdempotencyKey, claim.Fingerprint, claim.ExpiresAt, t.Unstored, c.EndUser, begin.Lazy && !q.InAct(ctx), m.ImageIDs)
	return b, err
}

// begins is a turn with its beginning.
type begins struct {
	turn      Turn
	beginning Beginning
}

// plainly tells whether nothing but the balance can limit the turn, as far as
// its caller knows: the statement looks for budgets.
func (b begins) plainly() bool {
	c := b.beginning.Ceilings
	return b.beginning.Claim == nil && c.ConcurrentStreams == nil && c.TokensPerMinute == nil
}

// BeginTurn stores a turn's beginning, see Queries.BeginTurn. Turns that begin
// at the same time and that only the balance limits share a statement; what does
// not plainly begin there is judged by itself.
func (d *DB) BeginTurn(ctx context.Context, t Turn, begin Beginning) (Begun, error) {
	b := begins{t, begin}
	if d.InAct(ctx) || !b.plainly() || d.limitedPayers.holds(b.payer()) {
		return d.Queries.BeginTurn(ctx, t, begin)
	}
	span := spanOf(ctx, together+"beginnings of turns")
	begun, err := d.beginnings.do(ctx, b)
	endSpan(span, err)
	if err != nil || begun.Begun {
		done := begun.Begun
		return Begun{Funded: done, Conversation: done, Together: true, Unheard: !begun.Heard, Verdict: Verdict{Room: done, Tokens: done, Budgeted: done}}, err
	}
	d.limitedPayers.add(b.payer())
	return d.Queries.BeginTurn(ctx, t, begin)
}

// payer names what a budget of the turn, and its account, can be found by.
func (b begins) payer() string {
	payer := b.turn.AccountID + " " + b.turn.KeyID
	if b.turn.EndUser != nil {
		payer += " " + *b.turn.EndUser
	}
	return payer
}

const (
	// limitedFor is how long it is remembered that a payer's turns did not begin with those of others.
	limitedFor = 5 * time.Second
	// limitedMost bounds what is remembered.
	limitedMost = 10_000
)

// limitedPayers are those whose turns did not plainly begin lately: they are
// judged by themselves at once. The zero value is ready for use.
type limitedPayers struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (l *limitedPayers) holds(payer string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Before(l.until[payer])
}

func (l *limitedPayers) add(payer string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until == nil || len(l.until) >= limitedMost {
		l.until = map[string]time.Time{}
	}
	l.until[payer] = time.Now().Add(limitedFor)
}

// beginning is a turn's beginning in the form in which it is sent. What is null or empty is left out: reading a
// member of JSON costs Postgres more than most of what it does with it.
type beginning struct {
	N              int            `json:"n"`
	AccountID      string         `json:"account_id"`
	TurnID         string         `json:"turn_id"`
	Surface        string         `json:"surface"`
	ConversationID *string        `json:"conversation_id,omitzero"`
	AppID          string         `json:"app_id"`
	KeyID          string         `json:"key_id"`
	ModelID        string         `json:"model_id"`
	Owner          string         `json:"owner"`
	Lease          int64          `json:"lease"` // microseconds
	HeldMicros     int64          `json:"held_micros"`
	InputTokens    int64          `json:"input_tokens"`
	Options        types.JSONText `json:"options"`
	CreatedAt      time.Time      `json:"created_at"`
	EndUser        *string        `json:"end_user,omitzero"`
	Unstored       bool           `json:"unstored"`
	MessageID      string         `json:"message_id,omitzero"`
	Content        string         `json:"content,omitzero"`
	ImageIDs       []string       `json:"image_ids,omitzero"`
	IsNew          bool           `json:"is_new"` // the conversation
	AgentID        *string        `json:"agent_id,omitzero"`
	OwnModelID     *string        `json:"own_model_id,omitzero"` // the conversation's
	Title          string         `json:"title,omitzero"`
	SystemPrompt   string         `json:"system_prompt,omitzero"`
	OwnEndUser     *string        `json:"own_end_user,omitzero"`
}

// row is the beginning as number n of a statement.
func (b begins) row(n int) beginning {
	t := b.turn
	r := beginning{
		N: n, AccountID: t.AccountID, TurnID: t.ID, Surface: t.Surface, ConversationID: t.ConversationID, AppID: t.AppID, KeyID: t.KeyID,
		ModelID: t.ModelID, Owner: t.Owner, Lease: t.Lease.Microseconds(), HeldMicros: t.HeldMicros, InputTokens: t.InputTokens,
		Options: types.JSONText(asText(t.Options)), CreatedAt: t.CreatedAt.UTC(), EndUser: t.EndUser, Unstored: t.Unstored,
	}
	if m := b.beginning.Question; m != nil {
		r.MessageID, r.Content, r.ImageIDs = m.ID, m.Content, m.ImageIDs
	}
	if c := b.beginning.Conversation; c != nil {
		r.IsNew, r.AgentID, r.OwnModelID, r.Title, r.SystemPrompt, r.OwnEndUser = true, c.AgentID, c.ModelID, c.Title, c.SystemPrompt, c.EndUser
	}
	return r
}

// begunTogether tells of number N of a statement whether it began, and whether a webhook of its account is enabled.
type begunTogether struct {
	N     int  `db:"n"`
	Begun bool `db:"-"`
	Heard bool `db:"heard"`
}

// beginTurns begins those of many turns, of any accounts, that plainly can: no
// budget limits them, the account's own row pays for all of its turns together,
// and the conversation is there and gets no other question in the same
// statement. It tells which. Of turns that exist, and of an account whose own
// row does not pay for all, it begins none.
func (q *Queries) beginTurns(ctx context.Context, turns []begins) ([]begunTogether, error) {
	rows, lazy, parts := make([]beginning, len(turns)), true, beginParts{several: len(turns) > 1}
	for i, t := range turns {
		rows[i] = t.row(i)
		lazy = lazy && t.beginning.Lazy
		parts.stored = parts.stored || t.turn.ConversationID != nil
	}
	var done []begunTogether
	err := q.list(ctx, &done, beginStatements[parts], asJSON(rows), lazy, len(rows))
	begun := make([]begunTogether, len(turns))
	for _, b := range done {
		b.Begun = true
		begun[b.N] = b
	}
	return begun, err
}

// beginParts are the parts of a statement of beginnings that not every turn needs; see endParts.
type beginParts struct {
	stored  bool // a turn has a conversation
	several bool // there is more than one turn
}

// beginStatements are the texts by their parts.
var beginStatements = func() map[beginParts]string {
	all := map[beginParts]string{}
	for n := range 1 << 2 {
		parts := beginParts{n&1 != 0, n&2 != 0}
		all[parts] = parts.statement()
	}
	return all
}()

func (p beginParts) statement() string {
	place, there, taken, last, asks := "", "", "", "", ""
	if p.stored {
		place = ", row_number() over (partition by account_id, conversation_id order by n) as place"
		there = ` and (w.conversation_id is null or w.is_new or w.place = 1 and (
					select true from conversations c where c.account_id = w.account_id and c.conversation_id = w.conversation_id))`
		asks = asked
	}
	if p.several {
		taken, last = inTurns("false"), "taken"
	}
	return `
		with want as materialized (
			select *` + place + `
			from (select * from json_to_recordset($1) as w(n integer, account_id text, turn_id text, surface text, conversation_id text, app_id text,
				key_id text, model_id text, owner text, lease bigint, held_micros bigint, input_tokens bigint, options jsonb,
				created_at timestamptz, end_user text, unstored boolean, message_id text, content text, image_ids text[], is_new boolean, agent_id text,
				own_model_id text, title text, system_prompt text, own_end_user text) ` + knownRows + `$3) w
		), plain as materialized (
			select *
			from want w
			where (select true from turns t where t.account_id = w.account_id and t.turn_id = w.turn_id) is null` + there + `
				and (w.held_micros = 0 or not exists (
					select 1 from budgets b
					where b.account_id = w.account_id and (b.kind = 'key' and b.subject = w.key_id or b.kind = 'end_user' and b.subject = w.end_user)))
		), ` + taken + ` held as (
			update accounts a
			set balance_micros = a.balance_micros - d.micros, held_micros = a.held_micros + d.micros
			from (select account_id, sum(held_micros)::bigint as micros from plain where held_micros > 0 group by account_id) d
			where a.account_id = d.account_id and a.balance_micros >= d.micros` + after(last) + `
			returning a.account_id
		), funded as materialized (
			select *
			from plain p
			where p.held_micros = 0 or exists (select 1 from held h where h.account_id = p.account_id)
		), ` + asks + ` turn as (
			insert into turns (account_id, turn_id, surface, conversation_id, app_id, key_id, model_id, state, owner,
				lease_until, held_micros, input_tokens, options, created_at, end_user, purse, in_stream, unstored)
			select account_id, turn_id, surface, conversation_id, app_id, key_id, model_id, 'running', owner,
				` + leaseOf("lease") + `, held_micros, input_tokens, options, created_at, end_user, 0, false, unstored
			from funded
		), durability as materialized (
			select case when $2 then set_config('synchronous_commit', 'off', true) end
		)
		select n, exists (select 1 from webhooks h where h.account_id = funded.account_id and h.status = 'enabled') as heard
		from funded
		cross join durability`
}
