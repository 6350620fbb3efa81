package main

import (
	"os"
	"path/filepath"
	"time"
)

// disk measures how long the disk takes to keep 8 kB for good, which every
// commit that is alone waits for: rates of lanes that commit mean little without it.
func (g *rig) disk() (spread, error) {
	path := filepath.Join(g.folder, "disk")
	f, err := os.Create(path)
	if err != nil {
		return spread{}, err
	}
	defer func() { _ = os.Remove(path) }()
	defer f.Close()
	block := make([]byte, 8<<10)
	var times []time.Duration
	for until := time.Now().Add(300 * time.Millisecond); time.Now().Before(until); {
		begun := time.Now()
		if _, err := f.WriteAt(block, 0); err != nil {
			return spread{}, err
		}
		if err := f.Sync(); err != nil {
			return spread{}, err
		}
		times = append(times, time.Since(begun))
	}
	return spreadOf(times), nil
}
