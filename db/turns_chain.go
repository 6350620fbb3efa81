package db

import "context"

// ChainBatch is an EventBatch of one of the turns that follow each other.
type ChainBatch struct {
	TurnID string `db:"turn_id"`
	EventBatch
}

// TurnChain returns the stored logs of a turn of the account and of those before
// it, each named by the member "previous" of the options of the one that follows it: the oldest
// turn first, each one's batches in order. It goes back over at most turnsMax
// turns, and not further once their logs have bytesMax bytes.
func (q *Queries) TurnChain(ctx context.Context, accountID, turnID string, turnsMax, bytesMax int) ([]ChainBatch, error) {
	batches := []ChainBatch{}
	err := q.list(ctx, &batches, `
		with recursive chain as (
			select t.turn_id, t.options->>'previous' as previous, 1 as place, (
				select coalesce(sum(octet_length(e.events::text)), 0) from turn_events e where e.account_id = $1 and e.turn_id = t.turn_id
			) as bytes
			from turns t
			where t.account_id = $1 and t.turn_id = $2
			union all
			select t.turn_id, t.options->>'previous', c.place + 1, c.bytes + (
				select coalesce(sum(octet_length(e.events::text)), 0) from turn_events e where e.account_id = $1 and e.turn_id = t.turn_id)
			from chain c, turns t
			where t.account_id = $1 and t.turn_id = c.previous and c.place < $3 and c.bytes < $4
		)
		select e.turn_id, e.first_event, e.events
		from chain c, turn_events e
		where e.account_id = $1 and e.turn_id = c.turn_id
		order by c.place desc, e.first_event`,
		accountID, turnID, turnsMax, bytesMax)
	return batches, err
}

// EraseTurn forgets the text of an ended turn without a conversation, and what its
// request asked for. Its figures stay. Of any other turn it forgets nothing.
func (q *Queries) EraseTurn(ctx context.Context, accountID, turnID string) error {
	_, err := q.exec(ctx, `
		with forgotten as (
			update turns
			set options = '{}', failure = null
			where account_id = $1 and turn_id = $2 and conversation_id is null and state <> 'running'
			returning turn_id
		)
		delete from turn_events
		where account_id = $1 and turn_id in (select turn_id from forgotten)`,
		accountID, turnID)
	return err
}
