package main

import (
	"fmt"
	"strings"
	"time"
)

// lane is one way for a request from the driver to an answer of the upstream.
type lane struct {
	name     string
	addr     string
	path     string
	body     string // %s is what the stream member is set to
	pid      int    // whose processor time counts
	server   *server
	postgres bool // its processor time counts too
	keys     []string
	text     bool // answers are compared with what the upstream said
}

var question = strings.TrimSpace(strings.Repeat("What is it worth to know? ", 8))

const completions = "/v1/chat/completions"

// direct asks the upstream itself, thin through a proxy without features.
func (g *rig) direct() lane {
	return lane{name: "direct", addr: g.upstream.addr, path: completions, body: completionBody(), pid: g.upstream.cmd.Process.Pid, keys: []string{"none"}, text: true}
}

func (g *rig) thin() lane {
	l := g.direct()
	l.name, l.addr, l.pid = "thin proxy", g.proxy.addr, g.proxy.cmd.Process.Pid
	return l
}

// passing is lane P: key, limit, validation, money, nothing stored of the text.
func (g *rig) passing() lane {
	return lane{name: "P", addr: g.main.addr, path: completions, body: strings.Replace(completionBody(), "{", `{"store":false,`, 1), pid: g.main.pid, server: g.main, postgres: true, keys: g.main.keys, text: true}
}

// durable is lane D: a conversation, question and answer, the stream's log, usage and money, all on disk.
func (g *rig) durable() lane {
	return lane{name: "D", addr: g.main.addr, path: "/api/v1/chat", body: fmt.Sprintf(`{"stream":%%s,"message":%q}`, question),
		pid: g.main.pid, server: g.main, postgres: true, keys: g.main.keys, text: true}
}

func completionBody() string {
	return fmt.Sprintf(`{"model":%q,"stream":%%s,"messages":[{"role":"user","content":%q}]}`, modelName, question)
}

func (l lane) oneKey() lane {
	l.name, l.keys = l.name+", one key", l.keys[:1]
	return l
}

// on is the lane through another server.
func (l lane) on(s *server) lane {
	l.name, l.addr, l.pid, l.server = l.name+" on "+s.name, s.addr, s.pid, s
	return l
}

// load is what the driver sends on the lane.
func (l lane) load(conns int, streamed bool, p program) load {
	d := load{Addr: l.addr, Path: l.path, Keys: l.keys, Bodies: []string{fmt.Sprintf(l.body, fmt.Sprint(streamed))}, Conns: conns, Stream: streamed}
	if l.text && !p.Stamped {
		d.Text = p.text()
	}
	return d
}

// run is one load on one lane, and what it cost.
type run struct {
	Lane     string  `json:"lane"`
	Result   result  `json:"result"`
	CPU      float64 `json:"cpu_seconds"`
	Postgres float64 `json:"postgres_cpu_seconds"`
	Objects  float64 `json:"allocations"`
	Bytes    float64 `json:"allocated_bytes"`
}

// perRequest is a sum of the run as millionths for each request.
func (r run) perRequest(sum float64) float64 { return sum * 1e6 / float64(max(1, r.Result.Requests)) }

// perChunk likewise for each piece of a stream.
func (r run) perChunk(sum float64) float64 { return sum * 1e6 / float64(max(1, r.Result.Chunks)) }

// measure runs a load on a lane. An answer that is missing or wrong fails it.
func (g *rig) measure(l lane, d load) (run, error) {
	r := run{Lane: l.name}
	var objects, size float64
	var err error
	if l.server != nil {
		if objects, size, err = l.server.allocated(g.ctx); err != nil {
			return r, err
		}
	}
	begun, begunPostgres := cpu(l.pid), 0.0
	if l.postgres {
		begunPostgres = cpuOfPostgres(g.postgres.PID())
	}
	if r.Result, err = g.drive(d); err != nil {
		return r, fmt.Errorf("%s: %w", l.name, err)
	}
	r.CPU = cpu(l.pid) - begun
	if l.postgres {
		r.Postgres = cpuOfPostgres(g.postgres.PID()) - begunPostgres
	}
	if l.server != nil {
		if r.Objects, r.Bytes, err = l.server.allocated(g.ctx); err != nil {
			return r, err
		}
		r.Objects, r.Bytes = r.Objects-objects, r.Bytes-size
	}
	if err := r.Result.clean(); err != nil {
		return r, fmt.Errorf("%s: %w", l.name, err)
	}
	return r, nil
}

// contest runs lanes in turns, so that what else the machine does hits all
// alike, and returns the runs of each.
func (g *rig) contest(p *report, name string, rounds int, lanes []lane, of func(lane) load) ([][]run, error) {
	runs := make([][]run, len(lanes))
	for round := range rounds {
		for i := range lanes {
			n := (i + round) % len(lanes) // nobody is always the first
			r, err := g.measure(lanes[n], of(lanes[n]))
			if err != nil {
				return nil, fmt.Errorf("%s, round %d: %w", name, round, err)
			}
			runs[n] = append(runs[n], r)
			p.Raw[name] = append(p.Raw[name], r)
		}
	}
	return runs, nil
}

// ratio is the median over the rounds of a figure of one lane by that of another in the same round.
func ratio(over, under []run, of func(run) float64) float64 {
	var ratios []float64
	for i := range over {
		if u := of(under[i]); u > 0 {
			ratios = append(ratios, of(over[i])/u)
		}
	}
	return median(ratios)
}

// difference likewise, by subtraction.
func difference(one, other []run, of func(run) float64) float64 {
	var found []float64
	for i := range one {
		found = append(found, of(one[i])-of(other[i]))
	}
	return median(found)
}

func middle(runs []run, of func(run) float64) float64 {
	var found []float64
	for _, r := range runs {
		found = append(found, of(r))
	}
	return median(found)
}

func rate(r run) float64           { return r.Result.Rate }
func cpuPerRequest(r run) float64  { return r.perRequest(r.CPU) }
func cpuPerChunk(r run) float64    { return r.perChunk(r.CPU) }
func costPerRequest(r run) float64 { return r.perRequest(r.CPU + r.Postgres) }
func firstPiece(r run) float64     { return r.Result.FirstPiece.P50 }
func gapP99(r run) float64         { return r.Result.Gap.P99 }

// warm lets pools, plans and caches settle before anything counts.
func (g *rig) warm(lanes []lane, of func(lane) load) error {
	for _, l := range lanes {
		d := of(l)
		d.For, d.Count = 700*time.Millisecond, 0
		if _, err := g.measure(l, d); err != nil {
			return err
		}
	}
	return nil
}
