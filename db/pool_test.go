package db_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
)

func TestInTxUndoesEverythingOnErrorAndPanic(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	refusal := errors.New("refused")
	insert := func(q *db.Queries, id string) error {
		return q.InsertAccount(t.Context(), db.Account{ID: id, Name: "a", Plan: "free", CreatedAt: now()})
	}
	for name, outcome := range map[string]func() error{
		"error": func() error { return refusal },
		"panic": func() error { panic(refusal) },
	} {
		id := unique("acct_")
		func() {
			defer func() { _ = recover() }()
			err := d.InTx(t.Context(), func(q *db.Queries) error { return errors.Join(insert(q, id), outcome()) })
			if !errors.Is(err, refusal) {
				t.Errorf("%s: %v", name, err)
			}
		}()
		if _, err := d.Account(t.Context(), id); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("after the %s the account is there: %v", name, err)
		}
	}
	id := unique("acct_")
	if err := d.InTx(t.Context(), func(q *db.Queries) error { return insert(q, id) }); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Account(t.Context(), id); err != nil {
		t.Errorf("after the commit: %v", err)
	}
}

// A cold server whose every connection is in a transaction must still be able
// to prepare its statements.
func TestColdTransactionsOnAFullPoolDoNotBlockEachOther(t *testing.T) {
	t.Parallel()
	warm, dsn := dbtest.Own(t)
	n := newTenant(t, warm)
	const connections = 3
	cold := dbtest.Open(t, dsn, connections)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var inside, workers sync.WaitGroup
	inside.Add(connections)
	for range connections {
		workers.Go(func() {
			err := cold.InTx(ctx, func(q *db.Queries) error {
				inside.Done()
				inside.Wait() // every connection is taken
				_, err := q.Account(ctx, n.account)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	workers.Wait()
}

func TestADatabaseThatIsAwayIsUnavailable(t *testing.T) {
	t.Parallel()
	_, dsn := dbtest.Own(t)
	proxy := dbtest.NewProxy(t, dsn)
	d := dbtest.Open(t, proxy.DSN, 2)
	n := newTenant(t, d)
	proxy.Cut()
	for name, do := range map[string]func() error{
		"read":        func() error { _, err := d.Account(t.Context(), n.account); return err },
		"write":       func() error { return d.Grant(t.Context(), n.account, unique("entry_"), 1, now()) },
		"list":        func() error { _, err := d.Accounts(t.Context()); return err },
		"transaction": func() error { return d.InTx(t.Context(), func(*db.Queries) error { return nil }) },
		"ping":        func() error { return d.Ping(t.Context()) },
		"open":        func() error { _, err := db.Open(t.Context(), proxy.DSN, 2); return err },
	} {
		if err := do(); !errors.Is(err, db.ErrUnavailable) || errors.Is(err, db.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	proxy.Restore()
	if _, err := d.Account(t.Context(), n.account); err != nil {
		t.Errorf("after the outage: %v", err)
	}
}

func TestATransactionCutInTheMiddleIsUnavailable(t *testing.T) {
	t.Parallel()
	_, dsn := dbtest.Own(t)
	proxy := dbtest.NewProxy(t, dsn)
	d := dbtest.Open(t, proxy.DSN, 2)
	n := newTenant(t, d)
	entry := unique("entry_")
	err := d.InTx(t.Context(), func(q *db.Queries) error {
		if err := q.Grant(t.Context(), n.account, entry, 1, now()); err != nil {
			return err
		}
		proxy.Cut()
		_, err := q.Account(t.Context(), n.account)
		return err
	})
	if !errors.Is(err, db.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	proxy.Restore()
	if a, err := d.Account(t.Context(), n.account); err != nil || a.GrantedMicros != 1_000_000 {
		t.Errorf("account %+v, %v", a, err)
	}
}

func TestWhoCancelsAStatementGetsCanceledAndADeadlineIsUnavailable(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	n, raw := newTenant(t, d), rawConn(t, dsn)
	err := d.InTx(t.Context(), func(q *db.Queries) error {
		if err := q.Grant(t.Context(), n.account, unique("entry_"), 1, now()); err != nil {
			return err
		}
		for want, limited := range map[error]func() (context.Context, context.CancelFunc){
			context.Canceled: func() (context.Context, context.CancelFunc) { return context.WithCancel(t.Context()) },
			db.ErrUnavailable: func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(t.Context(), 2*time.Second) // time enough to be seen waiting
			},
		} {
			ctx, cancel := limited()
			stuck := make(chan error, 1)
			go func() { stuck <- d.Grant(ctx, n.account, unique("entry_"), 1, now()) }() // waits for the row
			waitForLock(t, raw)
			if errors.Is(want, context.Canceled) {
				cancel()
			}
			if err := <-stuck; !errors.Is(err, want) || errors.Is(err, context.Canceled) != errors.Is(want, context.Canceled) {
				t.Errorf("got %v, want %v", err, want)
			}
			cancel()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
