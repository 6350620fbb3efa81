package webhook

import (
	"context"
	"time"

	"parley/db"
	"parley/impl/core/event"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/job"
)

// DeliverKind is the kind of the job that makes one delivery.
const DeliverKind = "webhook"

// deliverArgs are the arguments of a delivery's job.
type deliverArgs struct {
	DeliveryID string `json:"delivery_id"`
}

// SendTest sends an event of its own to one webhook, whatever kinds it wants.
// A disabled webhook is a Conflict.
func (s *Service) SendTest(ctx context.Context, accountID, webhookID string) (db.Delivery, error) {
	w, err := s.Get(ctx, accountID, webhookID)
	if err != nil {
		return db.Delivery{}, err
	}
	if w.Status != db.WebhookEnabled {
		return db.Delivery{}, errDisabled
	}
	e, err := event.New(accountID, event.WebhookTest, s.Now(), map[string]string{"webhook_id": webhookID})
	if err != nil {
		return db.Delivery{}, err
	}
	var d db.Delivery
	err = s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.InsertEvent(ctx, e); err != nil {
			return err
		}
		d, err = s.dispatch(ctx, q, e, webhookID)
		return err
	})
	return d, err
}

var errDisabled = fault.New(fault.Conflict, "The webhook is disabled.")

// dispatch stores the delivery of an event to a webhook, and its job.
func (s *Service) dispatch(ctx context.Context, q *db.Queries, e db.Event, webhookID string) (db.Delivery, error) {
	now := s.Now()
	d := db.Delivery{
		AccountID: e.AccountID, ID: id.New(id.Delivery), WebhookID: webhookID, EventID: e.ID, Kind: e.Kind,
		State: db.DeliveryPending, NextAttemptAt: &now, CreatedAt: now,
	}
	fresh, err := q.InsertDelivery(ctx, d)
	if err != nil || !fresh {
		return d, err
	}
	return d, s.enqueue(ctx, q, d, now)
}

func (s *Service) enqueue(ctx context.Context, q *db.Queries, d db.Delivery, now time.Time) error {
	return job.Enqueue(ctx, q, now, job.New{
		AccountID: d.AccountID, Kind: DeliverKind, Args: deliverArgs{d.ID}, MaxAttempts: len(schedule) + 1,
	})
}

// Deliveries lists a webhook's deliveries, the newest first, from before an id ("" from the newest).
func (s *Service) Deliveries(ctx context.Context, accountID, webhookID, beforeID string, limit int) ([]db.Delivery, error) {
	if _, err := s.Get(ctx, accountID, webhookID); err != nil {
		return nil, err
	}
	return s.DB.Deliveries(ctx, accountID, webhookID, beforeID, limit)
}

// Redeliver sends a delivery again, whatever became of it, with as many
// attempts as the first time. One that is under way stays as it is; a disabled webhook is a Conflict.
func (s *Service) Redeliver(ctx context.Context, accountID, webhookID, deliveryID string) (db.Delivery, error) {
	w, err := s.Get(ctx, accountID, webhookID)
	if err != nil {
		return db.Delivery{}, err
	}
	if w.Status != db.WebhookEnabled {
		return db.Delivery{}, errDisabled
	}
	var d db.Delivery
	err = s.DB.InTx(ctx, func(q *db.Queries) error {
		if d, err = q.Delivery(ctx, accountID, webhookID, deliveryID); err != nil {
			return missing(err, "Delivery")
		}
		if d.State == db.DeliveryPending {
			return nil
		}
		now := s.Now()
		d.State, d.NextAttemptAt = db.DeliveryPending, &now
		if err := q.UpdateDelivery(ctx, d); err != nil {
			return err
		}
		return s.enqueue(ctx, q, d, now)
	})
	return d, err
}
