//go:build unix

package extract

import (
	"fmt"
	"syscall"
	"time"
)

type resource struct {
	id    int
	value uint64
}

func setLimits(l Limits, more []resource) error {
	for _, r := range append(more, resource{syscall.RLIMIT_CORE, 0}, resource{syscall.RLIMIT_CPU, cpuSeconds(l.Timeout)}) {
		if r.id == syscall.RLIMIT_DATA && raceDetector {
			continue // its shadow memory is larger than any limit
		}
		if err := syscall.Setrlimit(r.id, &syscall.Rlimit{Cur: r.value, Max: r.value}); err != nil {
			return fmt.Errorf("limit %d: %w", r.id, err)
		}
	}
	return nil
}

// cpuSeconds leaves room for two threads over the whole time.
func cpuSeconds(d time.Duration) uint64 { return uint64(d/time.Second)*2 + 2 }
