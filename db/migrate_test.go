package db_test

import (
	"fmt"
	"sync"
	"sync/atomic"
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

// Of servers that start at once on an empty database one makes the schema, and the others find it made.
func TestServersThatStartAtOnceMigrateOnce(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Empty(t)
	var all sync.WaitGroup
	var applied atomic.Int64
	begin := make(chan struct{})
	for range 6 {
		d := dbtest.Open(t, dsn, 2)
		all.Go(func() {
			<-begin
			n, err := d.Migrate(t.Context())
			if err != nil {
				t.Errorf("migrate: %v", err)
			}
			applied.Add(int64(n))
		})
	}
	close(begin)
	all.Wait()
	var known int64
	if err := rawConn(t, dsn).Get(&known, `select count(*) from goose_db_version where version_id > 0`); err != nil || known == 0 || applied.Load() != known {
		t.Errorf("%d migrations were applied, %d are noted: %v", applied.Load(), known, err)
	}
}

// Accounts keep the highest amount at which one of their webhooks was to be told of a low balance.
func TestThresholdsOfWebhooksBecomeTheirAccounts(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	raw := rawConn(t, dsn)
	with, without := dbtest.Account(t, d, "free", 0), dbtest.Account(t, d, "free", 0)
	for _, statement := range []string{
		`alter table accounts drop column balance_low_micros, drop column balance_told`,
		`alter table webhooks add column balance_below_micros bigint, add column balance_told boolean not null default false`,
		`delete from goose_db_version where version_id = 202611210902`,
	} {
		if _, err := raw.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	for i, w := range []struct {
		below any
		event string
		told  bool
	}{{1, "balance.low", true}, {5, "balance.low", true}, {9, "key.created", false}, {nil, "balance.low", false}} {
		_, err := raw.Exec(`insert into webhooks (account_id, webhook_id, url, description, events, include_text, balance_below_micros, balance_told,
			sealed_secret, status, created_at) values ($1, $2, 'https://a.example', '', array[$3], false, $4, $5, '', 'enabled', now())`,
			with, fmt.Sprintf("hook_%d", i), w.event, w.below, w.told)
		if err != nil {
			t.Fatal(err)
		}
	}
	if n, err := d.Migrate(t.Context()); err != nil || n != 1 {
		t.Fatalf("applied %d: %v", n, err)
	}
	for account, want := range map[string]string{with: "(5,t)", without: "(0,f)"} {
		var got string
		if err := raw.Get(&got, `select (balance_low_micros, balance_told)::text from accounts where account_id = $1`, account); err != nil || got != want {
			t.Errorf("an account is warned at %s, want %s: %v", got, want, err)
		}
	}
}
