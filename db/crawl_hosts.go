package db

import (
	"context"
	"errors"
	"time"
)

// ReserveHost takes the next start of a request to a host, which no other
// server gets, and keeps the one after it a distance away. A start further away than most is not taken:
// then taken is false, and start is when the host may be visited again.
func (q *Queries) ReserveHost(ctx context.Context, host string, now time.Time, distance, most time.Duration) (start time.Time, taken bool, err error) {
	err = q.get(ctx, &start, `
		insert into crawl_hosts as h (host, next_at)
		values ($1, $2::timestamptz + $3 * interval '1 microsecond')
		on conflict (host) do update
		set next_at = greatest(h.next_at, $2) + $3 * interval '1 microsecond'
		where h.next_at <= $2::timestamptz + $4 * interval '1 microsecond'
		returning next_at - $3 * interval '1 microsecond'`,
		host, now, distance.Microseconds(), most.Microseconds())
	if !errors.Is(err, ErrNotFound) {
		return start, err == nil, err
	}
	err = q.get(ctx, &start, `
		select next_at
		from crawl_hosts
		where host = $1`,
		host)
	return start, false, err
}

// HoldHost keeps requests from a host until a time.
func (q *Queries) HoldHost(ctx context.Context, host string, until time.Time) error {
	_, err := q.exec(ctx, `
		insert into crawl_hosts as h (host, next_at)
		values ($1, $2)
		on conflict (host) do update
		set next_at = greatest(h.next_at, excluded.next_at)`,
		host, until)
	return err
}

// ForgetHosts removes hosts that may be visited since before a time.
func (q *Queries) ForgetHosts(ctx context.Context, before time.Time) error {
	_, err := q.exec(ctx, `
		delete from crawl_hosts
		where next_at < $1`,
		before)
	return err
}
