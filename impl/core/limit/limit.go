// Package limit decides whether a request is within its plan. The decision and
// the figures that headers show come from one read.
package limit

import (
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
	Remaining  int           // further requests admitted at once
	Reset      time.Time     // when the next counted request leaves the window
	RetryAfter time.Duration // for a refused request: waiting this long gets one in
}

// Limiter counts requests in Postgres, so that a plan holds over all servers.
type Limiter struct {
	DB  *db.DB
	Now func() time.Time
}

// Admit counts one request of the caller.
func (l *Limiter) Admit(ctx context.Context, c key.Caller) (Decision, error) {
	if c.RequestsPerMinute == 0 {
		return Decision{Admitted: true, Limit: math.MaxInt32, Remaining: math.MaxInt32, Reset: l.Now().Add(Window)}, nil
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
