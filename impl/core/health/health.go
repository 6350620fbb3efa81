// Package health tells what of a server works, for the public and for operators.
package health

import (
	"context"
	"errors"
	"sync"
	"time"

	"parley/db"
)

// The states of a part, from good to bad.
const (
	OK       = "ok"
	Degraded = "degraded"
	Down     = "down"
)

const (
	// keepFor is how old an answer may be: whoever asks how often, the parts are looked at once in that time.
	keepFor = 5 * time.Second
	// checkMax bounds looking at all parts.
	checkMax = 3 * time.Second
	// lateAfter is for how long a job may be due before work counts as late.
	lateAfter = 5 * time.Minute
)

// Part is something that works or does not.
type Part struct{ Name, State string }

// Status is what works.
type Status struct {
	State     string // the worst of the parts'
	CheckedAt time.Time
	Parts     []Part // database, answers, work, files
}

// Service looks at the parts of a server. It is safe for concurrent use.
type Service struct {
	Ping   func(ctx context.Context) error
	Queues func(ctx context.Context) ([]db.JobQueue, error)
	Files  func(ctx context.Context) error // nil while the blob store can be used
	// LeftAlone is how many of the server's own providers are not asked because they failed.
	LeftAlone func() int
	Stopping  func() bool
	Now       func() time.Time

	mu   sync.Mutex
	last Status
}

// Status tells what works, as of the last five seconds.
func (s *Service) Status(ctx context.Context) Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.Now(); s.last.Parts == nil || now.Sub(s.last.CheckedAt) >= keepFor || now.Before(s.last.CheckedAt) {
		// Others get this answer, too: who asked first may leave.
		s.last = s.look(context.WithoutCancel(ctx), now)
	}
	return s.last
}

func (s *Service) look(ctx context.Context, now time.Time) Status {
	ctx, cancel := context.WithTimeout(ctx, checkMax)
	defer cancel()
	files := make(chan string, 1)
	go func() { files <- stateOf(s.Files(ctx)) }()
	database, work := databaseState(s.Ping(ctx)), Down
	if database != Down {
		work = s.work(ctx, now)
	}
	parts := []Part{{"database", database}, {"answers", s.answers(database)}, {"work", work}, {"files", <-files}}
	return Status{State: worst(parts), CheckedAt: now, Parts: parts}
}

func (s *Service) answers(database string) string {
	switch {
	case database != OK || s.Stopping():
		return Down
	case s.LeftAlone() > 0:
		return Degraded
	}
	return OK
}

// work is late when a job has been due for long, whatever its kind.
func (s *Service) work(ctx context.Context, now time.Time) string {
	queues, err := s.Queues(ctx)
	if err != nil {
		return Down
	}
	for _, q := range queues {
		if q.Age(now) > lateAfter {
			return Degraded
		}
	}
	return OK
}

// databaseState is degraded while there is no room: what is stored can be read.
func databaseState(err error) string {
	if errors.Is(err, db.ErrNoRoom) {
		return Degraded
	}
	return stateOf(err)
}

func stateOf(err error) string {
	if err != nil {
		return Down
	}
	return OK
}

// worst is down when the database is; any other part that does not work leaves the rest.
func worst(parts []Part) string {
	state := OK
	for _, p := range parts {
		switch {
		case p.Name == "database" && p.State == Down:
			return Down
		case p.State != OK:
			state = Degraded
		}
	}
	return state
}
