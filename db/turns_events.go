package db

import (
	"context"

	"github.com/jmoiron/sqlx/types"
)

// EventBatch is one stored flush: a JSON array of events, numbered from First.
type EventBatch struct {
	First  int64          `db:"first_event" json:"first"`
	Events types.JSONText `db:"events" json:"events"`
}

// NewBatch is what a turn's log gets next.
type NewBatch struct {
	Held
	Previous int64 `json:"previous"` // the first event of the batch before; 0: this one begins the log
	EventBatch
}

// Kept is a turn that its owner still holds.
type Kept struct {
	TurnID string `db:"turn_id"`
	Joined bool   `db:"joined"` // the batch was stored; else the one before it is missing
}

// keepLonger lets a batch be stored again, with what followed since: an earlier
// attempt, late because its connection broke, must not cut what a later one added.
const keepLonger = `on conflict (account_id, turn_id, first_event) do update
			set events = excluded.events
			where jsonb_array_length(turn_events.events) < jsonb_array_length(excluded.events)`

// AppendEvents stores a batch each for many running turns of a server, in one
// statement. It returns the turns that are still the owner's and shall go on:
// of others (taken over, to be cancelled, their conversation gone) nothing is
// stored. It crosses accounts: a server runs turns of all of them.
//
// The commit does not wait for the disk. When Postgres itself crashes, batches
// of the last half second can be gone, always the last ones of a log; that is
// found by the owner's next write, which names the batch before, and mended
// with the whole log. The commit of EndTurn waits, and so makes all batches
// before it durable: a log that was acknowledged by its terminal event is whole.
//
// The key share lock makes a take-over pass by a turn that is written at that
// moment, and the statement look again at one that is taken over at that
// moment; it does not wait for renewals of leases.
func (q *Queries) AppendEvents(ctx context.Context, owner string, batches []NewBatch) ([]Kept, error) {
	kept := []Kept{}
	err := q.list(ctx, &kept, `
		with durability as materialized (
			select set_config('synchronous_commit', 'off', true)
		), batches as materialized (
			select *
			from json_to_recordset($2) as b(account_id text, turn_id text, generation bigint, previous bigint, first bigint, events jsonb)
			order by account_id, turn_id
		), held as materialized (
			select b.account_id, b.turn_id, b.first, b.events, b.previous = 0 or (
					select e.first_event + jsonb_array_length(e.events) = b.first
					from turn_events e
					where e.account_id = b.account_id and e.turn_id = b.turn_id and e.first_event = b.previous) is true as joined
			from batches b
			cross join durability
			cross join lateral (
				select t.conversation_id
				from turns t
				where t.account_id = b.account_id and t.turn_id = b.turn_id and t.owner = $1 and t.generation = b.generation
					and `+isRunning+` and not t.cancel_requested
				for key share of t
			) t
			where t.conversation_id is null or (
				select true from conversations c where c.account_id = b.account_id and c.conversation_id = t.conversation_id)
		), stored as (
			insert into turn_events (account_id, turn_id, first_event, events)
			select account_id, turn_id, first, events
			from held
			where joined
			`+keepLonger+`
		)
		select turn_id, joined from held`,
		owner, asJSON(batches))
	return kept, err
}

// TurnEvents returns the stored batches that hold events beyond a number, by
// their first events. Where a log was mended, batches overlap: they tell the
// same of the same event.
func (q *Queries) TurnEvents(ctx context.Context, accountID, turnID string, after int64) ([]EventBatch, error) {
	batches := []EventBatch{}
	err := q.list(ctx, &batches, `
		select first_event, events
		from turn_events
		where account_id = $1 and turn_id = $2 and first_event + jsonb_array_length(events) - 1 > $3
		order by first_event`,
		accountID, turnID, after)
	return batches, err
}
