// Package event tells webhooks what happens: an outbox in the transaction of
// what it tells. Payloads hold ids and figures, never texts. Recording costs an account
// without webhooks one statement that writes nothing; the end of a turn, which is hot, not even that.
//
// To add a kind: a constant, its place in Kinds, the schema WebhookEventKind of the
// document, and a Record in the transaction of the act.
package event

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"parley/db"
	"parley/impl/core/id"
)

// The kinds of events.
const (
	MessageCreated = "message.created" // an answer was completed
	TurnFailed     = "turn.failed"
	BalanceLow     = "balance.low"
	KeyCreated     = "key.created"
	KeyRevoked     = "key.revoked" // deactivated or deleted
	KeyRotated     = "key.rotated"
	// KeyUnusualUsage is also the action in the audit log.
	KeyUnusualUsage = "key.unusual_usage"
	ExportReady     = "export.ready"
	ErasureDone     = "erasure.done"
	WebhookTest     = "webhook.test" // sent to one webhook, on request
	// EngagementRuleMet says that a figure of an end user crossed a rule's threshold.
	EngagementRuleMet = "engagement.rule_met"
	// ChatWaiting says that the run of a chat waits for a person.
	ChatWaiting = "chat.waiting"
)

// Kinds are what a webhook can subscribe to.
var Kinds = []string{BalanceLow, ChatWaiting, EngagementRuleMet, ErasureDone, ExportReady, KeyCreated, KeyRevoked, KeyRotated, KeyUnusualUsage, MessageCreated, TurnFailed}

// New is an event of the account with data as its payload.
func New(accountID, kind string, now time.Time, data any) (db.Event, error) {
	payload, err := json.Marshal(data)
	if err != nil {
		return db.Event{}, fmt.Errorf("encode event %s: %w", kind, err)
	}
	return db.Event{AccountID: accountID, ID: id.New(id.Event), Kind: kind, Payload: payload, CreatedAt: now}, nil
}

// Record stores an event when a webhook of the account wants its kind. Call it
// in the transaction of what it tells.
func Record(ctx context.Context, q *db.Queries, accountID, kind string, now time.Time, data any) error {
	e, err := New(accountID, kind, now, data)
	if err != nil {
		return err
	}
	return q.RecordEvent(ctx, e)
}

// Key is the payload of events about keys.
type Key struct {
	KeyID string `json:"key_id"`
}

// UnusualUse is the payload of events about keys that are used in another way than as a rule.
type UnusualUse struct {
	KeyID    string `json:"key_id"`
	Reason   string `json:"reason"`                   // new_origin, new_network or high_rate
	Place    string `json:"place,omitempty"`          // the origin, or the network as a CIDR
	Requests int64  `json:"requests,omitempty"`       // of this hour so far, at a high rate
	Usual    int64  `json:"usual_requests,omitempty"` // of an hour in which the key is used
}

// Message is the payload of events about answers.
type Message struct {
	TurnID         string  `json:"turn_id"`
	Surface        string  `json:"surface"`
	AppID          string  `json:"app_id"`
	KeyID          string  `json:"key_id"`
	ConversationID *string `json:"conversation_id"` // nil when the answer belongs to none
	MessageID      string  `json:"message_id,omitempty"`
	Model          string  `json:"model"`
	InputTokens    int64   `json:"input_tokens"`
	OutputTokens   int64   `json:"output_tokens"`
	CostMicros     int64   `json:"cost_micros"`
	Text           string  `json:"text,omitempty"` // filled when it is sent, for webhooks that asked for texts
}

// OfTurn is the event of an ended turn, for db.Ending; nil for one that was cancelled.
func OfTurn(t db.Turn, messageID string) *db.Event {
	kind := map[string]string{db.TurnCompleted: MessageCreated, db.TurnFailed: TurnFailed}[t.State]
	if kind == "" {
		return nil
	}
	e, err := New(t.AccountID, kind, *t.EndedAt, Message{
		TurnID: t.ID, Surface: t.Surface, AppID: t.AppID, KeyID: t.KeyID, ConversationID: t.ConversationID, MessageID: messageID,
		Model: t.ModelID, InputTokens: t.InputTokens, OutputTokens: t.OutputTokens, CostMicros: t.CostMicros,
	})
	if err != nil {
		panic(err) // a plain struct
	}
	return &e
}
