package turn

import (
	"context"
	"sync"
	"time"

	"parley/db"
	"parley/impl/core/failpoint"
)

const (
	// flushRound is how often the events of turns are stored that somebody follows
	// from another server.
	flushRound = 40 * time.Millisecond
	// flushAll is how many rounds pass until those of all turns are: what a crash
	// of this server can lose of a stream. Many turns take turns, so that no
	// statement is long; flushTogether is how many are stored in one round.
	flushAll      = 5
	flushTogether = 64
	// flushTimeout bounds a round; what it did not store, the next one does.
	flushTimeout = 3 * time.Second
	// flushBytesMax bounds a statement, but for a turn that has more to store by itself.
	flushBytesMax = 1 << 20
)

// stored is how far a turn's log is stored. The events themselves are kept once,
// by the Live; so a database that is away costs no memory beside them.
type stored struct {
	mu       sync.Mutex
	begun    bool  // the turn exists
	sealed   bool  // its end stores what remains
	previous int64 // the first event of the last batch; 0: there is none
	upTo     int64 // the last stored event
}

// begin lets the log be stored.
func (s *stored) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun = true
}

// held tells whether the turn exists, so that its lease is to be renewed.
func (s *stored) held() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begun
}

// seal ends the storing of batches. It returns where the last one begins and the
// number of the first event that is in none; a batch under way may hold it, too.
func (s *stored) seal() (previous, from int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = true
	return s.previous, s.upTo + 1
}

// open tells whether batches are stored now, and like seal where.
func (s *stored) open() (previous, from int64, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.previous, s.upTo + 1, s.begun && !s.sealed
}

// note takes in that a batch was stored, or that the one before it is gone.
func (s *stored) note(first, last int64, joined bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if joined {
		s.previous, s.upTo = first, last
	} else {
		s.previous, s.upTo = 0, 0
	}
}

// flushing is a batch on its way.
type flushing struct {
	run  *run
	rows db.NewBatch
	last int64
}

// flush stores what turns have published, round by round, until the engine
// gives up its turns. Streams never wait for it.
func (e *Engine) flush() {
	defer e.loops.Done()
	tick := time.NewTicker(flushRound)
	defer tick.Stop()
	for round := 1; ; round++ {
		select {
		case <-tick.C:
			e.flushTurns(e.running, e.toFlush(round))
		case <-e.running.Done():
			return
		}
	}
}

// flushTurns stores what turns have published.
func (e *Engine) flushTurns(ctx context.Context, runs []*run) {
	var batches []flushing
	bytes := 0
	for _, r := range runs {
		b, some := r.batch()
		if !some {
			continue
		}
		if bytes += len(b.rows.Events); bytes > flushBytesMax && len(batches) > 0 {
			e.append(ctx, batches)
			batches, bytes = nil, len(b.rows.Events)
		}
		batches = append(batches, b)
	}
	if len(batches) > 0 {
		e.append(ctx, batches)
	}
}

// toFlush returns the turns whose events are stored in a round: those that are
// followed elsewhere, and of the others those whose turn it is.
func (e *Engine) toFlush(round int) []*run {
	e.mu.Lock()
	defer e.mu.Unlock()
	var runs []*run
	few := len(e.live) <= flushTogether
	for _, a := range e.live {
		r, due := a.run, round
		if !few {
			due += a.run.slot
		}
		if !r.turn.Unstored && (due%flushAll == 0 || a.followed.Load()) {
			runs = append(runs, r)
		}
	}
	return runs
}

// batch is what the turn has published and not stored, if there is any.
func (r *run) batch() (flushing, bool) {
	previous, from, open := r.log.open()
	if !open {
		return flushing{}, false
	}
	_, entries, _ := r.live.after(from - 1)
	if len(entries) == 0 || entries[len(entries)-1].form.Terminal() {
		return flushing{}, false
	}
	return flushing{run: r, last: from + int64(len(entries)) - 1, rows: db.NewBatch{
		Held: r.held, Previous: previous, EventBatch: db.EventBatch{First: from, Events: pack(entries)},
	}}, true
}

// append stores batches. While the database is away they stay to be stored; a
// turn that is no longer ours, or shall end, is ended.
func (e *Engine) append(ctx context.Context, batches []flushing) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	rows := make([]db.NewBatch, len(batches))
	for i, b := range batches {
		rows[i] = b.rows
	}
	failpoint.Here(failpoint.BeforeFlush)
	kept, err := e.db.AppendEvents(ctx, e.owner, rows)
	failpoint.Here(failpoint.Flushed)
	if err != nil {
		if e.running.Err() == nil {
			e.log.Warn("storing events failed; they stay to be stored", "turns", len(batches), "error", err)
		}
		return
	}
	joined := make(map[string]bool, len(kept))
	for _, k := range kept {
		joined[k.TurnID] = k.Joined
	}
	for _, b := range batches {
		ok, ours := joined[b.run.turn.ID]
		if !ours {
			b.run.live.cancel(errCancelled) // deleted, to be cancelled, or taken over by another server
			continue
		}
		b.run.log.note(b.rows.First, b.last, ok)
		b.run.hint()
	}
}
