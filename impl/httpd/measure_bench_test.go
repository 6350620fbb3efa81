package httpd

import (
	"io"
	"testing"

	"parley/impl/metrics"
)

// What counting costs on top of the edge's own work; a whole request takes many times that.
func BenchmarkEdgeCounting(b *testing.B) {
	for _, counted := range []bool{false, true} {
		name, e := "without metrics", newTestEdge(b, io.Discard, noContent)
		if counted {
			name, e.meter = "with metrics", metrics.New("test")
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				serve(e, "POST", "/api/v1/completions", kilobyte)
			}
		})
	}
}
