package db

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/pressly/goose/v3"
)

var (
	// ErrNotEmpty says that a database that shall be restored into holds accounts.
	ErrNotEmpty = errors.New("the database is in use: restore into one of its own that is empty")
	// ErrNewerSchema says that a schema has migrations that this program does not know.
	ErrNewerSchema = errors.New("the schema was made by a newer version of Parley: use that version")
)

// Loader takes the rows of a restored database, table after table.
type Loader struct {
	tx     *sqlx.Tx
	tables map[string]StoredTable
	copied *copying
}

type copying struct {
	table  StoredTable
	stmt   *sqlx.Stmt
	values []any
}

// Restore fills an empty database: it makes the schema as it was, has load fill
// it, and makes the foreign keys, which check what was loaded, all of it or
// nothing. Then it applies the migrations that the backup did not have.
func (d *DB) Restore(ctx context.Context, from Schema, load func(*Loader) error) error {
	if err := d.prepareSchema(ctx, from.Migrations); err != nil {
		return err
	}
	// No end of ctx rolls it back by itself: a copy under way, which reads the connection, has to end before.
	tx, err := d.pool.BeginTxx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return fmt.Errorf("begin: %w", translateIn(ctx, err))
	}
	l := &Loader{tx: tx, tables: map[string]StoredTable{}}
	defer l.abandon() // does nothing after the commit
	foreign, err := clear(ctx, tx, from)
	if err != nil {
		return err
	}
	for _, t := range from.Tables {
		l.tables[t.Name] = t
	}
	if err := load(l); err != nil {
		return err
	}
	if err := l.flush(ctx); err != nil {
		return err
	}
	for _, sql := range foreign {
		if _, err := tx.ExecContext(ctx, sql); err != nil {
			return fmt.Errorf("what the backup holds does not fit together: %w", translateIn(ctx, err))
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", translateIn(ctx, err))
	}
	_, err = d.Migrate(ctx)
	return err
}

// prepareSchema applies exactly the migrations named, to a database without accounts.
func (d *DB) prepareSchema(ctx context.Context, versions []int64) error {
	p, err := d.migrator()
	if err != nil {
		return err
	}
	for _, v := range versions {
		if !slices.ContainsFunc(p.ListSources(), func(s *goose.Source) bool { return s.Version == v }) {
			return fmt.Errorf("%w (it has migration %d)", ErrNewerSchema, v)
		}
	}
	status, err := p.Status(ctx)
	if err != nil {
		return fmt.Errorf("migration status: %w", translate(err))
	}
	applied := map[int64]bool{}
	for _, s := range status {
		if s.State == goose.StateApplied {
			applied[s.Source.Version] = true
			if !slices.Contains(versions, s.Source.Version) {
				return fmt.Errorf("%w (its schema is newer than the backup's)", ErrNotEmpty)
			}
		}
	}
	for _, v := range versions {
		if applied[v] {
			continue
		}
		if _, err := p.ApplyVersion(ctx, v, true); err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
	}
	return nil
}

// clear empties a schema that nobody used, makes its partitions those of the
// backup, and takes its foreign keys away; it returns what makes them again.
func clear(ctx context.Context, tx *sqlx.Tx, from Schema) (foreign []string, err error) {
	var used bool
	if err := tx.GetContext(ctx, &used, `select exists (select 1 from accounts)`); err != nil {
		return nil, fmt.Errorf("read accounts: %w", translateIn(ctx, err))
	}
	if used {
		return nil, ErrNotEmpty
	}
	own, err := schemaIn(ctx, tx)
	if err != nil {
		return nil, err
	}
	if !slices.EqualFunc(own.Tables, from.Tables, func(a, b StoredTable) bool { return a.Name == b.Name && slices.Equal(a.Columns, b.Columns) }) {
		return nil, errors.New("the backup's tables are not those that its migrations make")
	}
	if _, err := tx.ExecContext(ctx, `drop table if exists `+vectorsTable); err != nil { // derived: the next start makes it
		return nil, fmt.Errorf("drop the table of vectors: %w", translateIn(ctx, err))
	}
	if foreign, err = dropForeignKeys(ctx, tx); err != nil {
		return nil, err
	}
	names := make([]string, len(own.Tables))
	for i, t := range own.Tables {
		names[i] = pq.QuoteIdentifier(t.Name)
	}
	if _, err := tx.ExecContext(ctx, `truncate `+strings.Join(names, ", ")); err != nil {
		return nil, fmt.Errorf("empty the tables: %w", translateIn(ctx, err))
	}
	return foreign, makePartitions(ctx, tx, own, from)
}

// bounds are those of the partitions that servers make: by time.
var bounds = regexp.MustCompile(`^(DEFAULT|FOR VALUES FROM \('[0-9 :.+-]+'\) TO \('[0-9 :.+-]+'\))$`)

func makePartitions(ctx context.Context, tx *sqlx.Tx, own, from Schema) error {
	for _, p := range from.Partitions {
		if slices.ContainsFunc(own.Partitions, func(o StoredPartition) bool { return o.Name == p.Name }) {
			continue
		}
		if !bounds.MatchString(p.Bound) {
			return fmt.Errorf("the backup's partition %q has other bounds than times", p.Name)
		}
		if _, err := tx.ExecContext(ctx, `create table `+pq.QuoteIdentifier(p.Name)+` partition of `+pq.QuoteIdentifier(p.Parent)+` `+p.Bound); err != nil {
			return fmt.Errorf("make partition %s: %w", p.Name, translateIn(ctx, err))
		}
	}
	return nil
}

func dropForeignKeys(ctx context.Context, tx *sqlx.Tx) (again []string, err error) {
	var keys []struct {
		Table      string `db:"table_name"`
		Name       string `db:"name"`
		Definition string `db:"definition"`
	}
	if err := tx.SelectContext(ctx, &keys, `
		select conrelid::regclass::text as table_name, conname as name, pg_get_constraintdef(oid) as definition
		from pg_constraint
		where contype = 'f' and conparentid = 0 and connamespace = current_schema()::regnamespace
		order by 1, 2`); err != nil {
		return nil, fmt.Errorf("read foreign keys: %w", translateIn(ctx, err))
	}
	for _, k := range keys {
		name := pq.QuoteIdentifier(k.Name)
		if _, err := tx.ExecContext(ctx, `alter table `+k.Table+` drop constraint `+name); err != nil {
			return nil, fmt.Errorf("take foreign key %s away: %w", k.Name, translateIn(ctx, err))
		}
		again = append(again, `alter table `+k.Table+` add constraint `+name+` `+k.Definition)
	}
	return again, nil
}

// Row stores a row of a table, with values as Snapshot.Rows gives them. Rows of one table come together.
func (l *Loader) Row(ctx context.Context, table string, values []*string) error {
	if l.copied == nil || l.copied.table.Name != table {
		if err := l.begin(ctx, table); err != nil {
			return err
		}
	}
	if len(values) != len(l.copied.values) {
		return fmt.Errorf("a row of %s has %d values instead of %d", table, len(values), len(l.copied.values))
	}
	for i, v := range values {
		l.copied.values[i] = nil
		if v != nil {
			l.copied.values[i] = *v
		}
	}
	_, err := l.copied.stmt.ExecContext(ctx, l.copied.values...)
	return l.failed(err)
}

// Queries reads what was loaded, within the transaction that it is loaded by.
func (l *Loader) Queries(ctx context.Context, d *DB) (*Queries, error) {
	if err := l.flush(ctx); err != nil {
		return nil, err
	}
	return &Queries{prepared: d.prepared, tx: l.tx, jobs: d.jobs.within()}, nil
}

func (l *Loader) begin(ctx context.Context, table string) error {
	if err := l.flush(ctx); err != nil {
		return err
	}
	t, known := l.tables[table]
	if !known {
		return fmt.Errorf("the backup has rows of a table %q that it does not describe", table)
	}
	stmt, err := l.tx.PreparexContext(ctx, copyInto(t))
	if err != nil {
		return fmt.Errorf("load %s: %w", t.Name, translateIn(ctx, err))
	}
	l.copied = &copying{table: t, stmt: stmt, values: make([]any, len(t.Columns))}
	return nil
}

func copyInto(t StoredTable) string {
	columns := make([]string, len(t.Columns))
	for i, name := range t.Columns {
		columns[i] = pq.QuoteIdentifier(name)
	}
	return `copy ` + pq.QuoteIdentifier(t.Name) + ` (` + strings.Join(columns, ", ") + `) from stdin`
}

// flush ends the table that is being loaded.
func (l *Loader) flush(ctx context.Context) error {
	if l.copied == nil {
		return nil
	}
	_, err := l.copied.stmt.ExecContext(ctx)
	err = l.failed(errors.Join(err, l.copied.stmt.Close()))
	l.copied = nil
	return err
}

// abandon ends the table that is being loaded and forgets all of them.
func (l *Loader) abandon() {
	if l.copied != nil {
		_ = l.copied.stmt.Close() // it is not to succeed
		l.copied = nil
	}
	_ = l.tx.Rollback() // a connection that is lost has forgotten them, too
}

func (l *Loader) failed(err error) error {
	if err != nil {
		return fmt.Errorf("load %s: %w", l.copied.table.Name, translate(err))
	}
	return nil
}
