package db_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
)

// A network that swallows what is sent, without a word, holds up nobody beyond
// their time, whatever they were doing; and when it is back, so is the pool at once.
func TestASilentDatabaseIsUnavailableAndFoundBack(t *testing.T) {
	t.Parallel()
	_, dsn := dbtest.Own(t)
	proxy := dbtest.NewProxy(t, dsn)
	const connections = 6
	d := dbtest.Open(t, proxy.DSN, connections)
	n := newTenant(t, d)
	locked, release := make(chan struct{}), make(chan struct{})
	outcomes := make(chan error, 3)
	go func() { // in the middle of a transaction
		outcomes <- d.InTx(t.Context(), func(q *db.Queries) error {
			close(locked)
			<-release
			_, err := q.Account(t.Context(), n.account)
			return err
		})
	}()
	<-locked
	proxy.Swallow()
	close(release)
	go func() { outcomes <- d.InTx(t.Context(), func(*db.Queries) error { return nil }) }() // at the beginning of one
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := d.Account(ctx, n.account)
		outcomes <- err
	}()
	for range cap(outcomes) {
		if err := <-outcomes; !errors.Is(err, db.ErrUnavailable) {
			t.Errorf("got %v, want that the database is unavailable", err)
		}
	}
	for range 3 * connections { // nobody waits any more
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if _, err := d.Account(ctx, n.account); !errors.Is(err, db.ErrUnavailable) || ctx.Err() != nil {
			t.Errorf("got %v while the database is silent", err)
		}
		cancel()
	}
	proxy.Heal()
	back := time.Now()
	for {
		_, err := d.Account(t.Context(), n.account)
		if err == nil {
			break
		}
		if !errors.Is(err, db.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	t.Logf("back after %v", time.Since(back))
	for range connections {
		if _, err := d.Account(t.Context(), n.account); err != nil {
			t.Errorf("after the database is back: %v", err)
		}
	}
}

// One connection that died unnoticed costs one statement its time, and nobody else anything.
func TestOneDeadConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	_, dsn := dbtest.Own(t)
	proxy := dbtest.NewProxy(t, dsn)
	d := dbtest.Open(t, proxy.DSN, 1)
	n := newTenant(t, d)
	proxy.Swallow()
	proxy.Heal()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := d.Account(ctx, n.account); !errors.Is(err, db.ErrUnavailable) {
		t.Errorf("on the dead connection: %v", err)
	}
	if _, err := d.Account(t.Context(), n.account); err != nil {
		t.Errorf("on its successor: %v", err)
	}
}

// A listener notices that its connection went silent and tells that something may have been missed.
func TestAListenerNoticesSilence(t *testing.T) {
	t.Parallel()
	_, dsn := dbtest.Own(t)
	proxy := dbtest.NewProxy(t, dsn)
	lost, ctx := make(chan bool, 16), t.Context()
	go db.Listen(ctx, proxy.DSN, "c", func(string) {}, func(connected bool) { lost <- connected })
	if !<-lost {
		t.Fatal("not connected")
	}
	proxy.Swallow()
	proxy.Heal()
	for connected := false; !connected; {
		connected = <-lost
	}
}

// A statement whose time is over while it waits is cancelled, and its connection of use again.
func TestAStatementThatWaitsForALockEndsInTime(t *testing.T) {
	t.Parallel()
	_, dsn := dbtest.Own(t)
	proxy := dbtest.NewProxy(t, dsn)
	d, raw := dbtest.Open(t, proxy.DSN, 1), rawConn(t, dsn)
	n := newTenant(t, d)
	tx, err := raw.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec(`select 1 from accounts where account_id = $1 for update`, n.account); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := d.Grant(ctx, n.account, unique("entry_"), 1, now()); !errors.Is(err, db.ErrUnavailable) {
		t.Errorf("waiting for a lock beyond its time: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := d.Grant(t.Context(), n.account, unique("entry_"), 1, now()); err != nil {
		t.Error(err)
	}
}
