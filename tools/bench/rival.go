package main

import "fmt"

// rival compares the server with another build of it, or with the same build on
// other settings of the database, in turns on the same database: what a change gains.
func (b *bench) rival() error {
	if b.against == "" && b.settings == "" {
		return nil
	}
	g := b.rig
	p := program{Tokens: 32, AtOnce: true}
	if err := g.tell(p); err != nil {
		return err
	}
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
	of := func(l lane) load {
		d := l.load(b.conns, false, p)
		d.For = b.each
		return d
	}
	if err := g.warm(lanes, of); err != nil {
		return err
	}
	if err := g.analyze(); err != nil {
		return err
	}
	runs, err := g.contest(b.report, "rival", b.rounds, lanes, of)
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
			{"CPU per request", cpuPerRequest},
			{"Postgres CPU per request", func(r run) float64 { return r.perRequest(r.Postgres) }},
			{"allocations per request", func(r run) float64 { return r.perRequest(r.Objects) / 1e6 }},
			{"allocated bytes per request", func(r run) float64 { return r.perRequest(r.Bytes) / 1e6 }},
		} {
			b.report.add(row{Measure: fmt.Sprintf("%s: %s ÷ rival's", lanes[i].name, f.name), Figure: ratio(ours, theirs, f.of)}.
				with("%s ÷ %s", figure(middle(ours, f.of)), figure(middle(theirs, f.of))))
		}
	}
	return nil
}
