package main

import "fmt"

// rival compares the server with another build of it, or with the same build on
// other settings of the database, in turns on the same database: what a change gains.
func (b *bench) rival() error {
	if b.against == "" && b.settings == "" {
		return nil
	}
	g := b.rig
	own := g.binary
	if b.against != "" {
		g.binary = b.against
	}
	other, err := g.startServer("rival", g.postgres.DSN()+" "+b.settings)
	g.binary = own
	if err != nil {
		return err
	}
	defer func() { _ = other.stop() }()
	lanes := []lane{g.passing(), g.passing().on(other), g.durable(), g.durable().on(other)}
	if err := b.contestRival(lanes, b.conns, false, program{Tokens: 32, AtOnce: true}, cpuPerRequest); err != nil {
		return err
	}
	return b.contestRival(lanes, b.conns/2, true, program{Tokens: 128}, cpuPerChunk)
}

// contestRival has each lane of ours against the rival's behind it, for whole answers or for streams.
func (b *bench) contestRival(lanes []lane, conns int, streamed bool, p program, cpu func(run) float64) error {
	g := b.rig
	if err := g.tell(p); err != nil {
		return err
	}
	of := func(l lane) load {
		d := l.load(conns, streamed, p)
		d.For = b.each
		return d
	}
	if err := g.warm(lanes, of); err != nil {
		return err
	}
	if err := g.analyze(); err != nil {
		return err
	}
	name, unit := "rival", "request"
	if streamed {
		name, unit = "rival, streams", "chunk"
	}
	runs, err := g.contest(b.report, name, b.rounds, lanes, of)
	if err != nil {
		return err
	}
	for i := 0; i < len(lanes); i += 2 {
		ours, theirs := runs[i], runs[i+1]
		for _, f := range []struct {
			name string
			of   func(run) float64
		}{
			{"requests/s", rate},
			{"CPU per " + unit, cpu},
			{"Postgres CPU per request", func(r run) float64 { return r.perRequest(r.Postgres) }},
			{"allocations per request", func(r run) float64 { return r.perRequest(r.Objects) / 1e6 }},
			{"allocated bytes per request", func(r run) float64 { return r.perRequest(r.Bytes) / 1e6 }},
		} {
			b.report.add(row{Measure: fmt.Sprintf("%s, %s: %s ÷ rival's", lanes[i].name, name, f.name), Figure: ratio(ours, theirs, f.of)}.
				with("%s ÷ %s", figure(middle(ours, f.of)), figure(middle(theirs, f.of))))
		}
	}
	return nil
}
