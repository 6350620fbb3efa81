package db

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx/types"
)

// EventJob is the kind of the job that sends an event to the webhooks that
// want it; the job's id is the event's.
const EventJob = "event"

// Event is something that happened in an account and that a webhook wants to know.
type Event struct {
	AccountID string         `db:"account_id"`
	ID        string         `db:"event_id"`
	Kind      string         `db:"kind"`
	Payload   types.JSONText `db:"payload"` // ids and figures, never texts
	CreatedAt time.Time      `db:"created_at"`
}

// The states of a delivery.
const (
	DeliveryPending   = "pending"
	DeliveryDelivered = "delivered"
	DeliveryFailed    = "failed"
)

// Delivery is one event on its way to one webhook.
type Delivery struct {
	AccountID     string     `db:"account_id"`
	ID            string     `db:"delivery_id"`
	WebhookID     string     `db:"webhook_id"`
	EventID       string     `db:"event_id"`
	Kind          string     `db:"kind"` // of the event
	State         string     `db:"state"`
	Attempts      int        `db:"attempts"`
	StatusCode    *int       `db:"status_code"` // of the latest answer; nil without one
	DurationMS    *int       `db:"duration_ms"`
	Problem       *string    `db:"problem"` // of the latest attempt; nil when it succeeded or none was made
	NextAttemptAt *time.Time `db:"next_attempt_at"`
	CreatedAt     time.Time  `db:"created_at"`
}

const deliveryColumns = `d.account_id, d.delivery_id, d.webhook_id, d.event_id, e.kind, d.state, d.attempts, d.status_code,
	d.duration_ms, d.problem, d.next_attempt_at, d.created_at`

// RecordEvent stores an event and the job that sends it, when an enabled
// webhook of the account wants its kind; otherwise it does nothing.
func (q *Queries) RecordEvent(ctx context.Context, e Event) error {
	n, err := q.exec(ctx, `
		with told as (
			insert into webhook_events (account_id, event_id, kind, payload, created_at)
			select $1, $2, $3, $4, $5
			where exists (
				select 1 from webhooks where account_id = $1 and status = 'enabled' and $3 = any(events))
			on conflict (account_id, event_id) do nothing
			returning event_id
		)
		insert into jobs (account_id, job_id, kind, args, max_attempts, run_at, created_at)
		select $1, event_id, '`+EventJob+`', '{}', 10, $5, $5
		from told`,
		e.AccountID, e.ID, e.Kind, e.Payload, e.CreatedAt)
	if err == nil && n > 0 {
		q.jobs.added(q.tx != nil)
	}
	return err
}

// InsertEvent stores an event whoever wants it, without a job.
func (q *Queries) InsertEvent(ctx context.Context, e Event) error {
	_, err := q.exec(ctx, `
		insert into webhook_events (account_id, event_id, kind, payload, created_at)
		values ($1, $2, $3, $4, $5)
		on conflict (account_id, event_id) do nothing`,
		e.AccountID, e.ID, e.Kind, e.Payload, e.CreatedAt)
	return err
}

// Event returns one event of the account.
func (q *Queries) Event(ctx context.Context, accountID, eventID string) (Event, error) {
	var e Event
	err := q.get(ctx, &e, `
		select account_id, event_id, kind, payload, created_at
		from webhook_events
		where account_id = $1 and event_id = $2`,
		accountID, eventID)
	return e, err
}

// WebhooksFor returns the enabled webhooks of the account that want a kind of event.
func (q *Queries) WebhooksFor(ctx context.Context, accountID, kind string) ([]Webhook, error) {
	found := []Webhook{}
	err := q.list(ctx, &found, `
		select `+webhookColumns+`
		from webhooks
		where account_id = $1 and status = 'enabled' and $2 = any(events)`,
		accountID, kind)
	return found, err
}

// InsertDelivery stores a delivery that is to be attempted at NextAttemptAt. An event goes
// to a webhook once: of a second delivery nothing is stored, and the result is false.
func (q *Queries) InsertDelivery(ctx context.Context, d Delivery) (bool, error) {
	n, err := q.exec(ctx, `
		insert into webhook_deliveries (account_id, delivery_id, webhook_id, event_id, state, next_attempt_at, created_at)
		values ($1, $2, $3, $4, 'pending', $5, $5)
		on conflict (account_id, event_id, webhook_id) do nothing`,
		d.AccountID, d.ID, d.WebhookID, d.EventID, d.CreatedAt)
	return n > 0, err
}

// Delivery returns one delivery of one of the account's webhooks; webhookID "" means whichever it is.
func (q *Queries) Delivery(ctx context.Context, accountID, webhookID, deliveryID string) (Delivery, error) {
	var d Delivery
	err := q.get(ctx, &d, `
		select `+deliveryColumns+`
		from webhook_deliveries d
		join webhook_events e on e.account_id = d.account_id and e.event_id = d.event_id
		where d.account_id = $1 and d.delivery_id = $2 and ($3 = '' or d.webhook_id = $3)`,
		accountID, deliveryID, webhookID)
	return d, err
}

// Deliveries lists a webhook's deliveries, the newest first, from before an id; "" starts with the newest.
func (q *Queries) Deliveries(ctx context.Context, accountID, webhookID, beforeID string, limit int) ([]Delivery, error) {
	found := []Delivery{}
	err := q.list(ctx, &found, `
		select `+deliveryColumns+`
		from webhook_deliveries d
		join webhook_events e on e.account_id = d.account_id and e.event_id = d.event_id
		where d.account_id = $1 and d.webhook_id = $2 and `+ifGiven(beforeID, "d.delivery_id < $3")+`
		order by d.delivery_id desc
		limit $4`,
		accountID, webhookID, beforeID, limit)
	return found, err
}

// UpdateDelivery stores where a delivery stands.
func (q *Queries) UpdateDelivery(ctx context.Context, d Delivery) error {
	return q.execOne(ctx, `
		update webhook_deliveries
		set state = $3, attempts = $4, status_code = $5, duration_ms = $6, problem = $7, next_attempt_at = $8
		where account_id = $1 and delivery_id = $2`,
		d.AccountID, d.ID, d.State, d.Attempts, d.StatusCode, d.DurationMS, d.Problem, d.NextAttemptAt)
}

// DeleteOldEvents removes at most limit events from before a time, with their
// deliveries, and returns how many. It crosses accounts: it is the server's housekeeping.
func (q *Queries) DeleteOldEvents(ctx context.Context, before time.Time, limit int) (int64, error) {
	return q.exec(ctx, `
		delete from webhook_events e
		using (select account_id, event_id from webhook_events where created_at < $1 limit $2) old
		where e.account_id = old.account_id and e.event_id = old.event_id`,
		before, limit)
}

// MessageText returns the text of one message of a conversation.
func (q *Queries) MessageText(ctx context.Context, accountID, conversationID, messageID string) (string, error) {
	var text string
	err := q.get(ctx, &text, `
		select content
		from messages
		where account_id = $1 and conversation_id = $2 and message_id = $3`,
		accountID, conversationID, messageID)
	return text, err
}
