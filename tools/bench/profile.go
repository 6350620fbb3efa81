package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// profiles keeps profiles of the server under lanes P and D in a folder, for go tool pprof.
func (b *bench) profiles() error {
	if b.profile == "" {
		return nil
	}
	p := program{Tokens: 32, AtOnce: true}
	if err := b.rig.tell(p); err != nil {
		return err
	}
	const long = 6 * time.Second
	for _, l := range []lane{b.rig.passing(), b.rig.durable()} {
		d := l.load(connections, false, p)
		d.For = long
		failed := make(chan error, 1)
		go func() {
			failed <- l.server.keepProfile(b.rig.ctx, fmt.Sprintf("profile?seconds=%d", int(long.Seconds())-1), filepath.Join(b.profile, l.name+".cpu"))
		}()
		if _, err := b.rig.measure(l, d); err != nil {
			return err
		}
		if err := <-failed; err != nil {
			return err
		}
		if err := l.server.keepProfile(b.rig.ctx, "allocs", filepath.Join(b.profile, l.name+".allocs")); err != nil {
			return err
		}
	}
	return nil
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
