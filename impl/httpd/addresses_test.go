package httpd

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"parley/impl/core/fault"
)

func wait(err error) time.Duration {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind == fault.RateLimited {
		return f.RetryAfter
	}
	return 0
}

func TestAnAddressThatWaitsIsAdmitted(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	a := &addresses{perWindow: 7, now: func() time.Time { return now }}
	for range 7 {
		if err := a.admit("192.0.2.1"); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		pause := wait(a.admit("192.0.2.1"))
		if pause <= 0 || pause > time.Minute/7+time.Second {
			t.Fatalf("told to wait %s", pause)
		}
		now = now.Add(pause - time.Millisecond)
		if wait(a.admit("192.0.2.1")) == 0 {
			t.Fatal("admitted before the time it was told")
		}
		now = now.Add(time.Millisecond)
		if err := a.admit("192.0.2.1"); err != nil {
			t.Fatalf("not admitted after the time it was told: %v", err)
		}
	}
	if err := a.admit("192.0.2.2"); err != nil {
		t.Errorf("another address: %v", err)
	}
}

// One customer has 2^64 IPv6 addresses; they count as one.
func TestAddressesOfOneNetworkCountAsOne(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	for _, same := range [][2]string{{"2001:db8::1", "2001:db8::ffff:1"}, {"192.0.2.1", "::ffff:192.0.2.1"}, {"fe80::1%eth0", "fe80::2"}, {"", "nonsense"}} {
		a := &addresses{perWindow: 1, now: func() time.Time { return now }}
		if a.admit(same[0]) != nil || wait(a.admit(same[1])) == 0 {
			t.Errorf("%q and %q count apart", same[0], same[1])
		}
	}
}

func TestAddressesAreForgottenRatherThanPiledUp(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	a := &addresses{perWindow: 1, now: func() time.Time { return now }}
	for i := range 200_000 {
		_ = a.admit(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
	}
	if n := len(a.young) + len(a.old); n > 2*addressesMax {
		t.Errorf("%d addresses are remembered", n)
	}
}
