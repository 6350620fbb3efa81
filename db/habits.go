package db

import (
	"context"

	"github.com/lib/pq"
)

// KeyHabit is how a key is used as a rule. What it means is not the database's to know.
type KeyHabit struct {
	KeyID string `db:"key_id"`
	Habit string `db:"habit"` // JSON of at most 32 KiB; {} of a key without one
}

// LockKeyHabits returns the habits of those of the account's keys that still
// exist, and keeps others from changing them until the transaction ends.
func (q *Queries) LockKeyHabits(ctx context.Context, accountID string, keyIDs []string) ([]KeyHabit, error) {
	_, err := q.exec(ctx, `
		insert into key_habits (account_id, key_id, habit)
		select account_id, key_id, '{}'
		from keys
		where account_id = $1 and key_id = any($2)
		order by key_id
		for key share
		on conflict (account_id, key_id) do nothing`,
		accountID, pq.Array(keyIDs))
	if err != nil {
		return nil, err
	}
	found := []KeyHabit{}
	err = q.list(ctx, &found, `
		select key_id, habit::text as habit
		from key_habits
		where account_id = $1 and key_id = any($2)
		order by key_id
		for update`,
		accountID, pq.Array(keyIDs))
	return found, err
}

// UpdateKeyHabits stores habits of the account's keys.
func (q *Queries) UpdateKeyHabits(ctx context.Context, accountID string, habits []KeyHabit) error {
	ids, texts := make([]string, len(habits)), make([]string, len(habits))
	for i, h := range habits {
		ids[i], texts[i] = h.KeyID, h.Habit
	}
	_, err := q.exec(ctx, `
		update key_habits h
		set habit = v.habit::jsonb
		from unnest($2::text[], $3::text[]) as v (key_id, habit)
		where h.account_id = $1 and h.key_id = v.key_id`,
		accountID, pq.Array(ids), pq.Array(texts))
	return err
}
