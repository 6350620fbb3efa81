package db

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// gooseTable is the migrations' own and is not copied: a restored schema has been migrated.
const gooseTable = "goose_db_version"

// The table of vectors is derived and not copied either: the first start on a restored database makes it.

// StoredTable is a table as backups hold it: its columns in the order of their values.
type StoredTable struct {
	Name    string         `db:"name" json:"name"`
	Columns pq.StringArray `db:"columns" json:"columns"`
}

// StoredPartition is a partition that the server, not a migration, may have made.
type StoredPartition struct {
	Name   string `db:"name" json:"name"`
	Parent string `db:"parent" json:"parent"`
	Bound  string `db:"bound" json:"bound"` // as Postgres writes it: FOR VALUES FROM (…) TO (…), or DEFAULT
}

// Schema is what tables a database has, and the migrations that made them.
type Schema struct {
	Migrations []int64           `json:"migrations"`
	Tables     []StoredTable     `json:"tables"`
	Partitions []StoredPartition `json:"partitions"`
}

// Snapshot reads a whole database, all accounts, as of one moment. Close it.
type Snapshot struct{ tx *sqlx.Tx }

// Snapshot begins to read the database as of now. It keeps one connection, and
// vacuum from removing what is deleted meanwhile, until it is closed.
func (d *DB) Snapshot(ctx context.Context) (*Snapshot, error) {
	tx, err := d.pool.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("begin: %w", translateIn(ctx, err))
	}
	return &Snapshot{tx}, nil
}

// Close ends the snapshot.
func (s *Snapshot) Close() error { return s.tx.Rollback() }

// Schema returns the tables in order of their names.
func (s *Snapshot) Schema(ctx context.Context) (Schema, error) { return schemaIn(ctx, s.tx) }

func schemaIn(ctx context.Context, tx *sqlx.Tx) (Schema, error) {
	var found Schema
	if err := tx.SelectContext(ctx, &found.Migrations, `
		select version_id from goose_db_version where version_id > 0 and is_applied order by version_id`); err != nil {
		return found, fmt.Errorf("read the migrations: %w", translateIn(ctx, err))
	}
	if err := tx.SelectContext(ctx, &found.Tables, `
		select c.relname as name, array_agg(a.attname::text order by a.attname) as columns
		from pg_class c
		join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
		where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and c.relname not in ($1, $2)
		group by c.relname
		order by c.relname`, gooseTable, vectorsTable); err != nil {
		return found, fmt.Errorf("read the tables: %w", translateIn(ctx, err))
	}
	if err := tx.SelectContext(ctx, &found.Partitions, `
		select c.relname as name, p.relname as parent, pg_get_expr(c.relpartbound, c.oid) as bound
		from pg_class c
		join pg_inherits i on i.inhrelid = c.oid
		join pg_class p on p.oid = i.inhparent
		where c.relnamespace = current_schema()::regnamespace and c.relispartition and c.relkind = 'r'
		order by c.relname`); err != nil {
		return found, fmt.Errorf("read the partitions: %w", translateIn(ctx, err))
	}
	return found, nil
}

// Rows hands the rows of a table to row, in no order: the values in Postgres's
// text form, nil for null, in the order of the table's columns. They are not to
// be kept. Row must not use the database.
func (s *Snapshot) Rows(ctx context.Context, t StoredTable, row func(values []*string) error) error {
	columns := make([]string, len(t.Columns))
	for i, name := range t.Columns {
		columns[i] = pq.QuoteIdentifier(name) + "::text"
	}
	rows, err := s.tx.QueryxContext(ctx, `select `+strings.Join(columns, ", ")+` from `+pq.QuoteIdentifier(t.Name))
	if err != nil {
		return fmt.Errorf("read %s: %w", t.Name, translateIn(ctx, err))
	}
	defer func() { _ = rows.Close() }() // what it may say, Err says
	values, into := make([]*string, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("read %s: %w", t.Name, translateIn(ctx, err))
		}
		if err := row(values); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read %s: %w", t.Name, translateIn(ctx, err))
	}
	return nil
}
