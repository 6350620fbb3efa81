package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// profiles keeps profiles of the server in a folder, for go tool pprof: the heap as it is idle, then what
// whole answers and streams take under lanes P and D.
func (b *bench) profiles() error {
	if b.profile == "" {
		return nil
	}
	g := b.rig
	if err := errors.Join(g.main.collect(g.ctx), g.main.keepProfile(g.ctx, "heap", filepath.Join(b.profile, "idle.heap"))); err != nil {
		return err
	}
	for _, l := range []lane{g.passing(), g.durable()} {
		if err := errors.Join(b.profileLane(l, false, program{Tokens: 32, AtOnce: true}), b.profileLane(l, true, program{Tokens: 128})); err != nil {
			return err
		}
	}
	return nil
}

// profileLane loads one lane and keeps where processor time and allocations went.
func (b *bench) profileLane(l lane, streamed bool, p program) error {
	const long = 6 * time.Second
	if err := b.rig.tell(p); err != nil {
		return err
	}
	name := filepath.Join(b.profile, l.name)
	d := l.load(connections, streamed, p)
	if streamed {
		name, d.Conns = name+"-stream", 32
	}
	d.For = long
	failed := make(chan error, 1)
	go func() {
		failed <- l.server.keepProfile(b.rig.ctx, fmt.Sprintf("profile?seconds=%d", int(long.Seconds())-1), name+".cpu")
	}()
	_, err := b.rig.measure(l, d)
	return errors.Join(err, <-failed, l.server.keepProfile(b.rig.ctx, "allocs", name+".allocs"))
}

func (s *server) keepProfile(ctx context.Context, what, path string) error {
	response, err := s.ask(ctx, "/debug/pprof/"+what)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, response.Body); err != nil {
		return err
	}
	return f.Close()
}
