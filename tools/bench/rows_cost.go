package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
)

// watched returns a server whose statements pass the wire.
func (b *bench) watched() (*server, error) {
	if b.counted != nil {
		return b.counted, nil
	}
	var err error
	if b.wire, err = newWire(b.rig.postgres.DSN()); err != nil {
		return nil, err
	}
	b.counted, err = b.rig.startServer("watched", b.wire.dsn)
	return b.counted, err
}

// collect has a server free what it no longer needs.
func (s *server) collect(ctx context.Context) error {
	response, err := s.ask(ctx, "/gc")
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// memory measures resident memory: idle, under load, and with many open streams.
func (b *bench) memory() error {
	g := b.rig
	fresh, err := g.startServer("fresh", g.postgres.DSN())
	if err != nil {
		return err
	}
	defer func() { _ = fresh.stop() }()
	b.report.add(most("memory idle", memory(fresh.pid, "VmRSS"), 40, 25, "MB").with("resident, without a request so far"))
	p := program{Tokens: 32, AtOnce: true}
	if err := g.tell(p); err != nil {
		return err
	}
	if err := forgetPeak(fresh.pid); err != nil {
		return err
	}
	l := g.durable().on(fresh)
	d := l.load(connections, false, p)
	d.For = b.each
	if _, err := g.measure(l, d); err != nil {
		return err
	}
	b.report.add(most("memory at 64 connections", memory(fresh.pid, "VmHWM"), 64, 40, "MB").with("the most that was resident under lane D"))
	return b.openStreams(fresh)
}

// openStreams opens as many streams as asked for and as descriptors allow: a
// server needs two for each, its reader's and the upstream's.
func (b *bench) openStreams(s *server) error {
	g := b.rig
	streams := min(b.streams, (descriptors()-500)/2)
	p := program{Tokens: 2, HoldFor: 10 * time.Minute, Stamped: true}
	if err := g.tell(p); err != nil {
		return err
	}
	if err := s.collect(b.rig.ctx); err != nil {
		return err
	}
	before := memory(s.pid, "VmRSS")
	l := g.durable().on(s)
	d := l.load(streams, true, p)
	d.Hold, d.Ramp, d.Count = true, 500*time.Microsecond, streams
	var open, collected float64
	r, err := g.driveHeld(d, func() error {
		open = memory(s.pid, "VmRSS")
		err := s.collect(b.rig.ctx)
		collected = memory(s.pid, "VmRSS")
		if b.profile != "" {
			err = errors.Join(err, s.keepProfile(b.rig.ctx, "heap", filepath.Join(b.profile, "streams.heap")), s.keepProfile(b.rig.ctx, "goroutine", filepath.Join(b.profile, "streams.goroutines")))
		}
		return err
	})
	if err != nil {
		return err
	}
	opened := r.Chunks
	b.report.add(most("memory per open stream", (open-before)*1024/float64(max(1, opened)), 40, 26, "kB").
		with("%d of %d streams of lane D stayed open, with the connection to the upstream of each; %.0f MB, after a collection %.0f kB each", opened, streams, open, (collected-before)*1024/float64(max(1, opened))))
	return nil
}

// flush matches the statement that stores events of running turns. Those that end turns store events, too.
var flush = regexp.MustCompile(`for key share of t[\s\S]*insert into turn_events`)

// durableTokens measures 500 streams of 20 tokens a second, with one of them,
// and then with all of them followed from another server.
func (b *bench) durableTokens() error {
	g := b.rig
	s, err := b.watched()
	if err != nil {
		return err
	}
	const streams, seconds = 500, 8
	p := program{Tokens: 20 * seconds, Pace: 50 * time.Millisecond, Stamped: true}
	if err := g.tell(p); err != nil {
		return err
	}
	for _, follows := range []int{1, streams} {
		l := g.durable().on(s)
		d := l.load(streams, true, p)
		d.Count, d.Follow, d.Follows, d.Ramp = streams, g.main.addr, follows, 2*time.Millisecond
		b.wire.take()
		r, err := g.measure(l, d)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("10,000 durable tokens/s, %d followed", follows)
		b.report.Raw[name] = append(b.report.Raw[name], r)
		flushes := b.wire.take().times(flush)
		share := row{Measure: name + ": share of a core in Postgres", Figure: 100 * r.Postgres / r.Result.Seconds, Unit: "%"}
		p99 := row{Measure: name + ": flush p99", Figure: spreadOf(flushes).P99, Unit: "ms"}
		if reached := float64(r.Result.Chunks) / r.Result.Seconds; reached < 7000 {
			share.Missing = fmt.Sprintf("this machine did no more than %.0f tokens/s, at %.1f %% of a core and flushes of %.0f ms (p99)", reached, share.Figure, p99.Figure)
			b.report.add(share)
			continue
		}
		if follows == 1 {
			share.Least, share.Aim, share.Ceiling = 15, 5, true
			p99.Least, p99.Aim, p99.Ceiling = 20, 10, true
		}
		b.report.add(
			share.with("%.0f tokens/s, with the beginnings and ends of %d answers; servers' own %.0f %%", float64(r.Result.Chunks)/r.Result.Seconds, streams, 100*r.CPU/r.Result.Seconds),
			p99.with("%d flushes, p50 %.1f ms, on the wire; reader behind p50 %.1f, p99 %.1f ms, the other server's %.0f, %.0f ms",
				len(flushes), spreadOf(flushes).P50, r.Result.Behind.P50, r.Result.Behind.P99, r.Result.Abroad.P50, r.Result.Abroad.P99))
	}
	return nil
}

// replica measures how far readers on another server are behind the upstream.
func (b *bench) replica() error {
	g := b.rig
	other, err := g.startServer("replica", g.postgres.DSN())
	if err != nil {
		return err
	}
	defer func() { _ = other.stop() }()
	p := program{Tokens: 100, Pace: 20 * time.Millisecond, Stamped: true}
	if err := g.tell(p); err != nil {
		return err
	}
	l := g.durable()
	d := l.load(16, true, p)
	d.Count, d.Follow, d.Follows = 16*b.rounds, other.addr, 1<<30
	r, err := g.measure(l, d)
	if err != nil {
		return err
	}
	b.report.Raw["replica"] = append(b.report.Raw["replica"], r)
	note := fmt.Sprintf("16 streams of a piece each 20 ms, after the upstream sent it; the own server's readers: %.1f, %.1f ms", r.Result.Behind.P50, r.Result.Behind.P99)
	b.report.add(most("another replica's reader behind, p50", r.Result.Abroad.P50, 80, 40, "ms").with("%s", note),
		most("another replica's reader behind, p99", r.Result.Abroad.P99, 150, 100, "ms"))
	return nil
}

// bodies sends four bodies of 32 MiB at once, without telling how long they are.
func (b *bench) bodies() error {
	s := b.rig.main
	if err := errors.Join(s.collect(b.rig.ctx), forgetPeak(s.pid)); err != nil {
		return err
	}
	before := memory(s.pid, "VmRSS")
	statuses := make([]string, 4)
	var senders sync.WaitGroup
	for i := range statuses {
		senders.Go(func() { statuses[i] = sendLarge(s.addr, s.keys[i]) })
	}
	senders.Wait()
	grown := memory(s.pid, "VmHWM") - before
	b.report.add(most("growth at 4 × 32 MiB request bodies", grown, 40, 16, "MB").with("chunked, answered %s", strings.Join(statuses, ", ")))
	return nil
}

// sendLarge sends a body of 32 MiB in chunks, as far as it is taken, and returns the status of the answer.
func sendLarge(addr, key string) string {
	conn, err := dial(addr)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", completions, key)
	answered := make(chan string, 1)
	go func() {
		status := make([]byte, 12)
		if _, err := conn.Read(status); err != nil {
			answered <- "cut"
			return
		}
		answered <- string(status[len("HTTP/1.1 "):])
	}()
	filling := strings.Repeat("x", 64<<10)
	fmt.Fprintf(conn, "%x\r\n%s\r\n", len(`{"model":"`), `{"model":"`)
	for range 32 << 20 / len(filling) {
		if _, err := fmt.Fprintf(conn, "%x\r\n%s\r\n", len(filling), filling); err != nil {
			break
		}
	}
	return <-answered
}

// analyze does what autovacuum does within a minute: plans made for empty tables are no good.
func (g *rig) analyze() error {
	pool, err := sqlx.ConnectContext(g.ctx, "postgres", g.postgres.DSN())
	if err != nil {
		return err
	}
	defer pool.Close()
	_, err = pool.ExecContext(g.ctx, "analyze")
	return err
}
