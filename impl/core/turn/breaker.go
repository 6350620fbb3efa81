package turn

import (
	"sync"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/provider"
)

const (
	// breakAfter is how many calls in a row a provider must fail, before the
	// first byte, to be left alone.
	breakAfter = 5
	// breakFor is how long it is left alone, and then between calls that probe it.
	breakFor = 10 * time.Second
)

// breakers keep this server from waiting for providers that are down. Only
// those that failed lately are in the map.
type breakers struct {
	mu     sync.Mutex
	failed map[string]*failing // by breakerOf
}

type failing struct {
	times int       // calls in a row
	until time.Time // when the next call may probe it, once times reached breakAfter
}

func breakerOf(m db.Model) string { return m.AccountID + " " + m.ProviderID }

// admit returns why a provider is not to be called now; nil when it may be.
// While it is left alone one call is let through each time breakFor has
// passed: the probe, which a call that never comes to pass costs another pause.
func (b *breakers) admit(m db.Model, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.failed[breakerOf(m)]
	if f == nil || f.times < breakAfter {
		return nil
	}
	if left := f.until.Sub(now); left > 0 {
		refused := fault.New(fault.Unavailable, "The model's provider is failing. It is asked again in a while.")
		refused.RetryAfter = left
		return provider.Refuse(refused, false)
	}
	f.until = now.Add(breakFor)
	return nil
}

// note takes in how a call began: err is nil once the provider answered. It
// tells whether the provider is left alone from now on, or no longer.
func (b *breakers) note(m db.Model, err error, now time.Time) (opened, closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.failed[breakerOf(m)]
	refusal := provider.RefusalIn(err)
	switch {
	case err == nil:
		delete(b.failed, breakerOf(m))
		return false, f != nil && f.times >= breakAfter
	case refusal == nil || refusal.Busy:
		return false, false // it says nothing about the provider's health
	case f == nil:
		f = &failing{}
		b.failed[breakerOf(m)] = f
	}
	f.times++
	f.until = now.Add(breakFor)
	return f.times == breakAfter, false
}

// heard lets the breaker of the model's provider know how a call began.
func (r *run) heard(err error) {
	e := r.engine
	switch opened, closed := e.breakers.note(r.model, err, e.now()); {
	case opened:
		e.log.Warn("a provider fails; it is left alone for a while", "provider", r.model.ProviderID, "failures", breakAfter, "pause", breakFor, "error", err)
	case closed:
		e.log.Info("a provider answers again", "provider", r.model.ProviderID)
	}
}
