package chat

import (
	"context"
	"errors"
	"strconv"
	"time"

	"parley/db"
	"parley/impl/core/job"
)

const (
	// stepTime bounds one answer of a model, and runTime how long a run may go on
	// without a person, unless the server is told otherwise.
	stepTime = 10 * time.Minute
	runTime  = time.Hour

	sweepEvery = time.Minute
	sweepBatch = 100
)

// tooLong is the reason of a run that reached its limit.
func (s *Service) tooLong() string {
	return "The run took longer than " + lasting(s.RunTime) + " without a person."
}

// lasting says how long something may take.
func lasting(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return counted(d/time.Hour, "hour")
	case d >= time.Minute && d%time.Minute == 0:
		return counted(d/time.Minute, "minute")
	case d%time.Second == 0:
		return counted(d/time.Second, "second")
	}
	return d.String()
}

func counted(n time.Duration, unit string) string {
	if n != 1 {
		unit += "s"
	}
	return strconv.FormatInt(int64(n), 10) + " " + unit
}

// patience is until when a step's answer is waited for, and the reason of a run whose answer was not there by then.
func (s *Service) patience(c db.Chat, t db.Turn) (until time.Time, reason string) {
	until, reason = t.CreatedAt.Add(s.StepTime), "An answer took longer than "+lasting(s.StepTime)+"."
	if c.DeadlineAt != nil && c.DeadlineAt.Before(until) {
		return *c.DeadlineAt, s.tooLong()
	}
	return until, reason
}

// sweep ends runs beyond their time, whatever became of their jobs.
func (s *Service) sweep(ctx context.Context, _ job.Run) error {
	for {
		overdue, err := s.DB.OverdueChats(ctx, s.Now(), sweepBatch)
		if err != nil {
			return err
		}
		for _, name := range overdue {
			if err := s.expire(ctx, name); err != nil {
				return err
			}
		}
		if len(overdue) < sweepBatch {
			return nil
		}
	}
}

func (s *Service) expire(ctx context.Context, name db.ChatName) error {
	c, err := s.DB.Chat(ctx, name.AccountID, name.ID)
	if err == nil && c.Status == db.ChatRunning && c.DeadlineAt != nil && c.DeadlineAt.Before(s.Now()) {
		err = s.fail(ctx, c, s.tooLong())
	}
	if errors.Is(err, db.ErrNotFound) {
		return nil
	}
	return err
}
