package db

import (
	"context"
	"time"
)

// Diagnosis is what a Postgres says of itself, as far as this server depends on it.
type Diagnosis struct {
	Version     string `db:"version"`
	VersionNum  int    `db:"version_num"` // 150020 for 15.20
	Encoding    string `db:"encoding"`
	Connections int    `db:"connections"` // that others than superusers may have, all together
	Used        int    `db:"used"`        // of them, by anybody
	Autovacuum  bool   `db:"autovacuum"`
	Fsync       bool   `db:"fsync"`
	FullPages   bool   `db:"full_pages"`
	Committed   string `db:"committed"` // synchronous_commit
	ReadOnly    bool   `db:"read_only"` // a standby, or told to be
	// RandomPages is what the planner takes a page out of order to cost, in pages one after the other.
	RandomPages float64 `db:"random_pages"`
	MayCreate   bool    `db:"may_create"`
	Bytes       int64   `db:"bytes"` // of this database
	// WrapsIn is how many transactions are left before Postgres refuses to write, unless it is vacuumed.
	WrapsIn int64     `db:"wraps_in"`
	Clock   time.Time `db:"clock"`

	Latency time.Duration // of the quickest of a few statements
}

// Diagnose asks Postgres about itself. It names no account's rows.
func (d *DB) Diagnose(ctx context.Context) (Diagnosis, error) {
	var found Diagnosis
	for range 5 {
		began := time.Now()
		if err := d.Ping(ctx); err != nil {
			return found, err
		}
		if took := time.Since(began); found.Latency == 0 || took < found.Latency {
			found.Latency = took
		}
	}
	latency := found.Latency
	err := d.get(ctx, &found, `
		select current_setting('server_version') as version, current_setting('server_version_num')::int as version_num,
			current_setting('server_encoding') as encoding,
			current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as connections,
			(select count(*) from pg_stat_activity where backend_type = 'client backend') as used,
			current_setting('autovacuum')::bool as autovacuum, current_setting('fsync')::bool as fsync,
			current_setting('full_page_writes')::bool as full_pages, current_setting('synchronous_commit') as committed,
			current_setting('transaction_read_only')::bool as read_only, current_setting('random_page_cost')::float8 as random_pages,
			coalesce(has_schema_privilege(current_schema(), 'create'), false) as may_create,
			pg_database_size(current_database()) as bytes,
			(select 2147483647 - age(datfrozenxid)::bigint from pg_database where datname = current_database()) as wraps_in,
			clock_timestamp() as clock`)
	found.Latency = latency
	return found, err
}
