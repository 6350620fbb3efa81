package turn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"parley/db"
	"parley/impl/core/failpoint"
	"parley/impl/core/provider"
)

// keepLeases renews this server's leases.
func (e *Engine) keepLeases() {
	defer e.loops.Done()
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			e.recent.sweep(e.now())
		case <-e.running.Done():
			return
		}
		if err := e.renew(e.running); err != nil && e.running.Err() == nil {
			e.log.Warn("renewing leases failed", "error", err)
		}
	}
}

// renew extends the leases of all turns that this server runs. It ends those
// that somebody asked to cancel, and those that another server has taken over
// because this one was silent for too long.
func (e *Engine) renew(ctx context.Context) error {
	held := e.held()
	if len(held) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	renewed, err := e.db.RenewLeases(ctx, e.owner, held, lease)
	if err != nil {
		return err
	}
	going := make(map[string]bool, len(renewed))
	for _, r := range renewed {
		going[r.TurnID] = !r.Cancel
	}
	var over []string
	for _, h := range held {
		if !going[h.TurnID] { // one that has just ended does not mind
			over = append(over, h.TurnID)
		}
	}
	e.cancelTurns(over)
	return nil
}

// reap takes over the turns of dead servers.
func (e *Engine) reap() {
	defer e.loops.Done()
	tick := time.NewTicker(reapEvery)
	defer tick.Stop()
	w := watch{since: time.Now(), last: time.Now()}
	for {
		select {
		case <-tick.C:
		case <-e.running.Done():
			return
		}
		lapsed, err := e.lapsed(e.running, w.behind)
		if err == nil && w.fair(time.Now(), lapsed.At) {
			err = e.takeOver(e.running, lapsed.Turns, w.behind)
		}
		if err != nil && e.running.Err() == nil {
			e.log.Warn("taking over turns failed", "error", err)
			if errors.Is(err, db.ErrUnavailable) {
				w.interrupted()
			}
		}
	}
}

// watch is how long this server has been able to see what others do. A lease
// that lapsed while the database was away, its clock was set, or this process
// stood still, says nothing of its owner, which may need a moment, too, to renew it.
type watch struct {
	since  time.Time  // the database has been there, without a gap in looking
	last   time.Time  // of looking
	at     time.Time  // the database's clock at the last look
	behind *time.Time // what that clock had reached when it was put back, until it is nearly there again
}

// oldLeases is how long after the last look before the clock was put back the
// leases end that were given until then: looks may be late.
const oldLeases = 2 * lease

// stepMax is how far the database's clock may get from this process's between
// two looks: leases outlast that, and looks that took long are no step.
const stepMax = (lease - renewEvery) / 2

// fair notes a look, with the database's clock, and tells whether owners have had the time to renew their leases.
func (w *watch) fair(now, at time.Time) bool {
	if now.Sub(w.last) > lease-renewEvery {
		w.since = now
	}
	if !w.at.IsZero() {
		switch step := at.Sub(w.at) - now.Sub(w.last); {
		case step > stepMax:
			w.since = now
		case step < -stepMax:
			w.since = now
			if reached := w.at; w.behind == nil || reached.After(*w.behind) {
				w.behind = &reached
			}
		}
	}
	// Before that leases of living owners get there again, too.
	if w.behind != nil && at.Add(oldLeases+lease).After(*w.behind) {
		w.behind = nil
	}
	w.last, w.at = now, at
	return now.Sub(w.since) >= renewEvery+reapEvery
}

func (w *watch) interrupted() { w.since = time.Now() }

func (e *Engine) cancelTurns(turnIDs []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, turnID := range turnIDs {
		if a := e.live[turnID]; a != nil {
			a.cancel(errCancelled)
		}
	}
}

func (e *Engine) held() []db.Held {
	e.mu.Lock()
	defer e.mu.Unlock()
	var held []db.Held
	for _, a := range e.live {
		if a.run.log.held() {
			held = append(held, a.run.held)
		}
	}
	return held
}

// TakeOver ends the turns whose lease has lapsed: their stored text is kept,
// what was produced is settled, and they are failed.
func (e *Engine) TakeOver(ctx context.Context) error {
	found, err := e.lapsed(ctx, nil)
	if err != nil {
		return err
	}
	return e.takeOver(ctx, found.Turns, nil)
}

func (e *Engine) lapsed(ctx context.Context, behind *time.Time) (db.Lapsed, error) {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	found, err := e.db.LapsedTurns(ctx, behind, oldLeases, pictureOwner, takeOverBatch)
	if err != nil {
		return found, fmt.Errorf("look for abandoned turns: %w", err)
	}
	return found, nil
}

func (e *Engine) takeOver(ctx context.Context, lapsed []db.Held, behind *time.Time) error {
	var failures []error // one turn that cannot be ended must not hold up the others
	for _, h := range lapsed {
		t, err := e.seize(ctx, h, behind)
		if errors.Is(err, db.ErrNotFound) {
			continue
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("take over turn %s: %w", h.TurnID, err))
			continue
		}
		failpoint.Here(failpoint.TakenOver)
		if err := e.endAbandoned(ctx, t); err != nil {
			failures = append(failures, fmt.Errorf("end abandoned turn %s: %w", t.ID, err))
		}
	}
	return errors.Join(failures...)
}

func (e *Engine) seize(ctx context.Context, h db.Held, behind *time.Time) (db.Turn, error) {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	return e.db.TakeOverTurn(ctx, e.owner, h, behind, lease)
}

func (e *Engine) endAbandoned(ctx context.Context, t db.Turn) error {
	batches, err := e.db.TurnEvents(ctx, t.AccountID, t.ID, 0)
	if err != nil {
		return err
	}
	r := &run{engine: e, live: newLive(t, func(error) {}, e.encoderOf(t), e.now), ctx: ctx, turn: t, next: 1}
	r.live.followed.Store(true) // by readers that its owner left waiting
	events, previous, err := decode(batches, 0)
	if err != nil {
		return err
	}
	for _, ev := range events {
		r.replay(ev)
		r.live.publish(ev)
	}
	r.log.note(previous, int64(len(events)), true)
	if r.model, err = e.models.Priced(ctx, t.AccountID, r.turn.ModelID); err != nil {
		return err
	}
	failpoint.Here(failpoint.BeforeTakenEnd)
	r.finish(provider.Result{}, errDied)
	e.log.Warn("took over an abandoned turn", "turn", t.ID, "account", t.AccountID, "events", r.next-1)
	return nil
}

// replay rebuilds a run's text from a stored event.
func (r *run) replay(e Event) {
	r.next = e.N + 1
	if e.Model != "" {
		r.turn.ModelID = e.Model
	}
	switch e.Kind {
	case Delta:
		r.text.WriteString(e.Text)
		r.calls.logprobs(e.Logprobs)
	case Calls:
		r.calls.add(e.Text)
	case Thought:
		r.thought.WriteString(e.Text)
	}
}
