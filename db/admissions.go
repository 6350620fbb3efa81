package db

import "context"

// Admission is what the limiter decided and the figures it decided from.
type Admission struct {
	Admitted bool `db:"last_admitted"`
	// Live is how many admissions the window holds, this one included.
	Live int `db:"live"`
	// NowMicros is the database's clock, in Unix microseconds.
	NowMicros int64 `db:"now_micros"`
	// FreesMicros is the live admission that must leave the window before a full
	// one takes another request: the oldest, or a later one after the limit was lowered.
	FreesMicros int64 `db:"frees_micros"`
}

// Admit counts one request against a bucket of the account and decides, in one
// statement under the row's lock, so that no sliding window ever holds more
// than limit on any number of servers. The clock is the database's, read once
// the lock is held: clocks of servers differ, and a request may wait for the lock.
// When it was put back, what was admitted before moves with it, so that a full
// window is free again after its own length.
func (q *Queries) Admit(ctx context.Context, accountID, bucket string, limit int, windowMicros int64) (Admission, error) {
	var a Admission
	err := q.get(ctx, &a, `
		insert into rate_windows as w (account_id, bucket, admitted, last_admitted)
		values ($1, $2, array[(extract(epoch from clock_timestamp()) * 1000000)::bigint], true)
		on conflict (account_id, bucket) do update
		set (admitted, last_admitted) = (
			select case when cardinality(l.live) < $3 then l.live || l.t else l.live end, cardinality(l.live) < $3
			from (
				select c.t, array(select at - c.ahead from unnest(w.admitted) at where at - c.ahead > c.t - $4 order by at) as live
				from (
					select t, greatest(0, w.admitted[cardinality(w.admitted)] - t) as ahead
					from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint as t) read
				) c
			) l
		)
		returning w.last_admitted, cardinality(w.admitted) as live, w.admitted[greatest(1, cardinality(w.admitted) - $3 + 1)] as frees_micros,
			(extract(epoch from clock_timestamp()) * 1000000)::bigint as now_micros`,
		accountID, bucket, limit, windowMicros)
	return a, err
}
