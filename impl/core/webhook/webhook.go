// Package webhook keeps the addresses that are told what happens in an account,
// and tells them. What is told comes from package event; each event goes to each webhook as
// one delivery, which is a job and is repeated until the receiver accepts it.
//
// Receivers may get an event more than once and in any order; its id stays the same.
// Signatures are those of the Standard Webhooks specification.
package webhook

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"parley/db"
	"parley/impl/core/audit"
	"parley/impl/core/event"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/secret"
)

const (
	// most is how many webhooks an account may have: each costs a job an event.
	most = 20
	// secretBytes is what the specification recommends, at least.
	secretBytes  = 32
	secretPrefix = "whsec_"
)

// Service keeps webhooks and tells them.
type Service struct {
	DB  *db.DB
	Box *secret.Box
	Now func() time.Time
	// Check refuses addresses that cannot be reached for sure.
	Check func(url string) error
	// Post sends a body and returns the answer's status or, without an answer, 0 and why, in a sentence.
	Post func(ctx context.Context, url string, header map[string]string, body []byte) (status int, problem string)
}

// Input is what a webhook is made of. For a change, nil leaves what is.
type Input struct {
	URL         *string
	Description *string
	Events      []string
	IncludeText *bool
	Enabled     *bool
}

// WithSecret is a webhook with its signing secret, which is never available again.
type WithSecret struct {
	db.Webhook
	Secret string
}

// Create stores an enabled webhook. Bad addresses and kinds are Invalid faults;
// an account with too many webhooks is a Conflict.
func (s *Service) Create(ctx context.Context, accountID string, in Input) (WithSecret, error) {
	w := db.Webhook{AccountID: accountID, ID: id.New(id.Webhook), Status: db.WebhookEnabled, CreatedAt: s.Now()}
	if err := s.apply(&w, in); err != nil {
		return WithSecret{}, err
	}
	text := newSecret()
	w.SealedSecret = s.Box.Seal(text, sealContext(w.ID))
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		err := q.InsertWebhook(ctx, w, most)
		if errors.Is(err, db.ErrNotFound) {
			return fault.New(fault.Conflict, "An account has at most %d webhooks.", most)
		}
		if err != nil {
			return err
		}
		return book(ctx, q, w, "webhook.created")
	})
	return WithSecret{w, text}, err
}

// book records what was done to a webhook. Its address may hold a secret and is left out.
func book(ctx context.Context, q *db.Queries, w db.Webhook, action string) error {
	return audit.Record(ctx, q, audit.Event{AccountID: w.AccountID, Action: action, Target: w.ID, Details: map[string]any{
		"events": w.Events, "include_text": w.IncludeText, "status": w.Status,
	}})
}

func newSecret() string {
	raw := make([]byte, secretBytes)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the process instead
	return secretPrefix + base64.StdEncoding.EncodeToString(raw)
}

// sealContext binds a sealed secret to its webhook.
func sealContext(webhookID string) string { return "webhook:" + webhookID }

func (s *Service) apply(w *db.Webhook, in Input) error {
	if in.URL != nil {
		if err := s.Check(*in.URL); err != nil {
			return fault.New(fault.Invalid, "The url of a webhook is an http or https address of a public host, without user information.").Because(err)
		}
		w.URL = *in.URL
	}
	if in.Description != nil {
		w.Description = strings.TrimSpace(*in.Description)
	}
	if in.Events != nil {
		w.Events = slices.Compact(slices.Sorted(slices.Values(in.Events)))
	}
	if in.IncludeText != nil {
		w.IncludeText = *in.IncludeText
	}
	if in.Enabled != nil {
		w.Status, w.DisabledReason, w.FailingSince = db.WebhookDisabled, nil, nil
		if *in.Enabled {
			w.Status = db.WebhookEnabled
		}
	}
	return check(*w)
}

func check(w db.Webhook) error {
	for _, kind := range w.Events {
		if !slices.Contains(event.Kinds, kind) {
			return fault.New(fault.Invalid, "The kinds of events are %s.", strings.Join(event.Kinds, ", "))
		}
	}
	if utf8.RuneCountInString(w.Description) > 500 {
		return fault.New(fault.Invalid, "The description of a webhook has at most 500 characters.")
	}
	return nil
}

// List returns the account's webhooks, the newest first, from before an id ("" from the newest).
func (s *Service) List(ctx context.Context, accountID, beforeID string, limit int) ([]db.Webhook, error) {
	return s.DB.Webhooks(ctx, accountID, beforeID, limit)
}

// Get returns a webhook of the account; any other is a NotFound fault.
func (s *Service) Get(ctx context.Context, accountID, webhookID string) (db.Webhook, error) {
	w, err := s.DB.Webhook(ctx, accountID, webhookID)
	return w, missing(err, "Webhook")
}

func missing(err error, what string) error {
	if errors.Is(err, db.ErrNotFound) {
		return fault.New(fault.NotFound, "%s not found", what)
	}
	return err
}

// Update changes what is given of a webhook. Enabling one forgets its failures.
func (s *Service) Update(ctx context.Context, accountID, webhookID string, in Input) (db.Webhook, error) {
	return s.change(ctx, accountID, webhookID, "webhook.updated", func(w *db.Webhook) error { return s.apply(w, in) })
}

// Rotate gives a webhook a new secret. For grace more, deliveries carry the signatures of both.
func (s *Service) Rotate(ctx context.Context, accountID, webhookID string, grace time.Duration) (WithSecret, error) {
	text := newSecret()
	w, err := s.change(ctx, accountID, webhookID, "webhook.rotated", func(w *db.Webhook) error {
		w.SealedPrevious, w.PreviousUntil = nil, nil
		if grace > 0 {
			until := s.Now().Add(grace)
			w.SealedPrevious, w.PreviousUntil = w.SealedSecret, &until
		}
		w.SealedSecret = s.Box.Seal(text, sealContext(w.ID))
		return nil
	})
	return WithSecret{w, text}, err
}

// change edits a locked webhook, stores and books it.
func (s *Service) change(ctx context.Context, accountID, webhookID, action string, edit func(*db.Webhook) error) (db.Webhook, error) {
	var w db.Webhook
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		var err error
		if w, err = q.LockWebhook(ctx, accountID, webhookID); err != nil {
			return missing(err, "Webhook")
		}
		if err := edit(&w); err != nil {
			return err
		}
		if err := q.UpdateWebhook(ctx, w); err != nil {
			return err
		}
		return book(ctx, q, w, action)
	})
	return w, err
}

// Delete removes a webhook with its deliveries; what is under way to it is not sent any more.
func (s *Service) Delete(ctx context.Context, accountID, webhookID string) error {
	return s.DB.InTx(ctx, func(q *db.Queries) error {
		w, err := q.LockWebhook(ctx, accountID, webhookID)
		if err == nil {
			err = q.DeleteWebhook(ctx, accountID, webhookID)
		}
		if err != nil {
			return missing(err, "Webhook")
		}
		return book(ctx, q, w, "webhook.deleted")
	})
}
