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

// TakeOverTurns gives a new owner the running turns whose lease has lapsed and
// returns them. It crosses accounts: whose turns were abandoned is not known
// before. It passes by a turn whose owner is writing at that moment.
func (q *Queries) TakeOverTurns(ctx context.Context, owner string, lease time.Duration, limit int) ([]Turn, error) {
	turns := []Turn{}
	err := q.list(ctx, &turns, `
		update turns t
		set owner = $1, generation = t.generation + 1, lease_until = `+leaseOf("$2")+`
		from (
			select account_id, turn_id
			from turns
			where state = 'running' and lease_until < statement_timestamp()
			order by lease_until
			limit $3
			for update skip locked
		) abandoned
		where t.account_id = abandoned.account_id and t.turn_id = abandoned.turn_id
		returning t.account_id, t.turn_id, t.surface, t.conversation_id, t.app_id, t.key_id, t.model_id, t.state,
			t.owner, t.generation, t.lease_until, t.held_micros, t.cost_micros, t.input_tokens, t.output_tokens, t.estimated,
			t.last_event, t.options, t.failure, t.failure_kind, t.idempotency_key, t.end_user, t.created_at, t.ended_at, t.unstored`,
		owner, lease.Microseconds(), limit)
	return turns, err
}

// asJSON is for plain structs, which always have a form in JSON.
func asJSON(value any) types.JSONText {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return raw
}
