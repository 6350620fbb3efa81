package dbtest

import (
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
)

// Clock sets the clock of one database, as whoever connects to it from now on sees it.
type Clock struct {
	t   testing.TB
	raw *sqlx.DB
}

// NewClock puts functions that tell another time before those of Postgres, in a
// migrated database that nothing else uses. Connections made before keep Postgres's.
func NewClock(t testing.TB, dsn string) *Clock {
	t.Helper()
	raw, err := sqlx.Connect("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	for _, statement := range []string{
		`create schema clock`,
		`create table clock.ahead (by interval not null)`,
		`insert into clock.ahead values ('0')`,
		`create function clock.clock_timestamp() returns timestamptz volatile language sql as 'select pg_catalog.clock_timestamp() + by from clock.ahead'`,
		`create function clock.statement_timestamp() returns timestamptz stable language sql as 'select pg_catalog.statement_timestamp() + by from clock.ahead'`,
		`do $$ begin execute format('alter database %I set search_path = clock, pg_catalog, public', current_database()); end $$`,
	} {
		if _, err := raw.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return &Clock{t, raw}
}

// Step sets the clock forward or, by less than nothing, back.
func (c *Clock) Step(by time.Duration) {
	c.t.Helper()
	if _, err := c.raw.Exec(`update clock.ahead set by = by + $1::bigint * interval '1 microsecond'`, by.Microseconds()); err != nil {
		c.t.Fatal(err)
	}
}
