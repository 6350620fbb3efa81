package turn

import "context"

// KeepLeases is one round of the loops that renew leases and take over turns.
func (e *Engine) KeepLeases(ctx context.Context) error {
	if err := e.renew(ctx); err != nil {
		return err
	}
	return e.TakeOver(ctx)
}

// Flush is one round of the loop that stores events, of all turns.
func (e *Engine) Flush(ctx context.Context) { e.flushTurns(ctx, true) }

// Owner is the name of this server.
func (e *Engine) Owner() string { return e.owner }
