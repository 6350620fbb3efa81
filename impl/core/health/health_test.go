package health_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"parley/db"
	"parley/impl/core/health"
)

// at is a server whose parts all work, at a time that the test moves.
type at struct {
	*health.Service
	now   time.Time
	looks int
}

func server() *at {
	a := &at{now: time.Date(2025, 4, 1, 12, 0, 0, 0, time.UTC)}
	a.Service = &health.Service{
		Ping:   func(context.Context) error { a.looks++; return nil },
		Queues: func(context.Context) ([]db.JobQueue, error) { return []db.JobQueue{{Kind: "a", Waiting: 3}}, nil },
		Files:  func(context.Context) error { return nil }, LeftAlone: func() int { return 0 }, Stopping: func() bool { return false },
		Now: func() time.Time { return a.now },
	}
	return a
}

func TestStatusNamesWhatDoesNotWork(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		breaks func(*at)
		state  string
		parts  string // the states of database, answers, work, files
	}{
		"nothing":      {func(*at) {}, health.OK, "ok ok ok ok"},
		"the database": {func(a *at) { a.Ping = func(context.Context) error { return broken } }, health.Down, "down down down ok"},
		"the disk of the database": {func(a *at) {
			a.Ping = func(context.Context) error { return errors.Join(db.ErrNoRoom, broken) }
		}, health.Degraded, "degraded down ok ok"},
		"a provider":       {func(a *at) { a.LeftAlone = func() int { return 1 } }, health.Degraded, "ok degraded ok ok"},
		"the blob store":   {func(a *at) { a.Files = func(context.Context) error { return broken } }, health.Degraded, "ok ok ok down"},
		"a server's end":   {func(a *at) { a.Stopping = func() bool { return true } }, health.Degraded, "ok down ok ok"},
		"the queues":       {func(a *at) { a.Queues = func(context.Context) ([]db.JobQueue, error) { return nil, broken } }, health.Degraded, "ok ok down ok"},
		"a job that waits": {func(a *at) { a.waits(6 * time.Minute) }, health.Degraded, "ok ok degraded ok"},
		"a job just due":   {func(a *at) { a.waits(time.Minute) }, health.OK, "ok ok ok ok"},
	} {
		a := server()
		c.breaks(a)
		got := a.Status(t.Context())
		states := ""
		for _, p := range got.Parts {
			states += " " + p.State
		}
		if got.State != c.state || states != " "+c.parts {
			t.Errorf("without %s: %s, %s", name, got.State, states)
		}
	}
}

func (a *at) waits(since time.Duration) {
	from := a.now.Add(-since)
	a.Queues = func(context.Context) ([]db.JobQueue, error) { return []db.JobQueue{{Kind: "a", Oldest: &from}}, nil }
}

// Anybody may ask: the database must not be asked as often.
func TestStatusIsKeptForFiveSeconds(t *testing.T) {
	t.Parallel()
	a := server()
	for range 100 {
		a.Status(t.Context())
	}
	if a.looks != 1 {
		t.Errorf("looked %d times at once", a.looks)
	}
	a.now = a.now.Add(5 * time.Second)
	if got := a.Status(t.Context()); a.looks != 2 || !got.CheckedAt.Equal(a.now) {
		t.Errorf("looked %d times in two intervals, at %v", a.looks, got.CheckedAt)
	}
	a.now = a.now.Add(-time.Hour) // the clock was put back
	if a.Status(t.Context()); a.looks != 3 {
		t.Errorf("looked %d times after the clock was put back", a.looks)
	}
}
