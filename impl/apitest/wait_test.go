package apitest_test

import (
	"testing"
	"time"
)

// eventually waits for what happens after the answer was sent.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick, deadline := time.NewTicker(5*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("in vain waited until %s", what)
		}
	}
}
