//go:build !race

package drawing_test

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"parley/impl/core/drawing"
)

// threadTime is what the processor has spent on this goroutine's thread, which must be locked.
func threadTime(t *testing.T) time.Duration {
	t.Helper()
	const ofThread = 1 // RUSAGE_THREAD
	var used syscall.Rusage
	if err := syscall.Getrusage(ofThread, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// A drawing of the usual size takes a fifth of a second of the processor at most, whatever else the machine does.
func TestTheCostOfADrawing(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, r := range prompts {
		r.Width, r.Height = 512, 512
		best := time.Hour
		for range 3 {
			began := threadTime(t)
			if _, err := drawing.PNG(r); err != nil {
				t.Fatal(err)
			}
			best = min(best, threadTime(t)-began)
		}
		t.Logf("%v for %q", best.Round(time.Millisecond), r.Prompt)
		if best > 200*time.Millisecond {
			t.Errorf("%q takes %v", r.Prompt, best)
		}
	}
}
