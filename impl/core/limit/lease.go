package limit

import (
	"context"
	"sync"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/key"
)

const (
	// leaseFrom is the limit from which admissions are taken in batches.
	leaseFrom = 600
	// leaseLife is how long a batch is handed out. It counts as if all of it was
	// handed out at the end, so the life is what a limit can lose at most.
	leaseLife = 500 * time.Millisecond
	// leaseShare is the part of the limit that one batch holds at most, which is
	// what a killed server loses.
	leaseShare = 20
	// leaseFirst is the part of the limit that a first batch holds.
	leaseFirst = 200
	// giveBackTimeout bounds giving back what was not used.
	giveBackTimeout = 5 * time.Second
)

// bucket names what a plan counts.
type bucket struct{ accountID, name string }

// lease is this server's batch of one bucket.
type lease struct {
	turn chan struct{} // held by whoever hands out or takes a batch; it can be waited for with a context

	batch   int64
	left    int
	used    int
	size    int
	sent    time.Time // on this server's monotonic clock, before the batch was taken
	lastUse time.Time
	ends    *time.Timer

	live  int // of the window when the batch was taken, all of it included
	frees time.Time
	now   time.Time // the database's clock then
}

// leases are this server's batches. The zero value is ready.
type leases struct {
	mu sync.Mutex
	of map[bucket]*lease
}

func (l *leases) find(b bucket) *lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.of[b]
	if found == nil {
		if l.of == nil {
			l.of = map[bucket]*lease{}
		}
		found = &lease{turn: make(chan struct{}, 1)}
		l.of[b] = found
	}
	return found
}

func (l *leases) forget(b bucket, gone *lease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of[b] == gone {
		delete(l.of, b)
	}
}

// admitLeased hands out one admission of this server's batch and takes the
// next batch when it is used up or has lapsed. Of many requests that find none,
// one asks the database and the others wait for it.
func (l *Limiter) admitLeased(ctx context.Context, c key.Caller) (Decision, error) {
	b := bucket{c.AccountID, c.Bucket}
	own := l.leases.find(b)
	select {
	case own.turn <- struct{}{}:
		defer func() { <-own.turn }()
	case <-ctx.Done():
		return Decision{}, ctx.Err()
	}
	now, err := l.ensure(ctx, b, own, c.RequestsPerMinute)
	if err != nil {
		return Decision{}, err
	}
	d := Decision{Admitted: own.left > 0, Limit: c.RequestsPerMinute, Reset: own.frees}
	if !d.Admitted {
		d.RetryAfter = max(0, own.frees.Sub(own.now))
		return d, nil
	}
	own.left--
	own.used++
	own.lastUse = now
	if l.handedOut != nil {
		l.handedOut(now)
	}
	d.Remaining = max(0, c.RequestsPerMinute-own.live+own.left)
	return d, nil
}

// takeAttempts bounds how many batches may come too late to be handed out.
const takeAttempts = 3

// ensure takes a batch unless the present one still has admissions, and returns
// the moment, within the batch's life, at which one may be handed out.
func (l *Limiter) ensure(ctx context.Context, b bucket, own *lease, limit int) (time.Time, error) {
	if now := time.Now(); own.left > 0 && now.Sub(own.sent) < l.life() {
		return now, nil
	}
	for range takeAttempts {
		if err := l.take(ctx, b, own, limit); err != nil {
			return time.Time{}, err
		}
		if now := time.Now(); own.left == 0 || now.Sub(own.sent) < l.life() {
			return now, nil
		}
	}
	return time.Time{}, errSlow
}

var errSlow = fault.New(fault.Unavailable, "The database is too slow to count requests.")

// take gives back the present batch and takes another: twice as many as the
// last one when that was used up, as many as were used when it lapsed.
func (l *Limiter) take(ctx context.Context, b bucket, own *lease, limit int) error {
	want := max(1, limit/leaseFirst)
	switch {
	case own.size > 0 && own.left == 0:
		want = 2 * own.size
	case own.size > 0:
		want = own.used + 1
	}
	own.stop()
	sent := time.Now()
	got, err := l.DB.TakeRateBatch(ctx, db.RateLease{
		AccountID: b.accountID, Bucket: b.name, Limit: limit, Want: max(1, min(want, limit/leaseShare)),
		LifeMicros: l.life().Microseconds(), WindowMicros: l.window().Microseconds(), Previous: own.report(),
	})
	if err != nil {
		own.left = 0
		return err
	}
	own.batch, own.left, own.size, own.used = got.Batch, got.Granted, got.Granted, 0
	own.sent, own.lastUse, own.live = sent, sent, got.Live
	own.frees, own.now = time.UnixMicro(got.FreesMicros), time.UnixMicro(got.NowMicros)
	if got.Granted > 0 {
		own.ends = time.AfterFunc(l.life(), func() { l.giveBack(b, own, got.Batch, limit) })
	}
	return nil
}

func (o *lease) stop() {
	if o.ends != nil {
		o.ends.Stop()
	}
}

// report is what became of the batch. Times are rounded up.
func (o *lease) report() db.UsedBatch {
	if o.size == 0 {
		return db.UsedBatch{}
	}
	return db.UsedBatch{Batch: o.batch, Used: o.used, LastMicros: o.lastUse.Sub(o.sent).Microseconds() + 1}
}

// giveBack returns what a lapsed batch did not use, so that other servers get
// it, and forgets a bucket that nobody asked for since. When it fails, that
// much of the limit stays unused for a window.
func (l *Limiter) giveBack(b bucket, own *lease, batch int64, limit int) {
	own.turn <- struct{}{}
	defer func() { <-own.turn }()
	if own.batch != batch {
		return // taken up by a later batch
	}
	ctx, cancel := context.WithTimeout(context.Background(), giveBackTimeout)
	defer cancel()
	if own.left > 0 {
		_, _ = l.DB.TakeRateBatch(ctx, db.RateLease{
			AccountID: b.accountID, Bucket: b.name, Limit: limit, LifeMicros: l.life().Microseconds(),
			WindowMicros: l.window().Microseconds(), Previous: own.report(),
		})
	}
	own.left, own.size = 0, 0
	l.leases.forget(b, own)
}
