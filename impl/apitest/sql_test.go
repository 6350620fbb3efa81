package apitest_test

import (
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"

	"parley/impl/testkit"
)

var pools struct {
	sync.Mutex
	of map[*testkit.Server]*sqlx.DB
}

// sql are connections of the tests' own, for looking where the API does not:
// one pool a server, which ends with the test unless the server is shared.
func sql(t *testing.T, s *testkit.Server) *sqlx.DB {
	t.Helper()
	pools.Lock()
	defer pools.Unlock()
	if pool := pools.of[s]; pool != nil {
		return pool
	}
	pool, err := sqlx.Connect("postgres", s.DSN)
	if err != nil {
		t.Fatal(err)
	}
	if pools.of == nil {
		pools.of = map[*testkit.Server]*sqlx.DB{}
	}
	pools.of[s] = pool
	if s.Database != nil {
		t.Cleanup(func() {
			pools.Lock()
			defer pools.Unlock()
			delete(pools.of, s)
			_ = pool.Close()
		})
	}
	return pool
}

// tablesWith names the tables in which some row holds text anywhere, in any
// column. Quotes and backslashes in text would not be found.
func tablesWith(t *testing.T, s *testkit.Server, text string) []string {
	t.Helper()
	var tables, found []string
	if err := sql(t, s).Select(&tables, `
		select table_name from information_schema.tables where table_schema = 'public' order by table_name`); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		var n int
		if err := sql(t, s).Get(&n, `select count(*) from "`+table+`" r where position($1 in to_jsonb(r)::text) > 0`, text); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			found = append(found, table)
		}
	}
	return found
}

// setModels changes columns of the account's models as no operation can.
func (x tenant) setModels(t *testing.T, columns string) {
	t.Helper()
	_, err := sql(t, x.server).ExecContext(t.Context(), `
		with version as (
			insert into catalog_versions (account_id, version)
			values ($1, 1)
			on conflict (account_id) do update
			set version = catalog_versions.version + 1
		)
		update models
		set `+columns+`
		where account_id = $1`, x.ID)
	if err != nil {
		t.Fatal(err)
	}
}
