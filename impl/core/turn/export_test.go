package turn

import "context"

// KeepLeases is one round of the loop that renews leases and takes over turns.
func (e *Engine) KeepLeases(ctx context.Context) error { return e.renewAndTakeOver(ctx) }
