package user_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/credential"
	"parley/impl/core/fault"
	"parley/impl/core/key"
	"parley/impl/core/user"
)

// servers are several of one installation, which share nothing but its database and the test's clock.
func servers(t *testing.T, n int) (all []*user.Service, pass func(time.Duration)) {
	t.Helper()
	var ahead atomic.Int64
	start := time.Now().UTC().Truncate(time.Microsecond)
	for range n {
		s := user.New(dbtest.Open(t, dbtest.DSN(t), 2), credential.NewMinter([]byte("a secret of the tests")), func() time.Time {
			return start.Add(time.Duration(ahead.Load()))
		})
		s.NetworkGuesses = user.NetworkGuesses
		all = append(all, s)
	}
	return all, func(d time.Duration) { ahead.Add(int64(d)) }
}

// still is a clock that stands, so that a slow machine is allowed no more.
func still() func() time.Time {
	at := time.Now().UTC().Truncate(time.Microsecond)
	return func() time.Time { return at }
}

func sqlOf(t *testing.T, dsn string) *sqlx.DB {
	t.Helper()
	pool, err := sqlx.Connect("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	return pool
}

// guess tries a password and returns whether it was heard, and otherwise how long to wait.
func guess(t *testing.T, s *user.Service, email, network string) (heard bool, wait time.Duration) {
	t.Helper()
	_, err := s.SignIn(t.Context(), user.SignInInput{Email: email, Password: "a guess that is wrong", Network: network})
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || (f.Kind != fault.RateLimited && f.Kind != fault.Unauthenticated) {
		t.Errorf("a guess: %v", err)
		return false, 0
	}
	return f.Kind == fault.Unauthenticated, f.RetryAfter
}

// However many servers are asked at once, an address admits 20 attempts, and
// one more when the wait that was told is over.
func TestGuessesAreCountedOverAllServers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	three, pass := servers(t, 3)
	for name, email := range map[string]string{"somebody": b.invite(t, key.Member).Email, "nobody": b.account + "@nowhere.example"} {
		var mu sync.Mutex
		var all sync.WaitGroup
		heard, wait := 0, time.Duration(0)
		for i := range 30 {
			all.Go(func() {
				ok, told := guess(t, three[i%3], email, fmt.Sprintf("%s/%d", email, i))
				mu.Lock()
				defer mu.Unlock()
				if wait = max(wait, told); ok {
					heard++
				}
			})
		}
		all.Wait()
		if heard != 20 || wait <= 0 || wait > 45*time.Second {
			t.Errorf("%s: %d of 30 guesses were heard, the wait is %s", name, heard, wait)
		}
		_, wait = guess(t, three[0], email, "")
		pass(wait - time.Microsecond)
		if ok, _ := guess(t, three[1], email, ""); ok {
			t.Errorf("%s: heard before the time that was told", name)
		}
		pass(time.Microsecond)
		if ok, _ := guess(t, three[2], email, ""); !ok {
			t.Errorf("%s: not heard after the time that was told", name)
		}
	}
}

// Whoever tries many addresses is counted by where they come from.
func TestANetworkIsCountedToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	two, pass := servers(t, 2)
	for _, s := range two {
		s.NetworkGuesses = 5
	}
	network := b.account + " network"
	heard, wait := 0, time.Duration(0)
	for i := range 8 {
		ok, told := guess(t, two[i%2], fmt.Sprintf("%s-%d@nowhere.example", b.account, i), network)
		if wait = told; ok {
			heard++
		}
	}
	if heard != 5 || wait <= 0 || wait > 3*time.Minute {
		t.Errorf("of 8 guesses from one network %d were heard, the wait is %s", heard, wait)
	}
	if ok, _ := guess(t, two[0], b.account+"-8@nowhere.example", network+" of others"); !ok {
		t.Error("another network is refused")
	}
	pass(wait)
	if ok, _ := guess(t, two[1], b.account+"-9@nowhere.example", network); !ok {
		t.Error("the network is refused after the time that was told")
	}
}

// A flood writes what it is allowed and nothing more; the rest only reads.
func TestAFloodOfGuessesWritesNoMoreThanIsHeard(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	account := dbtest.Account(t, d, "free", 0)
	proxy := dbtest.NewProxy(t, dsn)
	s := user.New(dbtest.Open(t, proxy.DSN, 1), credential.NewMinter([]byte("a secret of the tests")), still())
	email := account + "@nowhere.example"
	for range 20 {
		guess(t, s, email, "")
	}
	pool := sqlOf(t, dsn)
	count := func() (rows [2]int) {
		t.Helper()
		for i, table := range []string{"sign_in_guesses", "audit_events"} {
			if err := pool.Get(&rows[i], `select count(*) from `+table); err != nil {
				t.Fatal(err)
			}
		}
		return rows
	}
	guess(t, s, email, "") // prepares what the rest sends
	before := count()
	proxy.Traffic()
	for range 50 {
		if ok, _ := guess(t, s, email, ""); ok {
			t.Error("a guess over the allowance is heard")
		}
	}
	if sent := proxy.Traffic(); sent.RoundTrips != 50 {
		t.Errorf("50 refused guesses took %d round trips: %q", sent.RoundTrips, sent.Executed)
	}
	if after := count(); after != before || before != [2]int{1, 20} {
		t.Errorf("rows of guesses and records: %v, after the flood %v", before, after)
	}
	if n, err := d.DeleteFullGuesses(t.Context(), time.Now().Add(time.Hour), 10); err != nil || n != 1 {
		t.Errorf("swept %d rows, %v", n, err)
	}
}

// Whether there is such a person shows in no statement that is sent.
func TestStrangersTakeTheStatementsOfPeople(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	account := dbtest.Account(t, d, "free", 0)
	proxy := dbtest.NewProxy(t, dsn)
	s := user.New(dbtest.Open(t, proxy.DSN, 1), credential.NewMinter([]byte("a secret of the tests")), still())
	made, err := s.Create(t.Context(), user.CreateInput{AccountID: account, Email: "ada@example.com", Role: key.Member})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.RedeemLink(t.Context(), made.Link, password); err != nil {
		t.Fatal(err)
	}
	inactive, err := s.Create(t.Context(), user.CreateInput{AccountID: account, Email: "bob@example.com", Role: key.Member})
	if err != nil {
		t.Fatal(err)
	}
	off := false
	if _, err := s.Update(t.Context(), account, nil, inactive.ID, user.UpdateInput{Active: &off}); err != nil {
		t.Fatal(err)
	}
	guess(t, s, "warm@nowhere.example", "")
	var first []string
	for i, email := range []string{"nobody@nowhere.example", made.Email, inactive.Email} {
		proxy.Traffic()
		guess(t, s, email, "")
		sent := proxy.Traffic().Executed
		if i == 0 {
			first = sent
		}
		if fmt.Sprint(sent) != fmt.Sprint(first) || len(sent) == 0 {
			t.Errorf("%s takes %q, a stranger %q", email, sent, first)
		}
	}
	var events []db.AuditEvent
	for _, of := range []string{account, ""} {
		found, err := d.AuditEvents(t.Context(), of, db.AuditFilter{Action: "user.sign_in_refused", Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, found...)
	}
	if len(events) != 4 {
		t.Errorf("%d refusals are booked, want 4: %+v", len(events), events)
	}
}
