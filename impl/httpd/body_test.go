package httpd

import (
	"bytes"
	"io"
	"runtime"
	"testing"
)

// Reading a body sets aside little more than the body, whether or not its length was announced.
func TestAllocationsOfABodyAreItsSize(t *testing.T) {
	const limit = 4 << 20
	most := uint64(limit * 5 / 4)
	if raceEnabled {
		most *= 2 // there, growing a slice makes what is appended first
	}
	sent := bytes.Repeat([]byte("x"), limit-1)
	for name, announced := range map[string]int64{"announced": int64(len(sent)), "not announced": -1} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			raw, err := readAll(io.MultiReader(bytes.NewReader(sent)), announced, limit)
			runtime.ReadMemStats(&after)
			if err != nil || !bytes.Equal(raw, sent) {
				t.Fatalf("read %d bytes, %v", len(raw), err)
			}
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > most {
				t.Errorf("%d bytes were allocated for a body of %d", allocated, len(sent))
			}
		})
	}
}
