package db_test

import (
	"errors"
	"testing"

	"parley/db"
	"parley/db/dbtest"
)

// A program does not work on a schema that a newer one has made.
func TestANewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := rawConn(t, dsn).ExecContext(t.Context(), `insert into goose_db_version (version_id, is_applied) values (209901010001, true)`); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Migrate(t.Context()); !errors.Is(err, db.ErrNewerSchema) {
		t.Errorf("migrated with %v", err)
	}
	if _, err := d.Pending(t.Context()); !errors.Is(err, db.ErrNewerSchema) {
		t.Errorf("pending with %v", err)
	}
}
