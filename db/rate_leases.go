package db

import "context"

// RateBatch is a number of admissions that one server may hand out.
type RateBatch struct {
	Batch   int64 `db:"last_batch"`
	Granted int   `db:"last_granted"` // 0: the window is full
	// Live is how many admissions the window holds or has promised, these included.
	Live int `db:"live"`
	// NowMicros is the database's clock, in Unix microseconds; the batch is good from then on.
	NowMicros int64 `db:"now_micros"`
	// FreesMicros is when the first admissions leave the window.
	FreesMicros int64 `db:"frees_micros"`
}

// UsedBatch is what became of a server's last batch; the zero value is none.
type UsedBatch struct {
	Batch int64
	Used  int
	// LastMicros bounds how long after the database's clock of its taking the last one was handed out.
	LastMicros int64
}

// RateLease is what a server wants of a bucket.
type RateLease struct {
	AccountID, Bucket string
	Limit             int   // admissions that a window may hold
	Want              int   // at most so many are granted; 0 only gives back
	LifeMicros        int64 // how long the batch may be handed out
	WindowMicros      int64
	Previous          UsedBatch
}

// TakeRateBatch gives back what was not used of a server's previous batch and
// grants it another, in one statement under the row's lock. A batch counts from
// its taking until its last admission has left the window, so no sliding window
// ever holds more than the limit on any number of servers; what a killed server
// did not use is lost for that long. The clock is the database's; when it was put
// back, no batch counts for longer than one that is taken now. Done twice it
// grants a second batch, which lapses unused.
func (q *Queries) TakeRateBatch(ctx context.Context, l RateLease) (RateBatch, error) {
	var b RateBatch
	err := q.get(ctx, &b, `
		insert into rate_leases as r (account_id, bucket, last_batch, last_granted, batches, leaves, sizes)
		select $1, $2, 1, $4::int, array[1], array[(extract(epoch from clock_timestamp()) * 1000000)::bigint + $5::bigint + $6::bigint], array[$4::bigint]
		on conflict (account_id, bucket) do update
		set (last_batch, last_granted, batches, leaves, sizes) = (
			select r.last_batch + 1, g.granted,
				case when g.granted > 0 then g.batches || (r.last_batch + 1) else g.batches end,
				case when g.granted > 0 then g.leaves || (g.t + $5::bigint + $6::bigint) else g.leaves end,
				case when g.granted > 0 then g.sizes || g.granted::bigint else g.sizes end
			from (
				select k.t, k.batches, k.leaves, k.sizes,
					greatest(0, least($4::bigint, $3::bigint - (select coalesce(sum(n), 0) from unnest(k.sizes) n)))::int as granted
				from (
					select c.t, coalesce(array_agg(e.batch order by e.batch) filter (where e.live), '{}') as batches,
						coalesce(array_agg(e.leaves order by e.batch) filter (where e.live), '{}') as leaves,
						coalesce(array_agg(e.size order by e.batch) filter (where e.live), '{}') as sizes
					from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint as t) c
					cross join lateral (
						select batch, size, leaves, leaves > c.t and size > 0 as live
						from (
							select batch, case when batch = $7::bigint then least(size, $8::bigint) else size end as size,
								least(case when batch = $7::bigint then least(leaves, leaves - $5::bigint + $9::bigint) else leaves end, c.t + $5::bigint + $6::bigint) as leaves
							from unnest(r.batches, r.leaves, r.sizes) u(batch, leaves, size)
						) given
						union all
						select 0, 0, 0, false
					) e
					group by c.t
				) k
			) g
		)
		returning last_batch, last_granted, (select coalesce(sum(n), 0) from unnest(sizes) n)::int as live,
			(extract(epoch from clock_timestamp()) * 1000000)::bigint as now_micros,
			coalesce((select min(at) from unnest(leaves) at), 0)::bigint as frees_micros`,
		l.AccountID, l.Bucket, l.Limit, l.Want, l.LifeMicros, l.WindowMicros, l.Previous.Batch, l.Previous.Used, l.Previous.LastMicros)
	return b, err
}
