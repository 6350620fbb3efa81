package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"parley/db"
	"parley/impl/core/event"
	"parley/impl/core/failpoint"
	"parley/impl/core/fault"
	"parley/impl/core/job"
)

// schedule are the waits after failed attempts; together a little over a day.
var schedule = []time.Duration{
	5 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 8 * time.Hour, 10 * time.Hour,
}

const (
	// disableAfter is how long a webhook may fail without a success in between.
	disableAfter = 3 * 24 * time.Hour
	// gone is the status by which a receiver says that it wants nothing more.
	gone = 410
)

// Handle registers the jobs of events and deliveries.
func (s *Service) Handle(r *job.Runner) {
	r.Handle(db.EventJob, job.Handler{Do: s.fanOut, Slots: 4})
	r.Handle(DeliverKind, job.Handler{Do: job.Typed(s.deliver), Slots: 16, Backoff: wait})
	r.Handle(balancesKind, job.Handler{Do: s.tellLowBalances, Slots: 1})
	r.Every(balancesKind, balancesEvery)
	r.Handle(cleanupKind, job.Handler{Do: s.cleanUp, Slots: 1, Timeout: 5 * time.Minute})
	r.Every(cleanupKind, time.Hour)
}

func wait(attempt int) time.Duration { return schedule[min(attempt, len(schedule))-1] }

// fanOut stores a delivery of the event for each webhook that wants it and was
// there when it happened.
func (s *Service) fanOut(ctx context.Context, r job.Run) error {
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		e, err := q.Event(ctx, r.AccountID, r.ID)
		if errors.Is(err, db.ErrNotFound) {
			return nil // erased meanwhile
		}
		if err != nil {
			return err
		}
		wanting, err := q.WebhooksFor(ctx, e.AccountID, e.Kind)
		if err != nil {
			return err
		}
		for _, w := range wanting {
			if w.CreatedAt.After(e.CreatedAt) {
				continue
			}
			if _, err := s.dispatch(ctx, q, e, w.ID); err != nil {
				return err
			}
		}
		return nil
	})
	failpoint.Here(failpoint.EventDispatched)
	return err
}

// deliver makes one attempt at a delivery and notes how it went.
func (s *Service) deliver(ctx context.Context, r job.Run, args deliverArgs) error {
	d, err := s.DB.Delivery(ctx, r.AccountID, "", args.DeliveryID)
	if err == nil && d.State != db.DeliveryPending {
		return nil // noted by an attempt whose server died before the job was finished
	}
	var w db.Webhook
	var e db.Event
	if err == nil {
		w, err = s.DB.Webhook(ctx, r.AccountID, d.WebhookID)
	}
	if err == nil {
		e, err = s.DB.Event(ctx, r.AccountID, d.EventID)
	}
	if errors.Is(err, db.ErrNotFound) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	if w.Status != db.WebhookEnabled {
		return s.giveUp(ctx, d, errDisabled)
	}
	return s.attempt(ctx, r, w, e, d)
}

var errOurs = fault.New(fault.Internal, "The server could not compose the delivery.")

// compose makes body and headers of a delivery.
func (s *Service) compose(ctx context.Context, w db.Webhook, e db.Event, at time.Time) ([]byte, map[string]string, error) {
	body, err := s.body(ctx, w, e)
	if err != nil {
		return nil, nil, err
	}
	header, err := s.sign(w, e.ID, at, body)
	return body, header, err
}

func (s *Service) giveUp(ctx context.Context, d db.Delivery, why *fault.Error) error {
	d.State, d.Problem, d.NextAttemptAt = db.DeliveryFailed, &why.Message, nil
	return errors.Join(job.Final(why), s.DB.UpdateDelivery(ctx, d))
}

func (s *Service) attempt(ctx context.Context, r job.Run, w db.Webhook, e db.Event, d db.Delivery) error {
	begun := s.Now()
	body, header, err := s.compose(ctx, w, e, begun)
	if err != nil && r.Last() {
		return errors.Join(err, s.giveUp(ctx, d, errOurs))
	}
	if err != nil {
		return err
	}
	status, problem := s.Post(ctx, w.URL, header, body)
	if status == 0 && ctx.Err() != nil {
		return ctx.Err() // ours was the end, not the receiver's
	}
	took := int(s.Now().Sub(begun).Milliseconds())
	d.Attempts++
	d.DurationMS, d.StatusCode = &took, nil
	if status != 0 {
		d.StatusCode = &status
	}
	if status >= 300 || (status > 0 && status < 200) {
		problem = fmt.Sprintf("The receiver answered %d.", status)
	}
	failpoint.Here(failpoint.DeliverySent)
	err = s.note(ctx, r, d, status, problem)
	failpoint.Here(failpoint.DeliveryNoted)
	return err
}

// note stores how an attempt went, and what follows from it for the webhook.
func (s *Service) note(ctx context.Context, r job.Run, d db.Delivery, status int, problem string) error {
	var failure error
	d.State, d.Problem, d.NextAttemptAt = db.DeliveryDelivered, nil, nil
	if problem != "" {
		told := fault.New(fault.Upstream, "%s", problem)
		d.State, d.Problem = db.DeliveryFailed, &problem
		if status != gone && !r.Last() {
			next := s.Now().Add(wait(r.Attempt))
			d.State, d.NextAttemptAt, failure = db.DeliveryPending, &next, job.Retry(told, wait(r.Attempt))
		} else {
			failure = job.Final(told)
		}
	}
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		w, err := q.LockWebhook(ctx, d.AccountID, d.WebhookID) // before the delivery, as who deletes the webhook does
		if err != nil {
			return err
		}
		if err := q.UpdateDelivery(ctx, d); err != nil {
			return err
		}
		return s.noteHealth(ctx, q, w, d, status)
	})
	if errors.Is(err, db.ErrNotFound) {
		return nil // deleted meanwhile
	}
	return errors.Join(failure, err)
}

// noteHealth disables a webhook that fails for days or is gone, and forgets
// earlier failures at a success. A healthy webhook's success writes nothing.
func (s *Service) noteHealth(ctx context.Context, q *db.Queries, w db.Webhook, d db.Delivery, status int) error {
	now, before := s.Now(), w.FailingSince
	switch {
	case d.Problem == nil && before == nil:
		return nil
	case d.Problem == nil:
		w.FailingSince = nil
	case status == gone:
		w.Status, w.DisabledReason = db.WebhookDisabled, text("The receiver answered 410 Gone.")
	case before == nil:
		w.FailingSince = &now
	case now.Sub(*before) >= disableAfter:
		w.Status, w.DisabledReason = db.WebhookDisabled, text("No delivery has succeeded for 3 days.")
	default:
		return nil
	}
	return q.UpdateWebhook(ctx, w)
}

func text(s string) *string { return &s }

// message is the body of a delivery, in the form that Standard Webhooks recommend.
type message struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      any       `json:"data"`
}

// body is the event as the webhook wants it: texts are read as they are now,
// so that what was erased is not sent.
func (s *Service) body(ctx context.Context, w db.Webhook, e db.Event) ([]byte, error) {
	m := message{Type: e.Kind, Timestamp: e.CreatedAt.UTC(), Data: json.RawMessage(e.Payload)}
	if w.IncludeText && e.Kind == event.MessageCreated {
		var data event.Message
		if err := json.Unmarshal(e.Payload, &data); err != nil {
			return nil, fmt.Errorf("decode event: %w", err)
		}
		if data.ConversationID != nil {
			var err error
			data.Text, err = s.DB.MessageText(ctx, e.AccountID, *data.ConversationID, data.MessageID)
			if err != nil && !errors.Is(err, db.ErrNotFound) {
				return nil, err
			}
		}
		m.Data = data
	}
	return json.Marshal(m)
}

// sign returns the headers of Standard Webhooks: the event's id, so that
// receivers can tell repetitions, and a signature for each secret in use.
func (s *Service) sign(w db.Webhook, eventID string, at time.Time, body []byte) (map[string]string, error) {
	sealed := [][]byte{w.SealedSecret}
	if w.PreviousUntil != nil && at.Before(*w.PreviousUntil) {
		sealed = append(sealed, w.SealedPrevious)
	}
	signatures := ""
	for _, one := range sealed {
		key, err := s.Box.Open(one, sealContext(w.ID))
		if err != nil {
			return nil, err
		}
		signer, err := standard.NewWebhook(key)
		if err != nil {
			return nil, fmt.Errorf("read signing secret: %w", err)
		}
		signature, err := signer.Sign(eventID, at, body)
		if err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
		if signatures != "" {
			signatures += " "
		}
		signatures += signature
	}
	return map[string]string{
		standard.HeaderWebhookID: eventID, standard.HeaderWebhookTimestamp: strconv.FormatInt(at.Unix(), 10),
		standard.HeaderWebhookSignature: signatures,
	}, nil
}
