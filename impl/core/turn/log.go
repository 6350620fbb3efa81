package turn

import (
	"context"
	"slices"

	"parley/db"
	"parley/impl/core/fault"
)

var errErased = fault.New(fault.NotFound, "The turn's stream was erased")

// Log returns the events of a stored turn so far, at least one; they must not be
// changed. A turn whose log was erased, or is not stored, is a NotFound fault.
func (e *Engine) Log(ctx context.Context, t db.Turn) ([]Event, error) {
	if t.Unstored {
		return nil, errUnstored
	}
	if live := e.liveTurn(t.AccountID, t.ID); live != nil {
		if events := live.Log(); len(events) > 0 {
			return events, nil
		}
	}
	for _, err := range e.tail(ctx, t) { // waits for the first that is stored
		if err != nil {
			return nil, err
		}
		break
	}
	events, err := e.stored(ctx, t, 0)
	if err == nil && len(events) == 0 {
		err = errErased
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
	}
	return events, err
}

// chainBytesMax bounds what a chain of turns is read of: the first that goes beyond is its last.
const chainBytesMax = 4 << 20

// Chain returns the logs of a turn and of those that it follows, the oldest first,
// at most so many; an erased one ends the chain. What a turn follows is the
// member "previous" of its options, a turn's id.
func (e *Engine) Chain(ctx context.Context, accountID, turnID string, turnsMax int) ([][]Event, error) {
	batches, err := e.db.TurnChain(ctx, accountID, turnID, turnsMax, chainBytesMax)
	if err != nil {
		return nil, err
	}
	var logs [][]Event
	for len(batches) > 0 {
		n := slices.IndexFunc(batches, func(b db.ChainBatch) bool { return b.TurnID != batches[0].TurnID })
		if n < 0 {
			n = len(batches)
		}
		own := make([]db.EventBatch, n)
		for i, b := range batches[:n] {
			own[i] = b.EventBatch
		}
		log, _, err := decode(own, 0)
		if err != nil {
			return nil, err
		}
		logs, batches = append(logs, log), batches[n:]
	}
	return logs, nil
}

// Erase ends a turn that belongs to no conversation, if it runs, and forgets its
// text and what its request asked for. Its figures stay.
func (e *Engine) Erase(ctx context.Context, accountID, turnID string) error {
	t, err := e.Cancel(ctx, accountID, turnID)
	if err != nil {
		return err
	}
	if t.State == db.TurnRunning { // elsewhere
		for _, err := range e.tail(ctx, t) {
			if err != nil {
				return err
			}
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return e.db.EraseTurn(ctx, accountID, turnID)
}
