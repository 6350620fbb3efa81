// Package db is the only place with SQL. It speaks to Postgres through sqlx
// and lib/pq and imports nothing else of this project.
//
// Each file holds one group of tables: the row type, the columns and the
// methods. Methods hang on Queries, which works on the pool and inside a
// transaction alike. The account comes first in every statement; the few that
// cannot know it (finding a key, reaping abandoned turns) say so.
//
// A write outside a transaction can be carried out twice: database/sql repeats
// a statement whose connection broke, and the server may have done it already.
// So each is written to change nothing the second time.
//
// To add a table: a migration under migrations/, then a file here.
package db

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/jmoiron/sqlx/types"
)

const (
	// statementMax bounds a statement of a caller without a deadline, and
	// transactionMax a transaction.
	statementMax   = 10 * time.Second
	transactionMax = 30 * time.Second
	// pingMax bounds asking whether Postgres is there.
	pingMax = 2 * time.Second
)

// limited is ctx with a deadline: its own, or else one from now.
func limited(ctx context.Context, within time.Duration) (context.Context, context.CancelFunc) {
	if _, bound := ctx.Deadline(); bound {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, within)
}

// DB is a pool of connections. Its Queries run each on a connection of the pool.
type DB struct {
	*Queries
	pool *sqlx.DB

	// Calls of many requests, joined.
	callers    batcher[string, *Caller]
	beginnings batcher[begins, begunTogether]
	ends       batcher[endedTurn, bool]

	limitedPayers limitedPayers

	vectors atomic.Bool // searches use pgvector; see UseVectors
}

// Queries runs statements, on the pool or inside one transaction.
// It is safe for concurrent use unless it came from InTx.
type Queries struct {
	prepared *registry
	tx       *sqlx.Tx // nil on the pool
	unmet    []string // statements of the transaction that the registry does not have yet
	jobs     *jobSignal
}

// Open connects to the Postgres that dsn names (URL or keyword form) with at
// most maxConns connections, and answers once a connection works.
func Open(ctx context.Context, dsn string, maxConns int) (*DB, error) {
	return open(ctx, dsn, maxConns, false)
}

// OpenUnprepared is Open for a pooler that gives each transaction another
// connection and does not know prepared statements: PgBouncer in transaction
// mode before 1.21, or with max_prepared_statements = 0. Statements are still
// one round trip each, but planned every time.
func OpenUnprepared(ctx context.Context, dsn string, maxConns int) (*DB, error) {
	return open(ctx, dsn, maxConns, true)
}

func open(ctx context.Context, dsn string, maxConns int, unprepared bool) (*DB, error) {
	c, err := newConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("connect to postgres: %w", err)
	}
	// Parameters travel with the text of their statement, in one message.
	c.cfg.BinaryParameters = c.cfg.BinaryParameters || unprepared
	pool := sqlx.NewDb(sql.OpenDB(c), "postgres")
	if err := pool.PingContext(ctx); err != nil {
		_ = pool.Close() // err says more
		return nil, fmt.Errorf("connect to postgres: %w", translate(err))
	}
	pool.SetMaxOpenConns(maxConns)
	// Idle connections are kept: opening one costs more than ten statements.
	pool.SetMaxIdleConns(maxConns)
	pool.SetConnMaxIdleTime(10 * time.Minute)
	q := &Queries{prepared: &registry{pool: pool, unprepared: unprepared}, jobs: newJobSignal()}
	d := &DB{Queries: q, pool: pool}
	d.callers.send, d.beginnings.send, d.ends.send = q.callersByHash, q.beginTurns, q.endTurns
	return d, nil
}

// Close ends all connections. That an outage broke one of them is no error: then it has ended.
func (d *DB) Close() error {
	err := d.pool.Close()
	if err != nil && unavailable(err) {
		return nil
	}
	return err
}

// Ping answers when Postgres does. It is a statement rather than the driver's
// ping, which fails once for every pooled connection that an outage broke.
func (d *DB) Ping(ctx context.Context) error {
	ctx, cancel := limited(ctx, pingMax)
	defer cancel()
	_, err := d.pool.ExecContext(ctx, `select 1`)
	return translate(err)
}

// InTx runs do inside one transaction and commits when it returns nil.
// Do must not call anything but the Queries it is given: no provider, no HTTP.
// Inside an Act it is a step of the act's transaction.
func (d *DB) InTx(ctx context.Context, do func(*Queries) error) error {
	if done, err := d.inAct(ctx, do); done {
		return err
	}
	ctx, cancel := limited(ctx, transactionMax)
	defer cancel()
	tx, err := d.pool.BeginTxx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", translateIn(ctx, err))
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	q := &Queries{prepared: d.prepared, tx: tx, jobs: d.jobs.within()}
	if err := do(q); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", d.prepared.told(ctx, err))
	}
	d.keep(ctx, q)
	return nil
}

// keep prepares for good what a transaction had to prepare for itself.
func (d *DB) keep(ctx context.Context, q *Queries) {
	q.jobs.committed()
	for _, sql := range q.unmet {
		_, _ = d.prepared.stmt(ctx, sql) //nolint:sqlclosecheck // kept for the life of the pool; when it fails, the next transaction tries again
	}
}

// registry keeps one prepared statement per SQL text. Neither sqlx nor lib/pq
// does, and an unprepared statement costs two to three times as much;
// database/sql prepares it once on each connection that it meets.
type registry struct {
	pool       *sqlx.DB
	unprepared bool
	room       room
	mu         sync.Mutex
	bySQL      sync.Map // string → *sqlx.Stmt
}

// statement is one that is ready to run, prepared or not.
type statement interface {
	ExecContext(ctx context.Context, args ...any) (sql.Result, error)
	QueryxContext(ctx context.Context, args ...any) (*sqlx.Rows, error)
}

// plain is a statement that is sent whole each time.
type plain struct {
	on  sqlx.ExtContext
	sql string
}

func (p plain) ExecContext(ctx context.Context, args ...any) (sql.Result, error) {
	return p.on.ExecContext(ctx, p.sql, args...)
}

func (p plain) QueryxContext(ctx context.Context, args ...any) (*sqlx.Rows, error) {
	return p.on.QueryxContext(ctx, p.sql, args...)
}

// told is translateIn for what a statement came to.
func (r *registry) told(ctx context.Context, err error) error {
	r.room.note(err)
	return translateIn(ctx, err)
}

func (r *registry) stmt(ctx context.Context, sql string) (*sqlx.Stmt, error) {
	if s, ok := r.bySQL.Load(sql); ok {
		return s.(*sqlx.Stmt), nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok := r.bySQL.Load(sql); ok {
		return s.(*sqlx.Stmt), nil
	}
	s, err := r.pool.PreparexContext(ctx, sql) //nolint:sqlclosecheck // kept for the life of the pool
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	r.bySQL.Store(sql, s)
	return s, nil
}

// stmt returns the prepared statement of sql. A transaction never asks the pool
// for it: when all connections were in transactions that want a second one to
// prepare on, none would ever end.
func (q *Queries) stmt(ctx context.Context, sql string) (statement, error) {
	switch {
	case q.prepared.unprepared && q.tx != nil:
		return plain{q.tx, sql}, nil
	case q.prepared.unprepared:
		return plain{q.prepared.pool, sql}, nil
	}
	if q.tx == nil {
		return q.prepared.stmt(ctx, sql)
	}
	if s, ok := q.prepared.bySQL.Load(sql); ok {
		return q.tx.StmtxContext(ctx, s.(*sqlx.Stmt)), nil
	}
	s, err := q.tx.PreparexContext(ctx, sql) // closed with the transaction
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	q.unmet = append(q.unmet, sql)
	return s, nil
}

// ifGiven is an optional condition on the text $3. It makes two statements: one
// with an "or" for both would be planned for neither.
func ifGiven(value, condition string) string {
	if value == "" {
		return "$3 = ''"
	}
	return condition
}

// asSent gives arguments the form in which they are sent. Times are in UTC: RFC 3339 admits offsets up to 23:59, Postgres none
// beyond 15:59. JSON goes as text: the driver would send bytes in a binary form
// that is not Postgres's of JSON.
func asSent(args []any) []any {
	for i, arg := range args {
		switch at := arg.(type) {
		case time.Time:
			if at.Location() != time.UTC {
				args[i] = at.UTC()
			}
		case types.JSONText:
			args[i] = asText(at)
		case types.NullJSONText:
			args[i] = nil
			if at.Valid {
				args[i] = asText(at.JSONText)
			}
		case *time.Time:
			if at != nil && at.Location() != time.UTC {
				args[i] = at.UTC()
			}
		}
	}
	return args
}

// asText is JSON as text; empty is an empty object, as the type has it.
func asText(raw types.JSONText) string {
	if len(raw) == 0 {
		return "{}"
	}
	return string(raw)
}

// get reads one row into dst; no row is ErrNotFound.
func (q *Queries) get(ctx context.Context, dst any, sql string, args ...any) error {
	return q.read(ctx, scanOne, dst, sql, args)
}

// list reads all rows into the slice behind dst.
func (q *Queries) list(ctx context.Context, dst any, sql string, args ...any) error {
	return q.read(ctx, scanAll, dst, sql, args)
}

func (q *Queries) read(ctx context.Context, scan func(*sqlx.Rows, any) error, dst any, sql string, args []any) (err error) {
	span := spanOf(ctx, sql)
	defer func() { endSpan(span, err) }()
	q, err = q.within(ctx, sql)
	if err != nil {
		return err
	}
	ctx, cancel := limited(ctx, statementMax)
	defer cancel()
	s, err := q.stmt(ctx, sql)
	if err != nil {
		return translateIn(ctx, err)
	}
	rows, err := s.QueryxContext(ctx, asSent(args)...) //nolint:rowserrcheck // scan checks it
	if err == nil {
		err = scan(rows, dst)
	}
	return q.prepared.told(ctx, err)
}

// exec runs a statement and returns how many rows it touched.
func (q *Queries) exec(ctx context.Context, sql string, args ...any) (touched int64, err error) {
	span := spanOf(ctx, sql)
	defer func() { endSpan(span, err) }()
	q, err = q.within(ctx, sql)
	if err != nil {
		return 0, err
	}
	ctx, cancel := limited(ctx, statementMax)
	defer cancel()
	s, err := q.stmt(ctx, sql)
	if err != nil {
		return 0, translateIn(ctx, err)
	}
	res, err := s.ExecContext(ctx, asSent(args)...)
	if err != nil {
		return 0, q.prepared.told(ctx, err)
	}
	n, err := res.RowsAffected()
	return n, translate(err)
}

// execOne is exec for a statement that must touch a row; none is ErrNotFound.
func (q *Queries) execOne(ctx context.Context, sql string, args ...any) error {
	n, err := q.exec(ctx, sql, args...)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}
