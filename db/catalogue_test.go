package db_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"parley/db/dbtest"
)

// local are the tables that a cluster keeps whole, on one node or as a copy on each, with the reason.
var local = map[string]string{
	"goose_db_version": "which migrations have run",
	"plans":            "a few rows of the operator's, which accounts and keys name: copied to every node",
	"certificates":     "a few rows of the server's",
	"seal_keys":        "a few rows of the server's",
	"server_secrets":   "a few rows of the server's",
	"sign_in_guesses":  "attempts to sign in, before anybody knows of which account",
	"crawl_hosts":      "the distance that all servers together keep from a site, whoever reads it",
}

// wider are the keys of tables that say whose a secret or an address is, so that
// the account is what they are asked for. They are distributed by that value;
// nothing refers to them, and they refer to nothing.
var wider = map[string]string{
	"key_hashes_pkey":    "key_hash",
	"oauth_secrets_pkey": "secret_hash",
	"oauth_tokens_pkey":  "token_hash",
	"user_emails_pkey":   "email",
	"user_sessions_pkey": "session_hash",
	"user_links_pkey":    "link_hash",
}

// Every key of a table begins with the account, so that the schema can be
// distributed by it: primary, unique and foreign keys, none of which sets
// anything to null; and nothing happens behind a statement's back.
func TestTheSchemaCanBeDistributedByAccount(t *testing.T) {
	t.Parallel()
	raw := rawConn(t, dbtest.DSN(t))
	_ = dbtest.New(t)
	var tables []struct {
		Name    string `db:"name"`
		Account bool   `db:"account"`
	}
	if err := raw.Select(&tables, `
		select c.relname as name, exists (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'account_id' and not a.attisdropped) as account
		from pg_class c
		where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and not c.relispartition`); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if reason := local[table.Name]; (reason == "") != table.Account {
			t.Errorf("%s: has accounts: %v, stays whole because: %q", table.Name, table.Account, reason)
		}
	}
	var keys []struct {
		Table  string `db:"tab"`
		Name   string `db:"name"`
		Column string `db:"col"`
	}
	if err := raw.Select(&keys, `
		select c.relname as tab, i.relname as name, pg_get_indexdef(x.indexrelid, 1, true) as col
		from pg_index x
		join pg_class c on c.oid = x.indrelid
		join pg_class i on i.oid = x.indexrelid
		where x.indisunique and c.relnamespace = 'public'::regnamespace and not c.relispartition and exists (
			select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'account_id' and not a.attisdropped)`); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if want := cmp.Or(wider[key.Name], "account_id"); key.Column != want {
			t.Errorf("the key %s of %s begins with %s", key.Name, key.Table, key.Column)
		}
	}
	var references []struct {
		Table, Name, Definition, Other string
		Action                         string
	}
	if err := raw.Select(&references, `
		select k.conrelid::regclass::text as table, k.conname as name, pg_get_constraintdef(k.oid) as definition, k.confrelid::regclass::text as other, k.confdeltype::text as action
		from pg_constraint k
		join pg_class c on c.oid = k.conrelid
		where k.contype = 'f' and c.relnamespace = 'public'::regnamespace and not c.relispartition`); err != nil {
		t.Fatal(err)
	}
	for _, r := range references {
		_, asked := wider[r.Table+"_pkey"]
		if !strings.HasPrefix(r.Definition, "FOREIGN KEY (account_id") && local[r.Other] == "" || asked || slices.Contains([]string{"n", "d"}, r.Action) {
			t.Errorf("%s of %s: %s", r.Name, r.Table, r.Definition)
		}
	}
	var triggers []string
	if err := raw.Select(&triggers, `select tgname from pg_trigger where not tgisinternal`); err != nil || len(triggers) > 0 {
		t.Errorf("triggers %v, %v", triggers, err)
	}
}
