package job_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/job"
)

// clock is a server's clock that a test can put forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Now().Add(time.Duration(c.ahead.Load())).UTC().Truncate(time.Microsecond)
}

func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

// queue is a database with one server's runner, started by start.
type queue struct {
	db      *db.DB
	clock   *clock
	runner  *job.Runner
	account string
	log     *strings.Builder
}

func newQueue(t *testing.T) *queue {
	t.Helper()
	d, dsn := dbtest.Own(t)
	return serverOf(t, dsn, dbtest.Account(t, d, "free", 0))
}

// serverOf is another server on a queue's database.
func serverOf(t *testing.T, dsn, account string) *queue {
	t.Helper()
	q := &queue{db: dbtest.Open(t, dsn, 4), clock: &clock{}, account: account, log: &strings.Builder{}}
	q.runner = job.NewRunner(q.db, slog.New(slog.NewTextHandler(&guarded{w: q.log}, nil)), q.clock.now)
	return q
}

type guarded struct {
	mu sync.Mutex
	w  *strings.Builder
}

func (g *guarded) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.w.Write(p)
}

func (q *queue) start(t *testing.T) {
	t.Helper()
	q.runner.Start()
	t.Cleanup(func() { q.runner.Stop(context.Background()) })
}

func (q *queue) enqueue(t *testing.T, n job.New) {
	t.Helper()
	n.AccountID = q.account
	if err := job.Enqueue(t.Context(), q.db.Queries, q.clock.now(), n); err != nil {
		t.Fatal(err)
	}
}

// finished waits until a job is, and returns it.
func (q *queue) finished(t *testing.T, jobID string) db.Job {
	t.Helper()
	return q.awaits(t, jobID, func(j db.Job) bool { return j.FinishedAt != nil })
}

func (q *queue) awaits(t *testing.T, jobID string, good func(db.Job) bool) db.Job {
	t.Helper()
	tick, deadline := time.NewTicker(5*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for {
		j, err := q.db.Job(t.Context(), q.account, jobID)
		if err != nil {
			t.Fatal(err)
		}
		if good(j) {
			return j
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("in vain waited for job %+v", j)
		}
	}
}

func atOnce(int) time.Duration { return 0 }
