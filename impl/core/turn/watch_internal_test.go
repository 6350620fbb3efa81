package turn

import (
	"testing"
	"time"
)

// Owners get the time to renew their leases after every kind of gap and step.
func TestAWatchIsFairAgainOnceOwnersCouldRenew(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		gap, step time.Duration // of this process, and of the database's clock
		fair      bool
		behind    bool
	}{
		"nothing":            {reapEvery, 0, true, false},
		"a slow look":        {2 * reapEvery, 0, true, false},
		"a pause":            {lease, 0, false, false},
		"a small correction": {reapEvery, time.Second, true, false},
		"an hour forward":    {reapEvery, time.Hour, false, false},
		"an hour back":       {reapEvery, -time.Hour, false, true},
	} {
		start := time.Now()
		w := watch{since: start, last: start}
		now, at := start, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		look := func(gap, step time.Duration) bool {
			now, at = now.Add(gap), at.Add(gap+step)
			return w.fair(now, at)
		}
		for range 5 {
			look(reapEvery, 0)
		}
		if got := look(c.gap, c.step); got != c.fair || (w.behind != nil) != c.behind {
			t.Errorf("after %s: fair %v, behind %v", name, got, w.behind)
		}
		for range 3 {
			look(reapEvery, 0)
		}
		if !look(reapEvery, 0) {
			t.Errorf("%s is never over", name)
		}
		if look(reapEvery, time.Hour); w.behind != nil {
			t.Errorf("after %s the clock counts as behind when it is not", name)
		}
	}
}
