package limit_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"parley/db/dbtest"
	"parley/impl/core/key"
	"parley/impl/core/limit"
)

// bundle is a limiter whose past can be moved: the clock that counts is the
// database's, so time passes by making the stored admissions older.
type bundle struct {
	limiter *limit.Limiter
	raw     *sqlx.DB
	account string
}

func setup(t testing.TB) *bundle {
	t.Helper()
	raw, err := sqlx.Connect("postgres", dbtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	d := dbtest.New(t)
	return &bundle{&limit.Limiter{DB: d, Now: time.Now}, raw, dbtest.Account(t, d, "free", 0)}
}

func (b *bundle) pass(t testing.TB, d time.Duration) {
	t.Helper()
	if _, err := b.raw.Exec(`update rate_windows set admitted = (select array_agg(at - $2::bigint order by at) from unnest(admitted) at)
		where account_id = $1`, b.account, d.Microseconds()); err != nil {
		t.Fatal(err)
	}
}

func (b *bundle) caller(perMinute int, bucket string) key.Caller {
	return key.Caller{AccountID: b.account, RequestsPerMinute: perMinute, Bucket: bucket}
}

func (b *bundle) admit(t testing.TB, c key.Caller) limit.Decision {
	t.Helper()
	d, err := b.limiter.Admit(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTheFiguresAreThoseThatDecided(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.caller(3, "account")
	for remaining := 2; remaining >= 0; remaining-- {
		if d := b.admit(t, c); !d.Admitted || d.Limit != 3 || d.Remaining != remaining || d.RetryAfter != 0 {
			t.Errorf("decision %+v, want %d remaining", d, remaining)
		}
	}
	d := b.admit(t, c)
	if d.Admitted || d.Remaining != 0 || d.RetryAfter <= 0 || d.RetryAfter > limit.Window {
		t.Errorf("decision over the limit %+v", d)
	}
	if until := time.Until(d.Reset); until <= 0 || until > limit.Window {
		t.Errorf("reset in %v", until)
	}
}

// Refused requests do not count: a client that keeps trying is let in as soon
// as one that waits.
func TestWaitingAsToldGetsOneIn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.caller(2, "account")
	b.admit(t, c)
	b.pass(t, 20*time.Second)
	b.admit(t, c)
	const early = 10 * time.Second
	for range 3 { // the window slides from admission to admission
		d := b.admit(t, c)
		if d.Admitted {
			t.Fatal("admitted a third within the window")
		}
		b.pass(t, d.RetryAfter-early)
		if b.admit(t, c).Admitted {
			t.Error("admitted before the time told")
		}
		b.pass(t, early)
		if !b.admit(t, c).Admitted {
			t.Error("refused after the time told")
		}
	}
}

func TestWaitingAsToldHoldsAfterThePlanWasLowered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 5 {
		b.admit(t, b.caller(5, "account"))
		b.pass(t, 5*time.Second)
	}
	low := b.caller(2, "account")
	d := b.admit(t, low)
	if d.Admitted {
		t.Fatal("admitted beyond the lowered limit")
	}
	b.pass(t, d.RetryAfter)
	if d := b.admit(t, low); !d.Admitted {
		t.Errorf("refused after the time told: %+v", d)
	}
}

func TestAKeyWithItsOwnPlanCountsAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	shared, own := b.caller(1, "account"), b.caller(1, "key_own")
	foreign := shared
	foreign.AccountID = dbtest.Account(t, b.limiter.DB, "free", 0)
	for _, c := range []key.Caller{shared, own, foreign} {
		if !b.admit(t, c).Admitted || b.admit(t, c).Admitted {
			t.Errorf("%s of %s does not count alone", c.Bucket, c.AccountID)
		}
	}
}

func TestUnlimitedAsksNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	closed := dbtest.Open(t, dbtest.DSN(t), 1)
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	l := &limit.Limiter{DB: closed, Now: time.Now}
	d, err := l.Admit(t.Context(), b.caller(0, "account"))
	if err != nil || !d.Admitted || d.Limit != math.MaxInt32 || d.Remaining != math.MaxInt32 {
		t.Errorf("decision %+v, %v", d, err)
	}
	if _, err := l.Admit(t.Context(), b.caller(5, "account")); err == nil {
		t.Error("a limited caller was admitted without the database")
	}
}

func BenchmarkAdmit(b *testing.B) {
	bundle := setup(b)
	c := bundle.caller(100, "account")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := bundle.limiter.Admit(context.Background(), c); err != nil {
				b.Error(err)
			}
		}
	})
}
