package db_test

import (
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
)

// Whether the database's clock is set an hour forward or back: a full window
// is free again when its own length has passed, not sooner after it was put back, and not an hour later.
func TestLimitsOutliveASetClock(t *testing.T) {
	t.Parallel()
	_, dsn := dbtest.Own(t)
	clock := dbtest.NewClock(t, dsn)
	d := dbtest.Open(t, dsn, 2)
	const limit, leased, window = 3, 600, time.Minute
	account := dbtest.Account(t, d, "free", 0)
	admit := func() db.Admission {
		t.Helper()
		a, err := d.Admit(t.Context(), account, "account", limit, window.Microseconds())
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	take := func() db.RateBatch {
		t.Helper()
		b, err := d.TakeRateBatch(t.Context(), db.RateLease{AccountID: account, Bucket: "all", Limit: leased, Want: leased, LifeMicros: 1, WindowMicros: window.Microseconds()})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	fill := func() {
		t.Helper()
		for range limit {
			if a := admit(); !a.Admitted {
				t.Fatalf("refused before the window is full: %+v", a)
			}
		}
		if b := take(); b.Granted != leased {
			t.Fatalf("granted %+v", b)
		}
	}
	fill()
	for range 2 {
		clock.Step(-time.Hour)
		a, b := admit(), take()
		if wait := time.Duration(a.FreesMicros+window.Microseconds()-a.NowMicros) * time.Microsecond; a.Admitted || wait > window {
			t.Errorf("after the clock was put back: %+v, to wait %v", a, wait)
		}
		if wait := time.Duration(b.FreesMicros-b.NowMicros) * time.Microsecond; b.Granted != 0 || wait > window+time.Second {
			t.Errorf("after the clock was put back: %+v, to wait %v", b, wait)
		}
	}
	clock.Step(window + time.Second)
	fill()
	clock.Step(time.Hour)
	fill()
}

// What lapsed is told by leases, and what is to be looked at again by what the clock had reached.
func TestLeasesFromBeforeTheClockWasPutBackLapse(t *testing.T) {
	t.Parallel()
	_, dsn := dbtest.Own(t)
	clock := dbtest.NewClock(t, dsn)
	d := dbtest.Open(t, dsn, 2)
	n := newTenant(t, d)
	raw := rawConn(t, dsn)
	if _, err := raw.Exec(`update turns set lease_until = statement_timestamp() + interval '5 seconds' where turn_id = $1`, n.turn); err != nil {
		t.Fatal(err)
	}
	look := func(behind *time.Time) db.Lapsed {
		t.Helper()
		found, err := d.LapsedTurns(t.Context(), behind, 7*time.Second, "pictures", 10)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	before := look(nil)
	clock.Step(-time.Hour)
	if after := look(nil); len(before.Turns) != 0 || len(after.Turns) != 0 || before.At.Sub(after.At) < 50*time.Minute {
		t.Errorf("found %+v, then %+v", before, after)
	}
	found := look(&before.At)
	if len(found.Turns) != 1 || found.Turns[0].TurnID != n.turn {
		t.Fatalf("found %+v", found)
	}
	if taken, err := d.TakeOverTurn(t.Context(), "heir", found.Turns[0], &before.At, 7*time.Second); err != nil || taken.Owner != "heir" {
		t.Errorf("taken over: %+v, %v", taken, err)
	}
	if again := look(&before.At); len(again.Turns) != 0 {
		t.Errorf("found again: %+v", again)
	}
}
