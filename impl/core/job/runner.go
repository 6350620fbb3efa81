package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"parley/db"
	"parley/impl/core/id"
)

const (
	// lease is how long a server may stay silent before its jobs are taken over.
	lease = 7 * time.Second
	// renewEvery leaves room for two failed renewals within a lease.
	renewEvery = 2 * time.Second
	// pollEvery bounds how late a job of another server, or a retry, begins.
	pollEvery = 1250 * time.Millisecond
	// storeTimeout bounds a statement about the queue itself.
	storeTimeout = 10 * time.Second
	// renewTimeout leaves time for another renewal before the lease lapses.
	renewTimeout = 4 * time.Second
)

var errPanic = errors.New("panic")

// Runner claims due jobs and runs them. Register the kinds, then Start it; Stop it once.
type Runner struct {
	db       *db.DB
	log      *slog.Logger
	now      func() time.Time
	owner    string
	handlers map[string]Handler
	periodic []periodic

	alive   context.Context // ends when jobs are given up
	giveUp  context.CancelFunc
	stopped chan struct{} // closed when no more are claimed
	stop    sync.Once
	claims  sync.WaitGroup // the loops that make jobs run
	renews  sync.WaitGroup // the loop that keeps them
	jobs    sync.WaitGroup
	freed   chan struct{} // holds one: a slot became free

	mu      sync.Mutex
	busy    map[string]int  // running jobs by kind
	more    map[string]bool // kinds whose latest claim filled all slots: others may be due
	running map[string]running
}

type running struct {
	kind   string
	cancel context.CancelFunc
}

// NewRunner returns a runner that does nothing yet.
func NewRunner(database *db.DB, log *slog.Logger, now func() time.Time) *Runner {
	alive, giveUp := context.WithCancel(context.Background())
	r := &Runner{
		db: database, log: log, now: now, owner: id.New("srv_"), handlers: map[string]Handler{},
		alive: alive, giveUp: giveUp, stopped: make(chan struct{}), freed: make(chan struct{}, 1),
		busy: map[string]int{}, more: map[string]bool{}, running: map[string]running{},
	}
	r.Handle(cleanupKind, Handler{Do: r.cleanUp, Slots: 1, Timeout: 5 * time.Minute})
	r.Every(cleanupKind, time.Hour)
	return r
}

// Handle registers the handler of a kind.
func (r *Runner) Handle(kind string, h Handler) { r.handlers[kind] = h.withDefaults() }

// Start begins to claim jobs, until Stop.
func (r *Runner) Start() {
	r.claims.Go(r.claimLoop)
	r.claims.Go(r.scheduleLoop)
	r.renews.Go(r.renewLoop)
}

// Stop claims no more and waits for running jobs until ctx ends. Those that
// have not ended then are cancelled and wait for their next attempt, here or elsewhere.
func (r *Runner) Stop(ctx context.Context) {
	r.stop.Do(func() { close(r.stopped) })
	done := make(chan struct{})
	go func() { r.claims.Wait(); r.jobs.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	r.giveUp()
	<-done
	r.renews.Wait()
}

// Queues tells depth and age of every queue that holds unfinished jobs, of all servers.
func (r *Runner) Queues(ctx context.Context) ([]db.JobQueue, error) {
	return r.db.JobQueues(ctx, r.now())
}

func (r *Runner) claimLoop() {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if err := r.claim(); err != nil && r.alive.Err() == nil {
			r.log.Warn("claiming jobs failed", "error", err)
		}
		select {
		case <-r.stopped:
			return
		case <-r.db.JobsAdded():
		case <-r.freed:
		case <-tick.C:
		}
	}
}

// claim takes due jobs into the free slots and runs them.
func (r *Runner) claim() error {
	slots := r.freeSlots()
	if len(slots) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.alive, storeTimeout)
	defer cancel()
	now := r.now()
	claimed, err := r.db.ClaimJobs(ctx, r.owner, now, now.Add(lease), slots)
	if err != nil {
		return err
	}
	r.noteMore(slots, claimed)
	for _, row := range claimed {
		r.launch(Run{row})
	}
	return nil
}

func (r *Runner) noteMore(slots []db.JobSlots, claimed []db.Job) {
	got := map[string]int{}
	for _, row := range claimed {
		got[row.Kind]++
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range slots {
		r.more[s.Kind] = got[s.Kind] >= s.Free
	}
}

func (r *Runner) freeSlots() []db.JobSlots {
	r.mu.Lock()
	defer r.mu.Unlock()
	var slots []db.JobSlots
	for kind, h := range r.handlers {
		if free := h.Slots - r.busy[kind]; free > 0 {
			slots = append(slots, db.JobSlots{Kind: kind, Free: free})
		}
	}
	return slots
}

// launch runs a claimed job in a goroutine of its own.
func (r *Runner) launch(job Run) {
	h := r.handlers[job.Kind]
	ctx, cancel := context.WithTimeout(r.alive, h.Timeout)
	r.mu.Lock()
	r.busy[job.Kind]++
	r.running[job.ID] = running{kind: job.Kind, cancel: cancel}
	r.mu.Unlock()
	r.jobs.Go(func() {
		defer cancel()
		defer r.release(job)
		r.settle(job, h, r.attempt(ctx, job, h))
	})
}

// release gives the slot free, and lets a claim follow at once when the latest
// one may have left jobs behind.
func (r *Runner) release(job Run) {
	r.mu.Lock()
	delete(r.running, job.ID)
	r.busy[job.Kind]--
	more := r.more[job.Kind]
	r.mu.Unlock()
	if !more {
		return
	}
	select {
	case r.freed <- struct{}{}:
	default:
	}
}

func (r *Runner) attempt(ctx context.Context, job Run, h Handler) (err error) {
	if job.Attempt > job.MaxAttempts {
		return Final(errors.New("the server that made the last attempt stopped"))
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v\n%s", errPanic, p, debug.Stack())
		}
	}()
	return h.Do(ctx, job)
}

// settle stores how an attempt went.
func (r *Runner) settle(job Run, h Handler, err error) {
	now := r.now()
	row, outcome := job.Job, db.JobDone
	row.Outcome, row.FinishedAt, row.LastError = &outcome, &now, nil
	if err != nil {
		told := excuse(err)
		row.LastError = &told
		r.log.Warn("job attempt failed", "job", job.ID, "kind", job.Kind, "account", job.AccountID, "attempt", job.Attempt, "error", err)
		switch {
		case r.alive.Err() != nil && !IsFinal(err): // given up: that is no failure of the job
			row.Outcome, row.FinishedAt, row.RunAt = nil, nil, now
			row.MaxAttempts++
		case IsFinal(err) || job.Last():
			outcome = db.JobFailed
		default:
			row.Outcome, row.FinishedAt, row.RunAt = nil, nil, now.Add(pause(h, job.Attempt, err))
		}
	}
	// Given-up jobs are stored as well: their next attempt need not wait for the lease.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.alive), storeTimeout)
	defer cancel()
	if err := r.db.FinishJob(ctx, row); err != nil {
		r.log.Warn("storing a job's end failed; it runs again when its lease lapses", "job", job.ID, "kind", job.Kind, "error", err)
	}
}

// pause is how long to wait after a failed attempt, give or take a tenth, so
// that jobs which failed together do not come back together.
func pause(h Handler, attempt int, err error) time.Duration {
	if asked, ok := errors.AsType[retryError](err); ok {
		return asked.after
	}
	wait := h.Backoff(attempt)
	return wait + time.Duration((rand.Float64()-0.5)/5*float64(wait))
}

// renewLoop keeps the leases of running jobs. It outlives the claiming, so
// that jobs which may finish during a stop are not taken over meanwhile.
func (r *Runner) renewLoop() {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.alive.Done():
			return
		case <-tick.C:
		}
		if err := r.renew(); err != nil && r.alive.Err() == nil {
			r.log.Warn("renewing jobs failed", "error", err)
		}
	}
}

// renew extends the leases and cancels what somebody else has taken over.
func (r *Runner) renew() error {
	mine := r.runningIDs()
	if len(mine) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.alive, renewTimeout)
	defer cancel()
	kept, err := r.db.RenewJobs(ctx, r.owner, mine, r.now().Add(lease))
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, jobID := range mine {
		if lost, ok := r.running[jobID]; ok && !slices.Contains(kept, jobID) {
			lost.cancel()
		}
	}
	return nil
}

func (r *Runner) runningIDs() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := make([]string, 0, len(r.running))
	for jobID := range r.running {
		ids = append(ids, jobID)
	}
	return ids
}
