// Package audit records what administrators do, in the transaction that does
// it: an act without its record, or a record without its act, cannot be.
package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"parley/db"
	"parley/impl/core/id"
)

// Server is the account of acts that concern the whole server.
const Server = ""

// Actor is who acts.
type Actor struct {
	Kind      string // "key", "client", "user", "command", "system" or "anonymous"
	ID        string // of the key, client or user; the operating system's user of a command; "" of the system and of who is nobody yet
	Address   string // of the client; "" without a request
	RequestID string
}

type actorKey struct{}

// WithActor returns a context whose acts are the actor's.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// actorOf is the actor of ctx; work that nobody asked for is the system's.
func actorOf(ctx context.Context) Actor {
	if a, ok := ctx.Value(actorKey{}).(Actor); ok {
		return a
	}
	return Actor{Kind: "system"}
}

// AsUser returns a context whose acts are a person's, from where those of ctx
// come: who signs in is known only when they did.
func AsUser(ctx context.Context, userID string) context.Context {
	a := actorOf(ctx)
	a.Kind, a.ID = "user", userID
	return WithActor(ctx, a)
}

// Event is one act.
type Event struct {
	AccountID string         // whose it is; Server for the whole server
	Action    string         // noun.verb, for example "key.created"
	Target    string         // the id of what was acted on
	Details   map[string]any // what changed: names and figures, never secrets or texts
}

// Record stores an act of the actor of ctx. Call it with the queries of the
// transaction that acts.
func Record(ctx context.Context, q *db.Queries, e Event) error {
	details := []byte("{}")
	if len(e.Details) > 0 {
		var err error
		if details, err = json.Marshal(e.Details); err != nil {
			return fmt.Errorf("audit %s: %w", e.Action, err)
		}
	}
	a := actorOf(ctx)
	return q.InsertAuditEvent(ctx, db.AuditEvent{
		AccountID: e.AccountID, ID: id.New(id.Audit), Action: e.Action, Target: e.Target, ActorKind: a.Kind, ActorID: a.ID,
		Address: a.Address, RequestID: a.RequestID, Details: details, CreatedAt: time.Now().UTC().Truncate(time.Microsecond),
	})
}

// Log reads what was recorded.
type Log struct{ DB *db.DB }

// List returns the account's acts that the filter chooses, the newest first.
func (l *Log) List(ctx context.Context, accountID string, f db.AuditFilter) ([]db.AuditEvent, error) {
	return l.DB.AuditEvents(ctx, accountID, f)
}
