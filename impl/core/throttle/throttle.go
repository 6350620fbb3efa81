// Package throttle counts attempts of whoever has no account yet, in memory and
// of one server alone: it keeps strangers from making work and from guessing.
package throttle

import (
	"sync"
	"time"
)

// rememberedMax bounds each of the two generations of what is remembered.
const rememberedMax = 32 << 10

// Throttle admits each key a number of times per window. A key has a bucket
// that refills evenly over the window; only the time at which it will be full
// again is kept. When too many keys come at once, those seen longest ago are
// forgotten. It is safe for concurrent use.
type Throttle[K comparable] struct {
	Count  int // 0: not limited
	Window time.Duration

	mu         sync.Mutex
	young, old map[K]time.Time
}

// Take counts an attempt and returns zero, or does not count it and returns
// after how long the next is admitted.
func (t *Throttle[K]) Take(key K, now time.Time) time.Duration {
	if t.Count == 0 {
		return 0
	}
	each := t.Window / time.Duration(t.Count)
	t.mu.Lock()
	defer t.mu.Unlock()
	full, known := t.young[key]
	if !known {
		full = t.old[key]
	}
	if full.Before(now) {
		full = now
	}
	if wait := full.Add(each).Sub(now) - t.Window; wait > 0 {
		return wait
	}
	if t.young == nil || (!known && len(t.young) >= rememberedMax) {
		t.old, t.young = t.young, make(map[K]time.Time)
	}
	t.young[key] = full.Add(each)
	return 0
}

// Len is how many keys are remembered.
func (t *Throttle[K]) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.young) + len(t.old)
}
