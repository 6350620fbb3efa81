package turn

import "context"

// KeepLeases is one round of the loops that renew leases and take over turns.
func (e *Engine) KeepLeases(ctx context.Context) error {
	if err := e.renew(ctx); err != nil {
		return err
	}
	return e.TakeOver(ctx)
}

// Flush is as many rounds of the loop that stores events as all turns take.
func (e *Engine) Flush(ctx context.Context) {
	for round := range flushAll {
		e.flushTurns(ctx, e.toFlush(round))
	}
}

// FlushesAtOnce is how many turns at most a round of the loop has stored of those that run, and how many all rounds have.
func (e *Engine) FlushesAtOnce() (most, all int) {
	seen := map[*run]bool{}
	for round := range flushAll {
		runs := e.toFlush(round)
		most = max(most, len(runs))
		for _, r := range runs {
			seen[r] = true
		}
	}
	return most, len(seen)
}

// Owner is the name of this server.
func (e *Engine) Owner() string { return e.owner }
