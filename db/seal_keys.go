package db

import (
	"context"
	"time"
)

// SealKey returns the sealing key as sealed under the operator's key masterID.
func (q *Queries) SealKey(ctx context.Context, masterID string) ([]byte, error) {
	var sealed []byte
	err := q.get(ctx, &sealed, `
		select sealed
		from seal_keys
		where master_id = $1`,
		masterID)
	return sealed, err
}

// SealKeys counts the copies of the sealing key.
func (q *Queries) SealKeys(ctx context.Context) (int, error) {
	var n int
	err := q.get(ctx, &n, `select count(*) from seal_keys`)
	return n, err
}

// PutSealKey stores the sealing key as sealed under the operator's key masterID.
func (q *Queries) PutSealKey(ctx context.Context, masterID string, sealed []byte, at time.Time) error {
	_, err := q.exec(ctx, `
		insert into seal_keys (master_id, sealed, created_at)
		values ($1, $2, $3)
		on conflict (master_id) do update
		set sealed = excluded.sealed`,
		masterID, sealed, at)
	return err
}

// DeleteOtherSealKeys removes the copies under other operator's keys than
// masterID and returns how many there were.
func (q *Queries) DeleteOtherSealKeys(ctx context.Context, masterID string) (int64, error) {
	return q.exec(ctx, `
		delete from seal_keys
		where master_id <> $1`,
		masterID)
}
