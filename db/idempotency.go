package db

import (
	"context"
	"time"
)

// Claim is a request that acted under an Idempotency-Key of an app, and where
// its answer is. One without either is an answer that was never completed.
type Claim struct {
	AccountID    string    `db:"account_id"`
	AppID        string    `db:"app_id"`
	Key          string    `db:"idempotency_key"`
	Fingerprint  []byte    `db:"fingerprint"`
	TurnID       *string   `db:"turn_id"`
	SealedAnswer []byte    `db:"sealed_answer"`
	ExpiresAt    time.Time `db:"expires_at"`
}

// ClaimsKey is the constraint that a second claim of the same key breaks.
const ClaimsKey = "idempotency_keys_pkey"

// Claim returns what is stored under an app's key, lapsed or not.
func (q *Queries) Claim(ctx context.Context, accountID, appID, key string) (Claim, error) {
	var c Claim
	err := q.get(ctx, &c, `
		select account_id, app_id, idempotency_key, fingerprint, turn_id, sealed_answer, expires_at
		from idempotency_keys
		where account_id = $1 and app_id = $2 and idempotency_key = $3`,
		accountID, appID, key)
	return c, err
}

// DropClaim removes a claim that lapsed before now, so that its key can be used again.
func (q *Queries) DropClaim(ctx context.Context, accountID, appID, key string, now time.Time) error {
	_, err := q.exec(ctx, `
		delete from idempotency_keys
		where account_id = $1 and app_id = $2 and idempotency_key = $3 and expires_at <= $4`,
		accountID, appID, key, now)
	return err
}

// DropClaims removes up to limit claims that lapsed before now and returns how
// many there were. It crosses accounts: whose claims lapse is not known before.
func (q *Queries) DropClaims(ctx context.Context, now time.Time, limit int) (int64, error) {
	return q.exec(ctx, `
		delete from idempotency_keys k
		using (
			select account_id, app_id, idempotency_key
			from idempotency_keys
			where expires_at <= $1
			order by expires_at
			limit $2
			for update skip locked
		) lapsed
		where k.account_id = lapsed.account_id and k.app_id = lapsed.app_id and k.idempotency_key = lapsed.idempotency_key`,
		now, limit)
}

// insertClaim stores a claim whose answer is still to come. It never waits:
// false says that the key is claimed, or is being claimed at this moment.
func (q *Queries) insertClaim(ctx context.Context, c Claim) (bool, error) {
	n, err := q.exec(ctx, `
		insert into idempotency_keys (account_id, app_id, idempotency_key, fingerprint, expires_at)
		select $1, $2, $3, $4, $5
		where pg_try_advisory_xact_lock(hashtextextended($1::text || ' ' || $2::text || ' ' || $3::text, 0))
		on conflict do nothing`,
		c.AccountID, c.AppID, c.Key, c.Fingerprint, c.ExpiresAt)
	return n == 1, err
}

func (q *Queries) completeClaim(ctx context.Context, c Claim, sealedAnswer []byte) error {
	return q.execOne(ctx, `
		update idempotency_keys
		set sealed_answer = $4
		where account_id = $1 and app_id = $2 and idempotency_key = $3`,
		c.AccountID, c.AppID, c.Key, sealedAnswer)
}
