package db

import (
	"context"
	"time"

	"github.com/lib/pq"
)

// Allowance is how often a bucket may be taken from: its whole is there again
// at FullAt, one more attempt every Each.
type Allowance struct {
	Bucket []byte        // a digest
	Each   time.Duration // what one attempt costs
	Window time.Duration // what the whole allowance is
}

// GuessesFull returns when the allowance of each bucket is full again, in their
// order; the zero time is full. It only reads.
func (q *Queries) GuessesFull(ctx context.Context, buckets [][]byte) ([]time.Time, error) {
	var rows []struct {
		N      int       `db:"n"`
		FullAt time.Time `db:"full_at"`
	}
	err := q.list(ctx, &rows, `
		select b.n, g.full_at
		from unnest($1::bytea[]) with ordinality b(bucket, n)
		join sign_in_guesses g on g.bucket = b.bucket`,
		pq.ByteaArray(buckets))
	full := make([]time.Time, len(buckets))
	for _, r := range rows {
		full[r.N-1] = r.FullAt
	}
	return full, err
}

// TakeGuess counts an attempt against every bucket that has some allowance left
// and tells whether all had. Rows are locked in one order; those of buckets that are empty are
// left unwritten. Done twice it counts twice, to the loss of who guesses.
func (q *Queries) TakeGuess(ctx context.Context, allowances []Allowance, now time.Time) (bool, error) {
	buckets, each, window := make(pq.ByteaArray, len(allowances)), make(pq.Int64Array, len(allowances)), make(pq.Int64Array, len(allowances))
	for i, a := range allowances {
		buckets[i], each[i], window[i] = a.Bucket, a.Each.Microseconds(), a.Window.Microseconds()
	}
	taken, err := q.exec(ctx, `
		with wanted as materialized (
			select bucket, each * interval '1 microsecond' as each, space * interval '1 microsecond' as space
			from unnest($1::bytea[], $2::bigint[], $3::bigint[]) w(bucket, each, space)
		)
		insert into sign_in_guesses as g (bucket, full_at)
		select bucket, $4::timestamptz + each
		from wanted
		order by bucket
		on conflict (bucket) do update
		set full_at = greatest(g.full_at, $4) + (select each from wanted w where w.bucket = g.bucket)
		where greatest(g.full_at, $4) <= $4 + (select space - each from wanted w where w.bucket = g.bucket)`,
		buckets, each, window, now)
	return taken == int64(len(allowances)), err
}

// DeleteFullGuesses removes at most limit rows whose allowance is full again and
// returns how many. They belong to no account.
func (q *Queries) DeleteFullGuesses(ctx context.Context, now time.Time, limit int) (int64, error) {
	return q.exec(ctx, `
		delete from sign_in_guesses
		where bucket in (select bucket from sign_in_guesses where full_at <= $1 limit $2 for update skip locked)`,
		now, limit)
}
