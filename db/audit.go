package db

import (
	"context"
	"time"
)

// AuditEvent is one act of an administrator. AccountID "" concerns the whole server.
type AuditEvent struct {
	AccountID string    `db:"account_id"`
	ID        string    `db:"event_id"`
	Action    string    `db:"action"`
	Target    string    `db:"target"`
	ActorKind string    `db:"actor_kind"` // "key", "client", "user", "command", "system" or "anonymous"
	ActorID   string    `db:"actor_id"`
	Address   string    `db:"address"`
	RequestID string    `db:"request_id"`
	Details   []byte    `db:"details"` // a JSON object
	CreatedAt time.Time `db:"created_at"`
}

// AuditFilter chooses audit events. Zero values choose all.
type AuditFilter struct {
	Action   string    // exactly this one
	From, To time.Time // created in [From, To)
	BeforeID string    // events older than this one
	Limit    int
}

// InsertAuditEvent stores an act, inside the transaction that did it.
func (q *Queries) InsertAuditEvent(ctx context.Context, e AuditEvent) error {
	_, err := q.exec(ctx, `
		insert into audit_events (account_id, event_id, action, target, actor_kind, actor_id, address, request_id, details, created_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		e.AccountID, e.ID, e.Action, e.Target, e.ActorKind, e.ActorID, e.Address, e.RequestID, string(e.Details), e.CreatedAt)
	return err
}

// AuditEvents lists the account's acts, the newest first.
func (q *Queries) AuditEvents(ctx context.Context, accountID string, f AuditFilter) ([]AuditEvent, error) {
	if f.To.IsZero() {
		f.To = endOfTime
	}
	events := []AuditEvent{}
	err := q.list(ctx, &events, `
		select account_id, event_id, action, target, actor_kind, actor_id, address, request_id, details, created_at
		from audit_events
		where account_id = $1 and ($2 = '' or event_id < $2) and `+ifGiven(f.Action, "action = $3")+` and created_at >= $4 and created_at < $5
		order by event_id desc
		limit $6`,
		accountID, f.BeforeID, f.Action, f.From, f.To, f.Limit)
	return events, err
}

// endOfTime is after everything that is stored.
var endOfTime = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
