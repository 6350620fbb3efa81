package db

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// ErrNoRoom says that Postgres reads, and cannot write because a disk of its own is full.
var ErrNoRoom = errors.New("the disk of the database is full")

// room knows whether the disk of Postgres was full when something was last to
// be written, and finds out when that is over.
type room struct {
	full atomic.Bool

	mu     sync.Mutex
	probed time.Time
	last   error
}

// roomProbeEvery bounds how often a full disk is tried.
const roomProbeEvery = time.Second

// note remembers an error that says that there is no room.
func (r *room) note(err error) {
	if err != nil && pq.As(err, pqerror.DiskFull) != nil {
		r.full.Store(true)
	}
}

// Ready answers when Postgres does and, after it had no room for something, can
// write again; until then it is ErrNoRoom.
func (d *DB) Ready(ctx context.Context) error {
	r := &d.prepared.room
	if !r.full.Load() {
		return d.Ping(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.probed) < roomProbeEvery {
		return r.last
	}
	if r.last = d.tryRoom(ctx); r.last == nil {
		r.full.Store(false)
	}
	r.probed = time.Now()
	return r.last
}

// tryRoom writes a megabyte where tables are, and takes it back. The name is
// random, because several servers may try at once.
func (d *DB) tryRoom(ctx context.Context) error {
	ctx, cancel := limited(ctx, pingMax)
	defer cancel()
	tx, err := d.pool.BeginTxx(ctx, nil)
	if err != nil {
		return translateIn(ctx, err)
	}
	defer func() { _ = tx.Rollback() }() // what was written goes with it
	table := "room_" + rand.Text()
	_, err = tx.ExecContext(ctx, fmt.Sprintf(`create table %q as select repeat('x', 1000) from generate_series(1, 1000)`, table))
	if err != nil && pq.As(err, pqerror.DiskFull) != nil {
		return errors.Join(ErrNoRoom, translateIn(ctx, err))
	}
	return translateIn(ctx, err)
}
