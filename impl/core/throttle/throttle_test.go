package throttle_test

import (
	"testing"
	"time"

	"parley/impl/core/throttle"
)

var start = time.Unix(1_700_000_000, 0)

func TestWhoWaitsIsAdmitted(t *testing.T) {
	t.Parallel()
	now, x := start, throttle.Throttle[string]{Count: 7, Window: time.Minute}
	for range 7 {
		if x.Take("a", now) != 0 {
			t.Fatal("refused within the count")
		}
	}
	for range 20 {
		wait := x.Take("a", now)
		if wait <= 0 || wait > time.Minute/7 {
			t.Fatalf("told to wait %s", wait)
		}
		now = now.Add(wait - time.Millisecond)
		if x.Take("a", now) == 0 {
			t.Fatal("admitted before the time it was told")
		}
		now = now.Add(time.Millisecond)
		if again := x.Take("a", now); again != 0 {
			t.Fatalf("told to wait %s more", again)
		}
	}
	if x.Take("b", now) != 0 {
		t.Error("another key is refused")
	}
}

func TestKeysAreForgottenRatherThanPiledUp(t *testing.T) {
	t.Parallel()
	x := throttle.Throttle[int]{Count: 1, Window: time.Minute}
	for i := range 200_000 {
		x.Take(i, start)
	}
	if x.Len() > 64<<10 {
		t.Errorf("%d keys are remembered", x.Len())
	}
	if x.Take(199_999, start) == 0 {
		t.Error("the latest key is forgotten")
	}
}

func TestNoCountIsNoLimit(t *testing.T) {
	t.Parallel()
	var x throttle.Throttle[int]
	for range 1000 {
		if x.Take(1, start) != 0 {
			t.Fatal("refused without a limit")
		}
	}
}
