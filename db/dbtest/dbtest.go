// Package dbtest gives tests a real, migrated Postgres. It is for tests only.
//
// A test binary has one database of its own; tests share it and stay apart by
// their accounts, as tenants do.
package dbtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"parley/db"
)

// ServerEnv names the Postgres server that tests make their databases on.
const ServerEnv = "PARLEY_TEST_DATABASE_URL"

const connections = 16

type shared struct {
	db  *db.DB
	dsn string
}

var once = sync.OnceValues(func() (shared, error) {
	dsn, err := create(os.Getenv(ServerEnv))
	if err != nil {
		return shared{}, err
	}
	d, err := db.Open(context.Background(), dsn, connections)
	if err != nil {
		return shared{}, err
	}
	_, err = d.Migrate(context.Background())
	return shared{d, dsn}, err
})

// New returns the test binary's database.
func New(t testing.TB) *db.DB {
	t.Helper()
	return open(t).db
}

// DSN returns the connection string of the test binary's database.
func DSN(t testing.TB) string {
	t.Helper()
	return open(t).dsn
}

// Empty returns the connection string of a fresh database without a schema,
// for tests of migrations and first starts.
func Empty(t testing.TB) string {
	t.Helper()
	requireServer(t)
	dsn, err := create(os.Getenv(ServerEnv))
	if err != nil {
		t.Fatal(err)
	}
	return dsn
}

// Own returns a migrated database that no other test uses, with its connection
// string: for what crosses accounts, such as taking over turns.
func Own(t testing.TB) (*db.DB, string) {
	t.Helper()
	dsn := Empty(t)
	d := Open(t, dsn, connections)
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d, dsn
}

// Open returns a pool of its own on dsn, closed with the test.
func Open(t testing.TB, dsn string, maxConns int) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), dsn, maxConns)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func open(t testing.TB) shared {
	t.Helper()
	requireServer(t)
	s, err := once()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func requireServer(t testing.TB) {
	t.Helper()
	if os.Getenv(ServerEnv) == "" {
		t.Fatalf("no Postgres to test on: run `make test`, or `go run ./tools/withdb go test ./...`, or set %s", ServerEnv)
	}
}

// create makes a database with a random name and returns its connection
// string. The server is thrown away or cleaned by whoever started it.
func create(server string) (string, error) {
	admin, err := sqlx.Connect("postgres", server)
	if err != nil {
		return "", fmt.Errorf("connect to the test server: %w", err)
	}
	defer func() { _ = admin.Close() }()
	name := "test_" + strings.ToLower(rand.Text()[:16])
	if _, err := admin.Exec("create database " + name); err != nil {
		return "", fmt.Errorf("create test database: %w", err)
	}
	return withDatabase(server, name), nil
}

func withDatabase(dsn, name string) string {
	if u, err := url.Parse(dsn); err == nil && u.Scheme != "" {
		u.Path = "/" + name
		return u.String()
	}
	return dsn + " dbname=" + name
}

// Account stores an account on a plan with credit in micro-units and returns its id.
func Account(t testing.TB, d *db.DB, plan string, creditMicros int64) string {
	t.Helper()
	ctx, now := t.Context(), time.Now().UTC()
	accountID := "acct_" + strings.ToLower(rand.Text())
	if err := d.InsertAccount(ctx, db.Account{ID: accountID, Name: t.Name(), Plan: plan, CreatedAt: now}); err != nil {
		t.Fatal(err)
	}
	if creditMicros > 0 {
		if err := d.Grant(ctx, accountID, "entry_"+strings.ToLower(rand.Text()), creditMicros, now); err != nil {
			t.Fatal(err)
		}
	}
	return accountID
}
