package job_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/fault"
	"parley/impl/core/job"
)

func TestAJobRunsOnceItsTransactionCommits(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	type args struct {
		Figure int `json:"figure"`
	}
	ran := make(chan args, 10)
	q.runner.Handle("k", job.Handler{Do: job.Typed(func(_ context.Context, _ job.Run, a args) error { ran <- a; return nil })})
	q.start(t)
	rolledBack := errors.New("no")
	err := q.db.InTx(t.Context(), func(tx *db.Queries) error {
		return errors.Join(rolledBack, job.Enqueue(t.Context(), tx, q.clock.now(), job.New{AccountID: q.account, ID: "a", Kind: "k", Args: args{1}}))
	})
	if !errors.Is(err, rolledBack) {
		t.Fatal(err)
	}
	begun := time.Now()
	err = q.db.InTx(t.Context(), func(tx *db.Queries) error {
		return job.Enqueue(t.Context(), tx, q.clock.now(), job.New{AccountID: q.account, ID: "b", Kind: "k", Args: args{2}})
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := <-ran; got.Figure != 2 {
		t.Errorf("ran with %+v", got)
	}
	t.Logf("began %s after the enqueue", time.Since(begun))
	if j := q.finished(t, "b"); *j.Outcome != db.JobDone || j.Attempt != 1 || j.LastError != nil || j.Owner != nil {
		t.Errorf("finished as %+v", j)
	}
	if len(ran) > 0 {
		t.Error("a rolled back job ran")
	}
}

func TestAFailedAttemptIsRepeatedUntilTheCeiling(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	attempts := map[string]int{}
	q.runner.Handle("k", job.Handler{Slots: 1, Backoff: atOnce, Do: func(_ context.Context, r job.Run) error {
		attempts[r.ID]++ // one slot: never two at once
		switch {
		case r.ID == "mends" && r.Attempt == 2:
			return nil
		case r.ID == "final":
			return job.Final(fault.New(fault.NotFound, "Nothing to do."))
		case r.ID == "panics":
			panic("a secret text")
		}
		return errors.New("a secret text")
	}})
	for _, name := range []string{"mends", "final", "panics", "never"} {
		q.enqueue(t, job.New{ID: name, Kind: "k", MaxAttempts: 3})
	}
	q.start(t)
	for name, want := range map[string]struct {
		attempts       int
		outcome, error string
	}{
		"mends":  {2, db.JobDone, ""},
		"final":  {1, db.JobFailed, "Nothing to do."},
		"panics": {3, db.JobFailed, "The attempt panicked; the log tells where."},
		"never":  {3, db.JobFailed, "Internal error; the log tells more."},
	} {
		j := q.finished(t, name)
		told := ""
		if j.LastError != nil {
			told = *j.LastError
		}
		if j.Attempt != want.attempts || *j.Outcome != want.outcome || told != want.error {
			t.Errorf("%s ended %s after %d attempts with %q", name, *j.Outcome, j.Attempt, told)
		}
	}
	q.runner.Stop(t.Context())
	if attempts["final"] != 1 || attempts["never"] != 3 {
		t.Errorf("attempts %v", attempts)
	}
}

func TestTheHandlerChoosesItsNextAttempt(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	q.runner.Handle("k", job.Handler{Do: func(context.Context, job.Run) error { return job.Retry(errors.New("later"), time.Hour) }})
	q.start(t)
	begun := q.clock.now()
	q.enqueue(t, job.New{ID: "a", Kind: "k"})
	j := q.awaits(t, "a", func(j db.Job) bool { return j.Attempt == 1 && j.Owner == nil })
	if wait := j.RunAt.Sub(begun); wait < time.Hour || wait > time.Hour+time.Minute {
		t.Errorf("the next attempt is in %s", wait)
	}
}

// Several servers run every job once, and never more at a time than their slots.
func TestServersShareTheQueue(t *testing.T) {
	t.Parallel()
	const jobs, slots = 60, 3
	d, dsn := dbtest.Own(t)
	account := dbtest.Account(t, d, "free", 0)
	var mu sync.Mutex
	ran := map[string]int{}
	all := make(chan struct{})
	producer := serverOf(t, dsn, account)
	for i := range jobs {
		producer.enqueue(t, job.New{ID: fmt.Sprint("job", i), Kind: "k"})
	}
	for range 3 {
		q := serverOf(t, dsn, account)
		var now atomic.Int32
		q.runner.Handle("k", job.Handler{Slots: slots, Do: func(_ context.Context, r job.Run) error {
			if now.Add(1) > slots {
				t.Error("more jobs at a time than slots")
			}
			defer now.Add(-1)
			mu.Lock()
			defer mu.Unlock()
			if ran[r.ID]++; len(ran) == jobs && ran[r.ID] == 1 {
				close(all)
			}
			return nil
		}})
		q.start(t)
	}
	<-all
	mu.Lock()
	defer mu.Unlock()
	for name, n := range ran {
		if n != 1 {
			t.Errorf("%s ran %d times", name, n)
		}
	}
}

// A job whose server died runs again elsewhere when the lease has lapsed, and
// what the dead server still says about it changes nothing.
func TestAnotherServerTakesOver(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	account := dbtest.Account(t, d, "free", 0)
	q := serverOf(t, dsn, account)
	q.enqueue(t, job.New{ID: "a", Kind: "k"})
	past := q.clock.now()
	dead, err := d.ClaimJobs(t.Context(), "srv_dead", past, past.Add(30*time.Second), []db.JobSlots{{Kind: "k", Free: 5}})
	if err != nil || len(dead) != 1 {
		t.Fatalf("claimed %+v, %v", dead, err)
	}
	ran := make(chan int, 10)
	q.runner.Handle("k", job.Handler{Do: func(_ context.Context, r job.Run) error { ran <- r.Attempt; return nil }})
	q.start(t)
	q.enqueue(t, job.New{ID: "b", Kind: "k"})
	q.finished(t, "b")
	if j, _ := d.Job(t.Context(), account, "a"); j.FinishedAt != nil {
		t.Fatal("taken over within its lease")
	}
	<-ran
	q.clock.forward(31 * time.Second)
	if attempt := <-ran; attempt != 2 {
		t.Errorf("taken over as attempt %d", attempt)
	}
	q.finished(t, "a")
	outcome, when := db.JobFailed, q.clock.now()
	dead[0].Outcome, dead[0].FinishedAt = &outcome, &when
	if err := d.FinishJob(t.Context(), dead[0]); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("the dead server ended it again: %v", err)
	}
	if kept, err := d.RenewJobs(t.Context(), "srv_dead", []string{"a"}, when.Add(time.Hour)); err != nil || len(kept) > 0 {
		t.Errorf("the dead server renewed %v, %v", kept, err)
	}
	q.clock.forward(time.Hour)
	q.enqueue(t, job.New{ID: "c", Kind: "k"})
	q.finished(t, "c")
	if <-ran; len(ran) > 0 {
		t.Error("a finished job ran again")
	}
}

func TestAnAttemptTooManyIsNotMade(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	q.enqueue(t, job.New{ID: "a", Kind: "k", MaxAttempts: 1})
	past := q.clock.now()
	if _, err := q.db.ClaimJobs(t.Context(), "srv_dead", past, past, []db.JobSlots{{Kind: "k", Free: 1}}); err != nil {
		t.Fatal(err)
	}
	q.runner.Handle("k", job.Handler{Do: func(context.Context, job.Run) error { t.Error("attempted"); return nil }})
	q.start(t)
	if j := q.finished(t, "a"); *j.Outcome != db.JobFailed {
		t.Errorf("ended %+v", j)
	}
}

func TestUniqueJobsAreNotDoubled(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	for _, name := range []string{"a", "b"} {
		q.enqueue(t, job.New{ID: name, Kind: "k", UniqueKey: "one"})
	}
	if _, err := q.db.Job(t.Context(), q.account, "b"); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("a second unfinished job: %v", err)
	}
	q.runner.Handle("k", job.Handler{Do: func(context.Context, job.Run) error { return nil }})
	q.start(t)
	q.finished(t, "a")
	q.enqueue(t, job.New{ID: "b", Kind: "k", UniqueKey: "one"})
	q.finished(t, "b")
}

// A stop lets jobs finish; those that do not are cancelled and come due at once, without losing an attempt.
func TestStopGivesJobsBack(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	begun, finish := make(chan string, 2), make(chan struct{})
	q.runner.Handle("k", job.Handler{Do: func(ctx context.Context, r job.Run) error {
		begun <- r.ID
		if r.ID == "ends" {
			<-finish
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}})
	q.start(t)
	q.enqueue(t, job.New{ID: "ends", Kind: "k", MaxAttempts: 1})
	q.enqueue(t, job.New{ID: "hangs", Kind: "k", MaxAttempts: 1})
	<-begun
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() { q.runner.Stop(ctx); close(stopped) }()
	close(finish)
	q.finished(t, "ends")
	cancel()
	<-stopped
	j, err := q.db.Job(t.Context(), q.account, "hangs")
	if err != nil || j.FinishedAt != nil || j.Owner != nil || j.RunAt.After(q.clock.now()) || j.MaxAttempts != 2 {
		t.Errorf("given back as %+v, %v", j, err)
	}
}

// However many servers run, each interval has one job.
func TestPeriodicJobsRunOnceOverAllServers(t *testing.T) {
	t.Parallel()
	_, dsn := dbtest.Own(t)
	var runs atomic.Int32
	ran := make(chan string, 100)
	servers := make([]*queue, 3)
	for i := range servers {
		servers[i] = serverOf(t, dsn, "")
		// The hour is in the middle of the test's: no server meets two intervals.
		hour := servers[i].clock.now().Truncate(time.Hour)
		servers[i].clock.forward(hour.Add(30 * time.Minute).Sub(servers[i].clock.now()))
		servers[i].runner.Handle("k", job.Handler{Do: func(_ context.Context, r job.Run) error { runs.Add(1); ran <- r.ID; return nil }})
		servers[i].runner.Every("k", time.Hour)
		servers[i].start(t)
	}
	first := <-ran
	servers[0].finished(t, first)
	for i := range servers { // a start within the interval makes no second one
		again := serverOf(t, dsn, "")
		again.clock.ahead.Store(servers[i].clock.ahead.Load())
		again.runner.Handle("k", job.Handler{Do: func(context.Context, job.Run) error { runs.Add(1); return nil }})
		again.runner.Every("k", time.Hour)
		again.start(t)
		again.enqueue(t, job.New{ID: fmt.Sprint("marker", i), Kind: "jobs.cleanup"})
		again.finished(t, fmt.Sprint("marker", i))
	}
	if runs.Load() != 1 {
		t.Errorf("%d runs in one interval", runs.Load())
	}
}

func TestOldFinishedJobsAreRemoved(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	q.runner.Handle("k", job.Handler{Do: func(context.Context, job.Run) error { return nil }})
	q.start(t)
	q.enqueue(t, job.New{ID: "old", Kind: "k"})
	q.finished(t, "old")
	q.clock.forward(4 * 24 * time.Hour)
	q.enqueue(t, job.New{ID: "new", Kind: "k"})
	q.finished(t, "new")
	q.enqueue(t, job.New{ID: "cleanup", Kind: "jobs.cleanup"})
	q.finished(t, "cleanup")
	if _, err := q.db.Job(t.Context(), q.account, "old"); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("the old one: %v", err)
	}
	if _, err := q.db.Job(t.Context(), q.account, "new"); err != nil {
		t.Errorf("the new one: %v", err)
	}
}

func TestQueuesTellDepthAndAge(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	now := q.clock.now()
	q.enqueue(t, job.New{Kind: "k", RunAt: now.Add(-time.Hour)}) // as the first of an interval that began before the server did
	q.enqueue(t, job.New{Kind: "k", RunAt: now.Add(time.Hour)})
	q.clock.forward(time.Minute)
	got, err := q.runner.Queues(t.Context())
	if err != nil || len(got) != 1 || got[0].Waiting != 2 || got[0].Running != 0 || got[0].Age(q.clock.now()) < time.Minute || got[0].Age(q.clock.now()) >= time.Hour {
		t.Errorf("queues %+v, %v", got, err)
	}
}

func TestQueuesTellWhatWasGivenUpLately(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	q.runner.Handle("k", job.Handler{Do: func(_ context.Context, r job.Run) error {
		if r.ID == "fails" {
			return errors.New("no")
		}
		return nil
	}})
	q.start(t)
	for _, name := range []string{"fails", "works"} {
		q.enqueue(t, job.New{ID: name, Kind: "k", MaxAttempts: 1})
		q.finished(t, name)
	}
	if got, err := q.runner.Queues(t.Context()); err != nil || len(got) != 1 || got[0].Failed != 1 || got[0].Waiting+got[0].Running != 0 || got[0].Oldest != nil {
		t.Errorf("queues %+v, %v", got, err)
	}
	q.clock.forward(2 * time.Hour)
	if got, err := q.runner.Queues(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("later %+v, %v", got, err)
	}
}

func TestBackoffGrowsToAnHour(t *testing.T) {
	t.Parallel()
	before := time.Duration(0)
	for attempt := 1; attempt <= 100; attempt++ {
		wait := job.Backoff(attempt)
		if wait < before || wait > time.Hour {
			t.Fatalf("attempt %d waits %s after %s", attempt, wait, before)
		}
		before = wait
	}
	if before != time.Hour {
		t.Errorf("the longest wait is %s", before)
	}
}
