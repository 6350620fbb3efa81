package httpd

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
)

// hostile bodies are within the ceiling of 1 MiB and must cost little.
func hostile() map[string]string {
	return map[string]string{
		"18 kB of nested brackets":      strings.Repeat("[", 9000) + strings.Repeat("]", 9000),
		"1 MB of open brackets":         strings.Repeat("[", 1<<20-10),
		"nested objects":                strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9000),
		"brackets below a known member": `{"message":` + strings.Repeat("[", 60) + strings.Repeat("]", 60) + `}`,
		"a million numbers":             `{"message":[` + strings.Repeat("1,", 500_000) + `1]}`,
		"a hundred thousand members":    `{` + strings.Repeat(`"aaaaaa":1,`, 90_000) + `"a":1}`,
		"one long string":               `{"message":"` + strings.Repeat("x", 1<<20-100) + `"}`,
		"long duplicate names":          `{"` + strings.Repeat("x", 500_000) + `":1,"` + strings.Repeat("x", 500_000) + `":2}`,
		"many broken items":             `{"llm_id":"m","messages":[` + strings.Repeat(`{},`, 40_000) + `{}]}`,
	}
}

// cpuTime is what the process has used of processors; a busy machine does not stretch it.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func TestHostileBodiesAreCheap(t *testing.T) {
	e := newTestEdge(t, io.Discard, noContent)
	for name, body := range hostile() {
		t.Run(name, func(t *testing.T) {
			target := "/api/v1/chat"
			if strings.Contains(body, "llm_id") {
				target = "/api/v1/completions"
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := cpuTime(t)
			w := send(e, "POST", target, body)
			took := cpuTime(t) - start
			runtime.ReadMemStats(&after)
			allocated := after.TotalAlloc - before.TotalAlloc
			if w.Code != http.StatusBadRequest || w.Body.Len() > 4<<10 {
				t.Errorf("status %d with %d bytes", w.Code, w.Body.Len())
			}
			if allocated > 8<<20+2*uint64(len(body)) {
				t.Errorf("allocated %d bytes", allocated)
			}
			if took > budget(50*time.Millisecond) {
				t.Errorf("took %v", took)
			}
		})
	}
}

// plainRouter is the same work without the edge: chi's match and the handler.
func plainRouter() http.Handler {
	r := chi.NewRouter()
	read := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}
	r.Get("/api/v1/agents/{agent_id}", read)
	r.Post("/api/v1/completions", read)
	return r
}

var kilobyte = `{"llm_id":"model_abc123","messages":[` + strings.Repeat(`{"role":"user","content":"`+strings.Repeat("words ", 16)+`"},`, 6) +
	`{"role":"agent","content":"` + strings.Repeat("words ", 16) + `"}]}`

// discard is a response writer that costs nothing.
type discard struct{ h http.Header }

func (d discard) Header() http.Header       { return d.h }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

func serve(h http.Handler, method, target, body string) {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+goodKey)
	r.Header.Set("Content-Type", "application/json")
	h.ServeHTTP(discard{http.Header{}}, r)
}

func BenchmarkEdge(b *testing.B) {
	handlers := map[string]http.Handler{"plain": plainRouter(), "edge": newTestEdge(b, io.Discard, noContent)}
	for _, request := range []struct{ name, method, target, body string }{
		{"get", "GET", "/api/v1/agents/agent_abc123", ""},
		{"post1kB", "POST", "/api/v1/completions", kilobyte},
	} {
		for name, h := range handlers {
			b.Run(request.name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					serve(h, request.method, request.target, request.body)
				}
			})
		}
	}
}

// TestAllocationsDoNotGrow holds what the edge allocates on top of the plain
// router. A change that needs more must raise the number on purpose.
func TestAllocationsDoNotGrow(t *testing.T) {
	if raceEnabled {
		t.Log("the race detector changes allocation counts; the run without it holds the numbers")
		return
	}
	plain, edge := plainRouter(), newTestEdge(t, io.Discard, noContent)
	for _, c := range []struct {
		name, method, target, body string
		most                       float64
	}{
		{"GET by id", "GET", "/api/v1/agents/agent_abc123", "", 60},
		{"POST of 1 kB", "POST", "/api/v1/completions", kilobyte, 200},
	} {
		measure := func(h http.Handler) float64 {
			return testing.AllocsPerRun(200, func() { serve(h, c.method, c.target, c.body) })
		}
		added := measure(edge) - measure(plain)
		t.Logf("%s: %.0f allocations on top", c.name, added)
		if added > c.most {
			t.Errorf("%s: %.0f allocations on top, at most %.0f", c.name, added, c.most)
		}
	}
}
