package webhook

import (
	"context"
	"time"

	"parley/db"
	"parley/impl/core/event"
	"parley/impl/core/job"
)

const (
	balancesKind  = "webhooks.balances"
	balancesEvery = 15 * time.Second
	cleanupKind   = "webhooks.cleanup"
	// keepEvents is how long deliveries can be looked at and repeated.
	keepEvents   = 30 * 24 * time.Hour
	cleanupBatch = 1000
)

// tellLowBalances sends balance.low to the webhooks whose threshold was
// crossed since the last look. Looking now and then keeps the question out of every turn.
func (s *Service) tellLowBalances(ctx context.Context, _ job.Run) error {
	return s.DB.InTx(ctx, func(q *db.Queries) error {
		low, err := q.NoteLowBalances(ctx)
		if err != nil {
			return err
		}
		for _, l := range low {
			data := map[string]int64{"balance_micros": l.BalanceMicros, "below_micros": l.BelowMicros}
			e, err := event.New(l.AccountID, event.BalanceLow, s.Now(), data)
			if err != nil {
				return err
			}
			if err := q.InsertEvent(ctx, e); err != nil {
				return err
			}
			if _, err := s.dispatch(ctx, q, e, l.WebhookID); err != nil {
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
