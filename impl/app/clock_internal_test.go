package app

import (
	"testing"
	"time"

	"parley/db/dbtest"
)

// A server whose machine is hours off tells the database's time, and goes along
// when that is set; small differences are left alone, so that its time runs evenly.
func TestAServerTellsTheDatabasesTime(t *testing.T) {
	t.Parallel()
	_, dsn := dbtest.Own(t)
	set := dbtest.NewClock(t, dsn)
	d := dbtest.Open(t, dsn, 1)
	for name, off := range map[string]time.Duration{"right": 0, "half a second ahead": time.Second / 2, "an hour ahead": time.Hour, "an hour behind": -time.Hour} {
		c := newClock(time.Now().Add(off))
		if err := c.look(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		at, err := d.Clock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if apart := c.now().Sub(at).Abs(); apart > 10*time.Second {
			t.Errorf("a server whose machine is %s is apart by %v", name, apart)
		}
		if moved := c.ahead.Load() != 0; moved != (off.Abs() > clockApart) && off.Abs() < clockApart {
			t.Errorf("the time of a machine that is %s was corrected by %v", name, time.Duration(c.ahead.Load()))
		}
	}
	c := newClock(time.Now())
	for _, step := range []time.Duration{time.Hour, -2 * time.Hour} {
		set.Step(step)
		if err := c.look(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		at, err := d.Clock(t.Context())
		if apart := c.now().Sub(at).Abs(); err != nil || apart > 10*time.Second {
			t.Errorf("after the database's clock was set by %v: apart by %v, %v", step, apart, err)
		}
	}
}
