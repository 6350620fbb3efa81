package db

import (
	"context"
	"time"

	"github.com/lib/pq"
)

// The states of a webhook.
const (
	WebhookEnabled  = "enabled"
	WebhookDisabled = "disabled"
)

// Webhook is an address that is told what happens in the account.
type Webhook struct {
	AccountID      string         `db:"account_id"`
	ID             string         `db:"webhook_id"`
	URL            string         `db:"url"`
	Description    string         `db:"description"`
	Events         pq.StringArray `db:"events"`
	IncludeText    bool           `db:"include_text"`
	SealedSecret   []byte         `db:"sealed_secret"`
	SealedPrevious []byte         `db:"sealed_previous"` // signs too until PreviousUntil
	PreviousUntil  *time.Time     `db:"previous_until"`
	Status         string         `db:"status"`
	DisabledReason *string        `db:"disabled_reason"` // why the server disabled it
	FailingSince   *time.Time     `db:"failing_since"`   // the first failure since the latest success
	CreatedAt      time.Time      `db:"created_at"`
}

const webhookColumns = `account_id, webhook_id, url, description, events, include_text, sealed_secret,
	sealed_previous, previous_until, status, disabled_reason, failing_since, created_at`

// InsertWebhook stores a webhook, unless the account has most already: then it
// is ErrNotFound. One that exists is left as it is.
func (q *Queries) InsertWebhook(ctx context.Context, w Webhook, most int) error {
	return q.execOne(ctx, `
		with inserted as (
			insert into webhooks (account_id, webhook_id, url, description, events, include_text,
				sealed_secret, status, created_at)
			select $1, $2, $3, $4, $5, $6, $7, $8, $9
			where (select count(*) from webhooks where account_id = $1) < $10
			on conflict (account_id, webhook_id) do nothing
			returning 1
		)
		select 1 from inserted
		union all
		select 1 from webhooks where account_id = $1 and webhook_id = $2`,
		w.AccountID, w.ID, w.URL, w.Description, w.Events, w.IncludeText, w.SealedSecret, w.Status, w.CreatedAt, most)
}

// Webhooks lists the account's webhooks, the newest first, from before an id; "" starts with the newest.
func (q *Queries) Webhooks(ctx context.Context, accountID, beforeID string, limit int) ([]Webhook, error) {
	found := []Webhook{}
	err := q.list(ctx, &found, `
		select `+webhookColumns+`
		from webhooks
		where account_id = $1 and ($2 = '' or webhook_id < $2)
		order by webhook_id desc
		limit $3`,
		accountID, beforeID, limit)
	return found, err
}

// Webhook returns one webhook of the account.
func (q *Queries) Webhook(ctx context.Context, accountID, webhookID string) (Webhook, error) {
	return q.webhook(ctx, accountID, webhookID, "")
}

// LockWebhook returns one webhook and keeps others from changing it until the transaction ends.
func (q *Queries) LockWebhook(ctx context.Context, accountID, webhookID string) (Webhook, error) {
	return q.webhook(ctx, accountID, webhookID, "for update")
}

func (q *Queries) webhook(ctx context.Context, accountID, webhookID, lock string) (Webhook, error) {
	var w Webhook
	err := q.get(ctx, &w, `
		select `+webhookColumns+`
		from webhooks
		where account_id = $1 and webhook_id = $2
		`+lock,
		accountID, webhookID)
	return w, err
}

// UpdateWebhook stores everything of a webhook but its creation.
func (q *Queries) UpdateWebhook(ctx context.Context, w Webhook) error {
	return q.execOne(ctx, `
		update webhooks
		set url = $3, description = $4, events = $5, include_text = $6, sealed_secret = $7,
			sealed_previous = $8, previous_until = $9, status = $10, disabled_reason = $11, failing_since = $12
		where account_id = $1 and webhook_id = $2`,
		w.AccountID, w.ID, w.URL, w.Description, w.Events, w.IncludeText, w.SealedSecret,
		w.SealedPrevious, w.PreviousUntil, w.Status, w.DisabledReason, w.FailingSince)
}

// DeleteWebhook removes a webhook with its deliveries.
func (q *Queries) DeleteWebhook(ctx context.Context, accountID, webhookID string) error {
	return q.execOne(ctx, `
		delete from webhooks
		where account_id = $1 and webhook_id = $2`,
		accountID, webhookID)
}
