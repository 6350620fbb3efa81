// Package limit decides whether a request is within its plan. The decision and
// the figures that headers show come from one read.
package limit

import (
	"cmp"
	"context"
	"math"
	"time"

	"parley/db"
	"parley/impl/core/key"
)

// Window is the sliding window that plans count in.
const Window = time.Minute

// Decision is one request's verdict and its figures.
type Decision struct {
	Admitted   bool
	Limit      int           // requests per Window; math.MaxInt32 when not limited
	Remaining  int           // further requests admitted at once; of leased limits at least so many
	Reset      time.Time     // when the next counted request leaves the window
	RetryAfter time.Duration // for a refused request: waiting this long gets one in
}

// Limiter counts requests in Postgres, so that a plan holds over all servers:
// each request of plans below 600 a minute, batches of larger ones, which this
// server hands out itself for half a second.
type Limiter struct {
	DB  *db.DB
	Now func() time.Time

	leases    leases
	windowOf  time.Duration   // for tests; 0 is Window
	lifeOf    time.Duration   // for tests; 0 is leaseLife
	handedOut func(time.Time) // for tests: told of each leased admission at its moment
}

func (l *Limiter) window() time.Duration { return cmp.Or(l.windowOf, Window) }

func (l *Limiter) life() time.Duration { return cmp.Or(l.lifeOf, leaseLife) }

// Admit counts one request of the caller.
func (l *Limiter) Admit(ctx context.Context, c key.Caller) (Decision, error) {
	if c.RequestsPerMinute == 0 {
		return Decision{Admitted: true, Limit: math.MaxInt32, Remaining: math.MaxInt32, Reset: l.Now().Add(Window)}, nil
	}
	if c.RequestsPerMinute >= leaseFrom {
		return l.admitLeased(ctx, c)
	}
	a, err := l.DB.Admit(ctx, c.AccountID, c.Bucket, c.RequestsPerMinute, Window.Microseconds())
	if err != nil {
		return Decision{}, err
	}
	d := Decision{
		Admitted:  a.Admitted,
		Limit:     c.RequestsPerMinute,
		Remaining: max(0, c.RequestsPerMinute-a.Live),
		Reset:     time.UnixMicro(a.FreesMicros).Add(Window),
	}
	if !d.Admitted {
		d.RetryAfter = d.Reset.Sub(time.UnixMicro(a.NowMicros))
	}
	return d, nil
}
