package main

import (
	"fmt"
	"slices"
	"time"
)

const connections = 64

// throughput measures whole answers of 32 tokens by 64 connections.
func (b *bench) throughput() error {
	p := program{Tokens: 32, AtOnce: true}
	if err := b.rig.tell(p); err != nil {
		return err
	}
	lanes := []lane{b.rig.direct(), b.rig.thin(), b.rig.passing(), b.rig.durable(), b.rig.durable().oneKey()}
	of := func(l lane) load {
		d := l.load(connections, false, p)
		d.For = b.each
		return d
	}
	if err := b.rig.warm(lanes[1:], of); err != nil {
		return err
	}
	if err := b.rig.analyze(); err != nil {
		return err
	}
	runs, err := b.rig.contest(b.report, "throughput", b.rounds, lanes, of)
	if err != nil {
		return err
	}
	synced, err := b.rig.disk()
	if err != nil {
		return err
	}
	b.report.Remarks = append(b.report.Remarks, fmt.Sprintf("The disk kept 8 kB within %.1f ms (p50) and %.1f ms (p99) right after the loads.", synced.P50, synced.P99))
	thin, passing, durable, one := runs[1], runs[2], runs[3], runs[4]
	b.report.add(
		least("P requests/s ÷ thin proxy", ratio(passing, thin, rate), 0.40, 0.60, "").with("%.0f/s ÷ %.0f/s; the driver and the upstream share the cores", middle(passing, rate), middle(thin, rate)),
		most("P CPU per request ÷ thin proxy", ratio(passing, thin, cpuPerRequest), 2.7, 1.8, "").with("%.0f µs ÷ %.0f µs, Postgres not counted", middle(passing, cpuPerRequest), middle(thin, cpuPerRequest)),
		least("D requests/s ÷ thin proxy, 64 keys", ratio(durable, thin, rate), 0.14, 0.20, "").with("%.0f/s", middle(durable, rate)),
		least("D, one key ÷ 64 keys", ratio(one, durable, rate), 0.8, 0.95, "").with("%.0f/s; the keys are of as many accounts", middle(one, rate)),
	)
	for i, l := range lanes {
		d := detail{Lane: l.name, Rate: middle(runs[i], rate), P50: middle(runs[i], func(r run) float64 { return r.Result.Latency.P50 }),
			P99: middle(runs[i], func(r run) float64 { return r.Result.Latency.P99 }), CPU: middle(runs[i], cpuPerRequest),
			Postgres: middle(runs[i], func(r run) float64 { return r.perRequest(r.Postgres) }),
			Objects:  middle(runs[i], func(r run) float64 { return r.perRequest(r.Objects) / 1e6 }), Bytes: middle(runs[i], func(r run) float64 { return r.perRequest(r.Bytes) / 1e6 })}
		b.report.Details = append(b.report.Details, d)
	}
	return nil
}

// statements counts what crosses the wire to Postgres for one request, one after the other.
func (b *bench) statements() error {
	p := program{Tokens: 32, AtOnce: true}
	if err := b.rig.tell(p); err != nil {
		return err
	}
	s, err := b.watched()
	if err != nil {
		return err
	}
	const requests = 200
	for _, l := range []lane{b.rig.passing(), b.rig.durable()} {
		name := l.name
		l = l.on(s)
		l.keys = l.keys[:4] // each is looked at once before, for the note of its latest use
		d := l.load(4, false, p)
		d.Count = 400 // until all connections of the pool know all statements
		if _, err := b.rig.measure(l, d); err != nil {
			return err
		}
		b.wire.take()
		d.Count = requests
		if _, err := b.rig.measure(l, d); err != nil {
			return err
		}
		t := b.wire.take()
		at := slices.IndexFunc(b.report.Details, func(d detail) bool { return d.Lane == name })
		if at < 0 {
			b.report.Details, at = append(b.report.Details, detail{Lane: name}), len(b.report.Details)
		}
		writes, waiting := t.writes()
		line := &b.report.Details[at]
		line.Statements, line.Commits, line.Parses = float64(len(t.statements))/requests, float64(writes)/requests, float64(t.parses)/requests
		if name == "D" {
			b.report.add(
				most("D commits per turn", line.Commits, 2, 1, "").with("statements that write; %.2f wait for the disk", float64(waiting)/requests),
				most("D statements per turn", line.Statements, 4, 4, "").with("with the look-up of the key and what loops do meanwhile; parses %.2f", line.Parses),
			)
		}
	}
	return nil
}

// firstToken measures what is added to the time to the first piece, one client at a time.
func (b *bench) firstToken() error {
	p := program{Tokens: 8}
	if err := b.rig.tell(p); err != nil {
		return err
	}
	lanes := []lane{b.rig.direct(), b.rig.thin(), b.rig.durable()}
	of := func(l lane) load {
		d := l.load(1, true, p)
		d.For = b.each / 2
		return d
	}
	if err := b.rig.warm(lanes, of); err != nil {
		return err
	}
	runs, err := b.rig.contest(b.report, "first token", b.rounds+2, lanes, of)
	if err != nil {
		return err
	}
	b.report.add(most("added time to first token, one client, D, p50", difference(runs[2], runs[0], firstPiece), 1.5, 0.5, "ms").
		with("%.2f ms − %.2f ms direct; the thin proxy adds %.2f ms", middle(runs[2], firstPiece), middle(runs[0], firstPiece), difference(runs[1], runs[0], firstPiece)))
	return nil
}

// pacedStreams measures the longest waits between pieces that come every 20 ms.
func (b *bench) pacedStreams() error {
	p := program{Tokens: 64, First: 50 * time.Millisecond, Pace: 20 * time.Millisecond}
	if err := b.rig.tell(p); err != nil {
		return err
	}
	lanes := []lane{b.rig.direct(), b.rig.thin(), b.rig.durable()}
	runs, err := b.rig.contest(b.report, "paced streams", b.rounds, lanes, func(l lane) load {
		d := l.load(32, true, p)
		d.Count = 64
		return d
	})
	if err != nil {
		return err
	}
	b.report.add(most("gap p99 over direct, 32 paced streams", difference(runs[2], runs[0], gapP99), 2, 1, "ms").
		with("%.1f ms − %.1f ms; the thin proxy adds %.1f ms", middle(runs[2], gapP99), middle(runs[0], gapP99), difference(runs[1], runs[0], gapP99)))
	return nil
}

// chunks measures streams that come as fast as they go, each piece in a write of its own.
func (b *bench) chunks() error {
	p := program{Tokens: 128}
	if err := b.rig.tell(p); err != nil {
		return err
	}
	lanes := []lane{b.rig.thin(), b.rig.passing(), b.rig.durable()}
	of := func(l lane) load {
		d := l.load(32, true, p)
		d.For = b.each
		return d
	}
	if err := b.rig.warm(lanes, of); err != nil {
		return err
	}
	runs, err := b.rig.contest(b.report, "chunks", b.rounds, lanes, of)
	if err != nil {
		return err
	}
	for i, l := range lanes[1:] {
		b.report.add(most("CPU per streamed chunk ÷ thin proxy, "+l.name, ratio(runs[i+1], runs[0], cpuPerChunk), 3, 2, "").
			with("%.1f µs ÷ %.1f µs, with the beginning and the end of answers of 128 pieces", middle(runs[i+1], cpuPerChunk), middle(runs[0], cpuPerChunk)))
	}
	return nil
}
