//go:build bench

package main

import (
	"encoding/json"
	"log"
	"net/http"
	_ "net/http/pprof" // the profiles of the default mux
	"os"
	"runtime/debug"
	"runtime/metrics"
)

// Builds for the benchmark tell on an address of their own what they allocate,
// and their profiles. Builds that people run have none of it.
func init() {
	addr := os.Getenv("PARLEY_BENCH_LISTEN")
	if addr == "" {
		return
	}
	http.HandleFunc("/allocations", func(w http.ResponseWriter, _ *http.Request) {
		samples := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/allocs:bytes"}}
		metrics.Read(samples)
		_ = json.NewEncoder(w).Encode(map[string]uint64{"objects": samples[0].Value.Uint64(), "bytes": samples[1].Value.Uint64()})
	})
	http.HandleFunc("/gc", func(http.ResponseWriter, *http.Request) { debug.FreeOSMemory() })
	go func() { log.Fatal(http.ListenAndServe(addr, nil)) }()
}
