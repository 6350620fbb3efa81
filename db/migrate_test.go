package db_test

import (
	"testing"

	"parley/db"
	"parley/db/dbtest"
)

func TestMigrateTwiceAppliesNothingTheSecondTime(t *testing.T) {
	d, err := db.Open(t.Context(), dbtest.Empty(t), 4)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	first, err := d.Migrate(t.Context())
	if err != nil || first == 0 {
		t.Fatalf("first migration applied %d: %v", first, err)
	}
	second, err := d.Migrate(t.Context())
	if err != nil || second != 0 {
		t.Fatalf("second migration applied %d: %v", second, err)
	}
}
