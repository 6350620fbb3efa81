package db

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jmoiron/sqlx/types"
)

// Leases of turns are by the database's clock alone, so that servers need not
// agree on the time. A lease tells when a turn may be taken over; what keeps an
// old owner from writing is the turn's generation, which every write of an
// owner names.

// leaseOf is when a lease of so many microseconds ends.
func leaseOf(micros string) string {
	return "statement_timestamp() + " + micros + "::bigint * interval '1 microsecond'"
}

// Held names a running turn as its owner knows it.
type Held struct {
	AccountID  string `json:"account_id"`
	TurnID     string `json:"turn_id"`
	Generation int64  `json:"generation"`
}

// Held returns the name under which the turn's owner holds it.
func (t Turn) Held() Held {
	return Held{AccountID: t.AccountID, TurnID: t.ID, Generation: t.Generation}
}

// Renewed is a turn whose lease was extended.
type Renewed struct {
	TurnID string `db:"turn_id"`
	Cancel bool   `db:"cancel_requested"` // somebody asked for its end
}

// RenewLeases extends the leases of the turns that a server holds and returns
// those that are still running and its own. It crosses accounts: a server runs
// turns of all of them. One that is being ended, taken over or cancelled at that
// moment is not among them: waiting for its row could deadlock with the end of
// many. A turn that it does not name, because its beginning or
// end went wrong, lapses and is taken over.
func (q *Queries) RenewLeases(ctx context.Context, owner string, held []Held, lease time.Duration) ([]Renewed, error) {
	renewed := []Renewed{}
	err := q.list(ctx, &renewed, `
		with held as materialized (
			select t.account_id, t.turn_id
			from json_to_recordset($2) as h(account_id text, turn_id text, generation bigint)
			join turns t on t.account_id = h.account_id and t.turn_id = h.turn_id and t.generation = h.generation
			where t.owner = $1 and t.state = 'running'
			for no key update of t skip locked
		)
		update turns t
		set lease_until = `+leaseOf("$3")+`
		from held h
		where t.account_id = h.account_id and t.turn_id = h.turn_id
		returning t.turn_id, t.cancel_requested`,
		owner, asJSON(held), lease.Microseconds())
	return renewed, err
}

// Lapsed is what a look for abandoned turns found.
type Lapsed struct {
	At    time.Time // the database's clock
	Turns []Held
}

// LapsedTurns looks for running turns whose lease has lapsed. It crosses
// accounts: whose turns were abandoned is not known before. When the clock was
// put back, behind names what it had reached: leases that end within so long
// after that were given before and never renewed since, so they count as
// lapsed, except those of notOf. Nil when it was not.
func (q *Queries) LapsedTurns(ctx context.Context, behind *time.Time, within time.Duration, notOf string, limit int) (Lapsed, error) {
	var row struct {
		At    time.Time      `db:"at"`
		Turns types.JSONText `db:"turns"`
	}
	err := q.get(ctx, &row, `
		select statement_timestamp() as at, (
			select coalesce(json_agg(json_build_object('account_id', account_id, 'turn_id', turn_id, 'generation', generation)), '[]')
			from (
				(
					select account_id, turn_id, generation
					from turns
					where state = 'running' and lease_until < statement_timestamp()
					order by lease_until
					limit $4
				)
				union all
				(
					select account_id, turn_id, generation
					from turns
					where state = 'running' and lease_until between $1::timestamptz and $1::timestamptz + $2::bigint * interval '1 microsecond' and owner <> $3
					order by lease_until
					limit $4
				)
			) lapsed
		) as turns`,
		behind, within.Microseconds(), notOf, limit)
	l := Lapsed{At: row.At}
	if err == nil {
		err = json.Unmarshal(row.Turns, &l.Turns)
	}
	return l, err
}

// TakeOverTurn gives a new owner a running turn whose lease LapsedTurns found
// lapsed. ErrNotFound: it has ended, was renewed or taken over since, or its owner is writing at this moment.
func (q *Queries) TakeOverTurn(ctx context.Context, owner string, h Held, behind *time.Time, lease time.Duration) (Turn, error) {
	var t Turn
	err := q.get(ctx, &t, `
		update turns t
		set owner = $4, generation = t.generation + 1, lease_until = `+leaseOf("$6")+`
		from (
			select account_id, turn_id
			from turns
			where account_id = $1 and turn_id = $2 and generation = $3 and state = 'running'
				and (lease_until < statement_timestamp() or lease_until >= $5::timestamptz)
			for update skip locked
		) abandoned
		where t.account_id = $1 and t.account_id = abandoned.account_id and t.turn_id = abandoned.turn_id
		returning t.account_id, t.turn_id, t.surface, t.conversation_id, t.app_id, t.key_id, t.model_id, t.state,
			t.owner, t.generation, t.lease_until, t.held_micros, t.cost_micros, t.input_tokens, t.output_tokens, t.estimated,
			t.last_event, t.options, t.failure, t.failure_kind, t.idempotency_key, t.end_user, t.created_at, t.ended_at, t.unstored`,
		h.AccountID, h.TurnID, h.Generation, owner, behind, lease.Microseconds())
	return t, err
}

// asJSON is for plain structs, which always have a form in JSON.
func asJSON(value any) types.JSONText {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return raw
}
