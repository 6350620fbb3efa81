package webhook

import (
	"context"
	"time"

	"parley/db"
	"parley/impl/core/audit"
	"parley/impl/core/event"
	"parley/impl/core/job"
)

const (
	balancesKind  = "webhooks.balances"
	balancesEvery = 30 * time.Second
	cleanupKind   = "webhooks.cleanup"
	// keepEvents is how long deliveries can be looked at and repeated.
	keepEvents   = 30 * 24 * time.Hour
	cleanupBatch = 1000
)

// tellLowBalances sends balance.low for the accounts that fell below what they
// are warned at since the last look, and books it. Looking now and then keeps the question out of every turn.
func (s *Service) tellLowBalances(ctx context.Context, _ job.Run) error {
	return s.DB.InTx(ctx, func(q *db.Queries) error {
		low, err := q.NoteLowBalances(ctx)
		if err != nil {
			return err
		}
		for _, l := range low {
			data := map[string]any{"balance_micros": l.BalanceMicros, "below_micros": l.BelowMicros}
			if err := event.Record(ctx, q, l.AccountID, event.BalanceLow, s.Now(), data); err != nil {
				return err
			}
			told := audit.Event{AccountID: l.AccountID, Action: event.BalanceLow, Target: l.AccountID, Details: data}
			if err := audit.Record(ctx, q, told); err != nil {
				return err
			}
		}
		return nil
	})
}

// cleanUp removes old events with their deliveries.
func (s *Service) cleanUp(ctx context.Context, _ job.Run) error {
	for {
		n, err := s.DB.DeleteOldEvents(ctx, s.Now().Add(-keepEvents), cleanupBatch)
		if err != nil || n < cleanupBatch {
			return err
		}
	}
}
