package db

import (
	"context"
	"time"
)

// PoolState is how busy a pool's connections are.
type PoolState struct {
	Max, InUse, Idle int
	Waits            int64         // statements that had to wait for a connection, since the start
	Waited           time.Duration // in all
}

// PoolState tells how busy the connections are.
func (d *DB) PoolState() PoolState {
	s := d.pool.Stats()
	return PoolState{Max: s.MaxOpenConnections, InUse: s.InUse, Idle: s.Idle, Waits: s.WaitCount, Waited: s.WaitDuration}
}

// Age is for how long the queue's oldest due job has been waiting; 0 when none is due.
func (q JobQueue) Age(now time.Time) time.Duration {
	if q.Oldest == nil {
		return 0
	}
	return max(0, now.Sub(*q.Oldest))
}

// Clock is the time that the database tells.
func (d *DB) Clock(ctx context.Context) (time.Time, error) {
	var at time.Time
	err := d.get(ctx, &at, `select clock_timestamp()`)
	return at, err
}
