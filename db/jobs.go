package db

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx/types"
	"github.com/lib/pq"
)

// The outcomes of a job.
const (
	JobDone   = "done"
	JobFailed = "failed"
)

// Job is work that outlives requests and servers.
type Job struct {
	AccountID   string         `db:"account_id"` // "" for work of the server as a whole
	ID          string         `db:"job_id"`
	Kind        string         `db:"kind"`
	Args        types.JSONText `db:"args"`       // ids and figures, never texts or secrets
	UniqueKey   *string        `db:"unique_key"` // at most one unfinished job of the kind has it
	Attempt     int            `db:"attempt"`    // counts from 1 once it is claimed
	MaxAttempts int            `db:"max_attempts"`
	RunAt       time.Time      `db:"run_at"` // its time, or the end of the lease of who runs it
	Owner       *string        `db:"owner"`  // nil while it waits
	LastError   *string        `db:"last_error"`
	Outcome     *string        `db:"outcome"` // nil until it is finished
	CreatedAt   time.Time      `db:"created_at"`
	FinishedAt  *time.Time     `db:"finished_at"`
}

const jobColumns = `account_id, job_id, kind, args, unique_key, attempt, max_attempts, run_at, owner, last_error,
	outcome, created_at, finished_at`

// EnqueueJob stores a job to be run from j.RunAt on. A job with its id, or an unfinished
// one with its unique key, makes it do nothing. Workers of this process learn of
// it as soon as it is committed.
func (q *Queries) EnqueueJob(ctx context.Context, j Job) error {
	n, err := q.exec(ctx, `
		insert into jobs (account_id, job_id, kind, args, unique_key, max_attempts, run_at, created_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8)
		on conflict do nothing`,
		j.AccountID, j.ID, j.Kind, j.Args, j.UniqueKey, j.MaxAttempts, j.RunAt, j.CreatedAt)
	if err == nil && n > 0 {
		q.jobs.added(q.tx != nil)
	}
	return err
}

// JobSlots is how many jobs of a kind a server can take.
type JobSlots struct {
	Kind string
	Free int
}

// ClaimJobs gives an owner due jobs, at most as many of each kind as it has
// slots, until a time. Nobody else gets them before. A claim whose reply is
// lost comes due again with its lease. It crosses accounts: workers serve all of them.
func (q *Queries) ClaimJobs(ctx context.Context, owner string, now, until time.Time, slots []JobSlots) ([]Job, error) {
	kinds, free := make([]string, len(slots)), make([]int64, len(slots))
	for i, s := range slots {
		kinds[i], free[i] = s.Kind, int64(s.Free)
	}
	jobs := []Job{}
	err := q.list(ctx, &jobs, `
		with due as (
			select due.account_id, due.job_id
			from unnest($4::text[], $5::bigint[]) as slots (kind, free)
			cross join lateral (
				select account_id, job_id
				from jobs
				where kind = slots.kind and finished_at is null and run_at <= $2
				order by run_at
				limit slots.free
				for update skip locked
			) due
		)
		update jobs j
		set owner = $1, run_at = $3, attempt = attempt + 1
		from due
		where j.account_id = due.account_id and j.job_id = due.job_id
		returning j.account_id, j.job_id, j.kind, j.args, j.unique_key, j.attempt, j.max_attempts, j.run_at, j.owner,
			j.last_error, j.outcome, j.created_at, j.finished_at`,
		owner, now, until, pq.Array(kinds), pq.Array(free))
	return jobs, err
}

// RenewJobs extends the leases of an owner's jobs and returns the ids of those
// that are still its own. It crosses accounts, as ClaimJobs does.
func (q *Queries) RenewJobs(ctx context.Context, owner string, jobIDs []string, until time.Time) ([]string, error) {
	kept := []string{}
	err := q.list(ctx, &kept, `
		update jobs
		set run_at = $3
		where owner = $1 and job_id = any($2) and finished_at is null
		returning job_id`,
		owner, pq.Array(jobIDs), until)
	return kept, err
}

// FinishJob ends a job as its owner's attempt left it: Outcome and FinishedAt,
// or RunAt and MaxAttempts for another attempt, and LastError. It is ErrNotFound when the
// attempt is not the present one: then somebody else has taken the job over.
func (q *Queries) FinishJob(ctx context.Context, j Job) error {
	return q.execOne(ctx, `
		update jobs
		set owner = null, outcome = $5, finished_at = $6, run_at = $7, last_error = $8, max_attempts = least($9, 100)
		where account_id = $1 and job_id = $2 and owner = $3 and attempt = $4 and finished_at is null`,
		j.AccountID, j.ID, j.Owner, j.Attempt, j.Outcome, j.FinishedAt, j.RunAt, j.LastError, j.MaxAttempts)
}

// Job returns one job of the account.
func (q *Queries) Job(ctx context.Context, accountID, jobID string) (Job, error) {
	var j Job
	err := q.get(ctx, &j, `
		select `+jobColumns+`
		from jobs
		where account_id = $1 and job_id = $2`,
		accountID, jobID)
	return j, err
}

// DeleteFinishedJobs removes at most limit jobs that were finished before a
// time and returns how many. It crosses accounts: it is the server's housekeeping.
func (q *Queries) DeleteFinishedJobs(ctx context.Context, before time.Time, limit int) (int64, error) {
	return q.exec(ctx, `
		delete from jobs j
		using (
			select account_id, job_id
			from jobs
			where finished_at < $1
			limit $2
			for update skip locked
		) old
		where j.account_id = old.account_id and j.job_id = old.job_id`,
		before, limit)
}

// JobQueue is the state of one kind's queue.
type JobQueue struct {
	Kind    string     `db:"kind"`
	Waiting int64      `db:"waiting"` // due or to come, run by nobody
	Running int64      `db:"running"`
	Oldest  *time.Time `db:"oldest"` // since when the longest waiting due job waits; nil when none does
	Failed  int64      `db:"failed"` // given up within the last hour
}

// JobQueues tells depth, age and failures of every queue that holds unfinished jobs or has given one up within the last hour. For operators: it crosses accounts.
func (q *Queries) JobQueues(ctx context.Context, now time.Time) ([]JobQueue, error) {
	queues := []JobQueue{}
	err := q.list(ctx, &queues, `
		select kind, count(*) filter (where finished_at is null and owner is null) as waiting, count(*) filter (where owner is not null) as running,
			min(greatest(run_at, created_at)) filter (where finished_at is null and owner is null and run_at <= $1) as oldest, -- the first job of an interval is due from before it was made
			count(*) filter (where finished_at is not null) as failed
		from jobs
		where finished_at is null or finished_at > $2 and outcome = 'failed'
		group by kind
		order by kind`,
		now, now.Add(-time.Hour))
	return queues, err
}

// jobSignal tells the workers of this process that jobs were stored.
type jobSignal struct {
	wake    chan struct{} // holds one: a worker that is told once looks at all of them
	pending bool          // stored by a transaction that has not committed
}

func newJobSignal() *jobSignal { return &jobSignal{wake: make(chan struct{}, 1)} }

// within is the signal of a transaction, which waits for its commit.
func (s *jobSignal) within() *jobSignal { return &jobSignal{wake: s.wake} }

// added notes a stored job: within a transaction for later, otherwise it tells.
func (s *jobSignal) added(inTx bool) {
	if inTx {
		s.pending = true // a transaction's Queries are used by one goroutine
	} else {
		s.tell()
	}
}

func (s *jobSignal) committed() {
	if s.pending {
		s.tell()
	}
}

func (s *jobSignal) tell() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// JobsAdded receives when this process has committed new jobs. One worker may listen.
func (d *DB) JobsAdded() <-chan struct{} { return d.jobs.wake }
