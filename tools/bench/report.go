package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// row is one line of the table: a figure against what is to be reached.
type row struct {
	Measure string  `json:"measure"`
	Figure  float64 `json:"figure"`
	Unit    string  `json:"unit,omitempty"`
	Least   float64 `json:"at_least"` // a floor, or a ceiling when Ceiling
	Aim     float64 `json:"aim"`
	Ceiling bool    `json:"ceiling"`
	Note    string  `json:"note,omitempty"`
	Missing string  `json:"missing,omitempty"` // why it could not be measured
}

func (r row) met(bound float64) bool {
	if r.Ceiling {
		return r.Figure <= bound
	}
	return r.Figure >= bound
}

func (r row) verdict() string {
	switch {
	case r.Missing != "":
		return "not measured"
	case r.Least == 0 && r.Aim == 0:
		return ""
	case r.met(r.Aim):
		return "aim"
	case r.met(r.Least):
		return "yes"
	}
	return "no"
}

// report is all that a run found.
type report struct {
	At        time.Time        `json:"at"`
	Took      float64          `json:"took_seconds"`
	Cores     int              `json:"cores"`
	Go        string           `json:"go"`
	Rounds    int              `json:"rounds"`
	Rows      []row            `json:"rows"`
	Details   []detail         `json:"details"`
	Raw       map[string][]run `json:"raw"`
	Remarks   []string         `json:"remarks,omitempty"`
	startedAt time.Time
}

// detail is one line of the second table: what a lane costs.
type detail struct {
	Lane       string  `json:"lane"`
	Rate       float64 `json:"rate"`
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
	CPU        float64 `json:"cpu_us"`
	Postgres   float64 `json:"postgres_cpu_us"`
	Objects    float64 `json:"allocations"`
	Bytes      float64 `json:"allocated_bytes"`
	Statements float64 `json:"statements"`
	Commits    float64 `json:"commits"`
	Parses     float64 `json:"parses"`
}

func newReport(rounds int) *report {
	return &report{At: time.Now().UTC(), Cores: runtime.NumCPU(), Go: runtime.Version(), Rounds: rounds, Raw: map[string][]run{}, startedAt: time.Now()}
}

func (p *report) add(rows ...row) {
	p.Rows = append(p.Rows, rows...)
	for _, r := range rows {
		fmt.Fprintln(os.Stderr, " ", r.line())
	}
}

// least is a figure that should be high, most one that should be low.
func least(measure string, figure, atLeast, aim float64, unit string) row {
	return row{Measure: measure, Figure: figure, Unit: unit, Least: atLeast, Aim: aim}
}

func most(measure string, figure, atMost, aim float64, unit string) row {
	return row{Measure: measure, Figure: figure, Unit: unit, Least: atMost, Aim: aim, Ceiling: true}
}

func (r row) with(format string, args ...any) row {
	r.Note = fmt.Sprintf(format, args...)
	return r
}

func (r row) line() string {
	sign := ""
	if r.Ceiling {
		sign = "≤ "
	}
	bound := func(n float64) string {
		if r.Least == 0 && r.Aim == 0 {
			return ""
		}
		return sign + figure(n)
	}
	value := strings.TrimSpace(figure(r.Figure) + " " + r.Unit)
	if r.Missing != "" {
		value = "–"
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |", r.Measure, value, bound(r.Least), bound(r.Aim), r.verdict(), r.Note+r.Missing)
}

func figure(n float64) string {
	switch {
	case n >= 100 || n <= -100:
		return fmt.Sprintf("%.0f", n)
	case n >= 10 || n <= -10:
		return fmt.Sprintf("%.1f", n)
	}
	return fmt.Sprintf("%.2f", n)
}

func (p *report) print(w io.Writer) {
	fmt.Fprintf(w, "\n| measure | figure | at least | aim | met | how |\n|---|---|---|---|---|---|\n")
	for _, r := range p.Rows {
		fmt.Fprintln(w, r.line())
	}
	if len(p.Details) > 0 {
		fmt.Fprintf(w, "\n| lane | requests/s | p50 ms | p99 ms | server CPU µs | Postgres CPU µs | allocations | allocated kB | statements | commits | parses |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	}
	for _, d := range p.Details {
		fmt.Fprintf(w, "| %s | %.0f | %.1f | %.1f | %.0f | %.0f | %.0f | %.0f | %.2f | %.2f | %.2f |\n",
			d.Lane, d.Rate, d.P50, d.P99, d.CPU, d.Postgres, d.Objects, d.Bytes/1024, d.Statements, d.Commits, d.Parses)
	}
	for _, remark := range p.Remarks {
		fmt.Fprintln(w, "\n"+remark)
	}
	fmt.Fprintf(w, "\n%d cores for everything, %s, %d rounds, %.0f s.\n", p.Cores, p.Go, p.Rounds, p.Took)
}

func (p *report) save(path string) error {
	p.Took = time.Since(p.startedAt).Seconds()
	raw, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o644)
}

// median is the middle of figures; of an even number the lower.
func median(figures []float64) float64 {
	if len(figures) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(figures))
	return sorted[(len(sorted)-1)/2]
}
