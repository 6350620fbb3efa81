package db

import "context"

// Plan is what an account, or a key with a plan of its own, may ask for.
type Plan struct {
	Name              string `db:"name"`
	RequestsPerMinute *int   `db:"requests_per_minute"` // nil: not limited, as in the next three
	ConcurrentStreams *int   `db:"concurrent_streams"`  // answers of one key that run at once
	TokensPerMinute   *int   `db:"tokens_per_minute"`
	StorageBytes      *int64 `db:"storage_bytes"` // what the pictures of an account take together
}

// KeysPlanKey is the constraint that an unknown plan of a key breaks; deleting
// a plan in use breaks it or AccountsPlanKey.
const KeysPlanKey = "keys_plan_fkey"

// Plans lists the plans by name, from after a name; "" starts with the first.
func (q *Queries) Plans(ctx context.Context, afterName string, limit int) ([]Plan, error) {
	plans := []Plan{}
	err := q.list(ctx, &plans, `
		select name, requests_per_minute, concurrent_streams, tokens_per_minute, storage_bytes
		from plans
		where name > $1
		order by name
		limit $2`,
		afterName, limit)
	return plans, err
}

// Plan returns one plan.
func (q *Queries) Plan(ctx context.Context, name string) (Plan, error) {
	var p Plan
	err := q.get(ctx, &p, `
		select name, requests_per_minute, concurrent_streams, tokens_per_minute, storage_bytes
		from plans
		where name = $1`,
		name)
	return p, err
}

// PutPlan stores a plan, replacing one of the same name.
func (q *Queries) PutPlan(ctx context.Context, p Plan) error {
	_, err := q.exec(ctx, `
		insert into plans (name, requests_per_minute, concurrent_streams, tokens_per_minute, storage_bytes)
		values ($1, $2, $3, $4, $5)
		on conflict (name) do update
		set requests_per_minute = excluded.requests_per_minute, concurrent_streams = excluded.concurrent_streams,
			tokens_per_minute = excluded.tokens_per_minute, storage_bytes = excluded.storage_bytes`,
		p.Name, p.RequestsPerMinute, p.ConcurrentStreams, p.TokensPerMinute, p.StorageBytes)
	return err
}

// DeletePlan removes a plan. One that an account or a key has is a ConflictError.
func (q *Queries) DeletePlan(ctx context.Context, name string) error {
	return q.execOne(ctx, `
		delete from plans
		where name = $1`,
		name)
}
