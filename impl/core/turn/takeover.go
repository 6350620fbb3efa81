package turn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/provider"
)

// keepLeases renews this server's leases and takes over the turns of dead ones.
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
		if err := e.renewAndTakeOver(e.running); err != nil && e.running.Err() == nil {
			e.log.Warn("keeping leases failed", "error", err)
		}
	}
}

func (e *Engine) renewAndTakeOver(ctx context.Context) error {
	now := e.now()
	if running := e.runningTurns(); len(running) > 0 {
		cancelled, err := e.db.RenewLeases(ctx, e.owner, running, now.Add(lease))
		if err != nil {
			return fmt.Errorf("renew leases: %w", err)
		}
		e.cancelTurns(cancelled)
	}
	return e.TakeOver(ctx, now)
}

func (e *Engine) cancelTurns(turnIDs []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, turnID := range turnIDs {
		if a := e.live[turnID]; a != nil {
			a.cancel(errCancelled)
		}
	}
}

func (e *Engine) runningTurns() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Collect(maps.Keys(e.live))
}

// TakeOver ends the turns whose lease lapsed before now: their stored text is
// kept, what was produced is settled, and they are failed.
func (e *Engine) TakeOver(ctx context.Context, now time.Time) error {
	abandoned, err := e.db.TakeOverTurns(ctx, e.owner, now, now.Add(lease), takeOverBatch)
	if err != nil {
		return fmt.Errorf("take over turns: %w", err)
	}
	var failures []error // one turn that cannot be ended must not hold up the others
	for _, t := range abandoned {
		if err := e.endAbandoned(ctx, t); err != nil {
			failures = append(failures, fmt.Errorf("end abandoned turn %s: %w", t.ID, err))
		}
	}
	return errors.Join(failures...)
}

func (e *Engine) endAbandoned(ctx context.Context, t db.Turn) error {
	batches, err := e.db.TurnEvents(ctx, t.AccountID, t.ID, 0)
	if err != nil {
		return err
	}
	r := &run{engine: e, live: newLive(t.ID, func(error) {}, e.encoderOf(t)), ctx: ctx, turn: t, next: 1}
	r.live.followed.Store(true) // by readers that its owner left waiting
	for _, b := range batches {
		var events []Event
		if err := json.Unmarshal(b.Events, &events); err != nil {
			return fmt.Errorf("decode events: %w", err)
		}
		for _, ev := range events {
			r.replay(ev)
		}
	}
	if r.model, err = e.models.Priced(ctx, t.AccountID, r.turn.ModelID); err != nil {
		return err
	}
	r.finish(provider.Result{}, fault.New(fault.Unavailable, "The server that made this answer stopped."))
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
