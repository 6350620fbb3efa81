package db

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jmoiron/sqlx"
)

// ErrClaimed says that the key of an Act is claimed already, or by another request at this moment.
var ErrClaimed = errors.New("idempotency key is claimed")

// Act is one request that must act at most once. All that is written under its
// context, whoever writes it, is one transaction with the claim of its key and
// the answer. The transaction begins with the first write, so that what a
// request reads before, or asks of others, holds nothing up.
//
// It is for the edge, which knows the answer; nothing else may be bound to a context.
type Act struct {
	db    *DB
	claim Claim
	ctx   context.Context //nolint:containedctx // the transaction's; statements have their own
	done  context.CancelFunc

	mu   sync.Mutex
	q    *Queries // nil before the first write
	err  error    // why the transaction could not begin
	over bool
}

type actKey struct{}

// Act returns a context whose writes are the act's. End it with Commit or Rollback.
func (d *DB) Act(ctx context.Context, c Claim) (context.Context, *Act) {
	a := &Act{db: d, claim: c}
	a.ctx, a.done = limited(ctx, transactionMax)
	return context.WithValue(ctx, actKey{}, a), a
}

// Commit makes the act durable together with its answer. It returns
// ErrClaimed, and nothing was done, when another request has the key.
func (a *Act) Commit(sealedAnswer []byte) error {
	defer a.done()
	q, err := a.begun()
	if err != nil {
		return err
	}
	if q == nil {
		return errors.New("the act is over")
	}
	if err := q.completeClaim(a.ctx, a.claim, sealedAnswer); err != nil {
		return err
	}
	a.end()
	if err := q.tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", a.db.prepared.told(a.ctx, err))
	}
	a.db.keep(a.ctx, q)
	return nil
}

// Rollback undoes the act. After Commit it does nothing.
func (a *Act) Rollback() {
	if q := a.end(); q != nil {
		_ = q.tx.Rollback() // does nothing after the commit
	}
	a.done()
}

// Claimed tells whether the act could not begin because its key is claimed.
func (a *Act) Claimed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return errors.Is(a.err, ErrClaimed)
}

func (a *Act) end() *Queries {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	return a.q
}

// begun returns the act's transaction and begins it if need be; nil when the act is over.
func (a *Act) begun() (*Queries, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over || a.q != nil || a.err != nil {
		if a.over {
			return nil, nil
		}
		return a.q, a.err
	}
	a.q, a.err = a.begin()
	return a.q, a.err
}

func (a *Act) begin() (*Queries, error) {
	tx, err := a.db.pool.BeginTxx(a.ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", translateIn(a.ctx, err))
	}
	q := &Queries{prepared: a.db.prepared, tx: tx, jobs: a.db.jobs.within()}
	claimed, err := q.insertClaim(a.ctx, a.claim)
	if err == nil && !claimed {
		err = ErrClaimed
	}
	if err != nil {
		_ = tx.Rollback() // err says more
		return nil, err
	}
	return q, nil
}

// reading returns the act's transaction if it has begun.
func (a *Act) reading() *Queries {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return nil
	}
	return a.q
}

// within returns what a statement runs on: the transaction of the act that ctx
// is bound to, where there is one and the statement writes or others have.
func (q *Queries) within(ctx context.Context, sql string) (*Queries, error) {
	a, bound := ctx.Value(actKey{}).(*Act)
	if q.tx != nil || !bound || a.db.prepared != q.prepared {
		return q, nil
	}
	in := a.reading()
	if in == nil && !strings.HasPrefix(strings.TrimSpace(sql), "select") {
		var err error
		if in, err = a.begun(); err != nil {
			return nil, err
		}
	}
	if in == nil {
		return q, nil
	}
	return in, nil
}

// inAct runs do inside the transaction of the act that ctx is bound to, as one
// step of it that is undone when do fails; false when there is none.
func (d *DB) inAct(ctx context.Context, do func(*Queries) error) (bool, error) {
	a, bound := ctx.Value(actKey{}).(*Act)
	if !bound || a.db != d {
		return false, nil
	}
	q, err := a.begun()
	if err != nil {
		return true, err
	}
	if q == nil {
		return false, nil
	}
	return true, savepoint(ctx, q.tx, func() error { return do(q) })
}

// InAct tells whether statements under ctx belong to a transaction that others share.
func (q *Queries) InAct(ctx context.Context) bool {
	a, bound := ctx.Value(actKey{}).(*Act)
	return q.tx != nil || bound && a.db.prepared == q.prepared
}

func savepoint(ctx context.Context, tx *sqlx.Tx, do func() error) error {
	if _, err := tx.ExecContext(ctx, `savepoint step`); err != nil {
		return translateIn(ctx, err)
	}
	if err := do(); err != nil {
		_, undo := tx.ExecContext(ctx, `rollback to savepoint step`)
		return errors.Join(err, translateIn(ctx, undo))
	}
	_, err := tx.ExecContext(ctx, `release savepoint step`)
	return translateIn(ctx, err)
}
