package faults

import (
	"syscall"
	"testing"
	"time"
)

// stop asks server i to stop, as an operator does, and waits until it has.
func (c *cluster) stop(i int) {
	c.t.Helper()
	c.mu.Lock()
	p := c.servers[i]
	c.mu.Unlock()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Error(err)
	}
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		c.t.Fatalf("server %d does not stop", i)
	}
	if state := p.cmd.ProcessState; !state.Success() {
		c.t.Errorf("server %d did not stop in good order: %s", i, state)
	}
}

// Servers are replaced one after the other under load: nobody is answered with
// an error, and every stream that was begun is finished or resumed.
func TestARollingRestartIsNotNoticed(t *testing.T) {
	s, rounds := seed(t), 4
	if long() {
		rounds = 60
	}
	c := newClusterWith(t, 2, newUpstream(t, 8*time.Millisecond), func(string) []string { return []string{"PARLEY_SHUTDOWN_TIMEOUT=30s"} })
	c.price(1_000)
	a := c.account("unlimited", 1_000_000_000)
	d := &driver{cluster: c, key: a.Key, stop: make(chan struct{})}
	done := make(chan struct{})
	go func() { d.run(8, s); close(done) }()
	for i := range rounds {
		<-time.After(500 * time.Millisecond)
		c.stop(i % 2)
		c.start(i % 2)
	}
	close(d.stop)
	<-done
	for status, n := range d.bad {
		t.Errorf("%d answers with status %d", n, status)
	}
	for _, seen := range d.log {
		if seen.turn != "" && !seen.complete {
			t.Errorf("question %d (%s) was begun and not finished", seen.n, seen.turn)
		}
	}
	c.check(t, a.ID, d.log)
	c.checkOnce(t, a.ID)
}
