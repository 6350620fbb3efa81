package db_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
)

// In every sliding window, on the database's clock, no more than the limit get
// in over two servers, and when more than that is offered nearly as many do.
func TestEverySlidingWindowHoldsTheLimit(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	n := newTenant(t, d)
	const limit, window, enough = 20, 100 * time.Millisecond, 120
	servers := []*db.DB{dbtest.Open(t, dsn, 4), dbtest.Open(t, dsn, 4)}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	raw := rawConn(t, dsn)
	// The time that decided is the last of the row; a log keeps them all.
	if _, err := raw.Exec(`
		create table admission_log (at bigint);
		create function log_admission() returns trigger language plpgsql as $$
		begin
			if new.last_admitted then insert into admission_log values (new.admitted[cardinality(new.admitted)]); end if;
			return new;
		end $$;
		create trigger log_admission after insert or update on rate_windows for each row execute function log_admission()`); err != nil {
		t.Fatal(err)
	}
	var workers sync.WaitGroup
	var admissions atomic.Int64
	for i := range 12 {
		workers.Go(func() {
			for ctx.Err() == nil && admissions.Load() < enough {
				a, err := servers[i%2].Admit(t.Context(), n.account, "account", limit, window.Microseconds())
				if err != nil {
					t.Error(err)
					return
				}
				if a.Live < 1 || a.Live > limit || (!a.Admitted && a.Live != limit) {
					t.Errorf("figures %+v contradict the decision", a)
				}
				if a.Admitted {
					admissions.Add(1)
				}
			}
		})
	}
	workers.Wait()
	var admitted []int64
	if err := raw.Select(&admitted, "select at from admission_log order by at"); err != nil {
		t.Fatal(err)
	}
	if len(admitted) != int(admissions.Load()) {
		t.Errorf("%d were told that they are admitted, %d were", admissions.Load(), len(admitted))
	}
	for i := limit; i < len(admitted); i++ {
		if span := time.Duration(admitted[i]-admitted[i-limit]) * time.Microsecond; span < window {
			t.Fatalf("%d requests within %v", limit+1, span)
		}
	}
	// Nobody was refused but by a full window (above), so what was offered was admitted.
	if len(admitted) < enough {
		t.Errorf("admitted %d, want %d", len(admitted), enough)
	}
}
