package app

import (
	"context"
	"sync/atomic"
	"time"

	"parley/db"
)

const (
	// clockEvery is how often the database's clock is looked at.
	clockEvery = 10 * time.Second
	// clockApart is how far this process's time may be from the database's.
	clockApart = time.Second
)

// clock is the time of what a server stores and compares. It runs steadily,
// whatever is done to the machine's clock, and follows the database's, so that
// servers agree: leases of jobs, sessions, tokens and schedules do not move when
// a machine's clock is set.
type clock struct {
	began time.Time    // also of the steady clock
	ahead atomic.Int64 // of the database's clock, in nanoseconds
}

// newClock is a clock that is right when the machine's is; look corrects it.
func newClock(machine time.Time) *clock { return &clock{began: machine} }

// now is the time: UTC, in Postgres's resolution.
func (c *clock) now() time.Time {
	return c.began.Add(time.Since(c.began) + time.Duration(c.ahead.Load())).UTC().Truncate(time.Microsecond)
}

// look follows the database's clock when it is apart by more than clockApart.
func (c *clock) look(ctx context.Context, d *db.DB) error {
	sent := time.Now()
	at, err := d.Clock(ctx)
	if err != nil {
		return err
	}
	took := time.Since(sent)
	if apart := at.Sub(c.now().Add(-took / 2)); apart.Abs() > clockApart+took {
		c.ahead.Add(int64(apart))
	}
	return nil
}

// keep looks until ctx ends. While the database is away the time runs on.
func (c *clock) keep(ctx context.Context, d *db.DB) {
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = c.look(ctx, d) // it is tried again
		}
	}
}
