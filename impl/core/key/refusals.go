package key

import (
	"crypto/sha256"
	"sync"
	"time"
)

const (
	// refusalsMax bounds each of the two generations of remembered refusals.
	refusalsMax = 4096
	// goneFor is how long a text without a row is refused unasked: nothing brings it back.
	goneFor = time.Minute
	// endedFor is the same for a row that is inactive or expired, which may be
	// admitted again: on other servers than the one that did it, this much later.
	endedFor = time.Second
)

// refusals remembers digests that were refused lately, so that a flood of one
// revoked credential costs the database a statement a second. What is good is
// never remembered: a revocation holds on the next request everywhere. The zero
// value is ready for use.
type refusals struct {
	mu         sync.Mutex
	young, old map[[sha256.Size]byte]time.Time // until when
}

func (r *refusals) has(digest [sha256.Size]byte, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, ok := r.young[digest]
	if !ok {
		until = r.old[digest]
	}
	return now.Before(until)
}

// add forgets the older half of what it knows rather than grow.
func (r *refusals) add(digest [sha256.Size]byte, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.young == nil || len(r.young) >= refusalsMax {
		r.old, r.young = r.young, make(map[[sha256.Size]byte]time.Time)
	}
	r.young[digest] = until
}

// clear forgets everything: a credential may have been admitted again.
func (r *refusals) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.young, r.old = nil, nil
}
