package job

import (
	"context"
	"fmt"
	"time"
)

// periodic is a kind that is run once in every interval, over all servers.
type periodic struct {
	kind  string
	every time.Duration
}

// Every makes a job of the kind come due once in each interval, however many
// servers run: intervals are counted from a fixed time, and the interval is
// part of the job's id. Intervals during which no server ran are not made up for.
func (r *Runner) Every(kind string, every time.Duration) {
	r.periodic = append(r.periodic, periodic{kind, every})
}

// scheduleLoop stores the job of each interval as it begins.
func (r *Runner) scheduleLoop() {
	for {
		wait := pollEvery // after a failure
		if next, err := r.schedule(); err == nil {
			wait = next.Sub(r.now())
		} else if r.alive.Err() == nil {
			r.log.Warn("scheduling jobs failed", "error", err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-r.stopped:
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// schedule stores the jobs of the present intervals and returns when the next one begins.
func (r *Runner) schedule() (time.Time, error) {
	ctx, cancel := context.WithTimeout(r.alive, storeTimeout)
	defer cancel()
	now := r.now()
	next := now.Add(time.Hour)
	for _, p := range r.periodic {
		slot := now.Truncate(p.every)
		if begins := slot.Add(p.every); begins.Before(next) {
			next = begins
		}
		if err := r.enqueueSlot(ctx, p, slot, now); err != nil {
			return time.Time{}, err
		}
	}
	return next, nil
}

func (r *Runner) enqueueSlot(ctx context.Context, p periodic, slot, now time.Time) error {
	jobID := fmt.Sprintf("%s@%s", p.kind, slot.UTC().Format(time.RFC3339))
	// A run that takes longer than its interval is not joined by a second one.
	return Enqueue(ctx, r.db.Queries, now, New{ID: jobID, Kind: p.kind, UniqueKey: "periodic", RunAt: slot})
}

const (
	cleanupKind = "jobs.cleanup"
	// keepFinished is how long finished jobs can be looked at. It is far beyond
	// any difference between clocks, so that no interval's job is made twice.
	keepFinished = 3 * 24 * time.Hour
	cleanupBatch = 1000
)

// cleanUp removes the rows of jobs that finished long ago.
func (r *Runner) cleanUp(ctx context.Context, _ Run) error {
	for {
		n, err := r.db.DeleteFinishedJobs(ctx, r.now().Add(-keepFinished), cleanupBatch)
		if err != nil || n < cleanupBatch {
			return err
		}
	}
}
