package db

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx/types"
)

// The states of a turn. It leaves "running" once and for good.
const (
	TurnRunning   = "running"
	TurnCompleted = "completed"
	TurnFailed    = "failed"
	TurnCancelled = "cancelled"
)

// Turn is one answer being made or made.
type Turn struct {
	AccountID      string         `db:"account_id"`
	ID             string         `db:"turn_id"`
	Surface        string         `db:"surface"`
	ConversationID *string        `db:"conversation_id"`
	AppID          string         `db:"app_id"`
	KeyID          string         `db:"key_id"`
	ModelID        string         `db:"model_id"`
	State          string         `db:"state"`
	Owner          string         `db:"owner"`
	Generation     int64          `db:"generation"`  // which of its owners that is
	LeaseUntil     time.Time      `db:"lease_until"` // by the database's clock
	Lease          time.Duration  `db:"-"`           // how long BeginTurn makes it
	HeldMicros     int64          `db:"held_micros"`
	CostMicros     int64          `db:"cost_micros"`
	InputTokens    int64          `db:"input_tokens"`
	OutputTokens   int64          `db:"output_tokens"`
	Estimated      bool           `db:"estimated"`
	LastEvent      int64          `db:"last_event"`
	Options        types.JSONText `db:"options"` // what the request asked of its stream, in the surface's own terms
	Failure        *string        `db:"failure"`
	FailureKind    *string        `db:"failure_kind"` // what went wrong, in the words of the rules above
	IdempotencyKey *string        `db:"idempotency_key"`
	EndUser        *string        `db:"end_user"` // whom the caller made it for; nil when it did not say
	Unstored       bool           `db:"unstored"` // nothing of its text is kept: it has no events
	CreatedAt      time.Time      `db:"created_at"`
	EndedAt        *time.Time     `db:"ended_at"`
	FirstMs        *int64         `db:"-"` // how long its first piece took, for EndTurn; nil when that is unknown
}

const turnColumns = `account_id, turn_id, surface, conversation_id, app_id, key_id, model_id, state, owner, generation, lease_until,
	held_micros, cost_micros, input_tokens, output_tokens, estimated, last_event, options, failure, failure_kind,
	idempotency_key, end_user, created_at, ended_at, unstored`

// Turn returns one turn of the account.
func (q *Queries) Turn(ctx context.Context, accountID, turnID string) (Turn, error) {
	var t Turn
	err := q.get(ctx, &t, `
		select `+turnColumns+`
		from turns
		where account_id = $1 and turn_id = $2`,
		accountID, turnID)
	return t, err
}

// RequestCancel asks the owner of a running turn to end it.
func (q *Queries) RequestCancel(ctx context.Context, accountID, turnID string) error {
	return q.execOne(ctx, `
		update turns
		set cancel_requested = true
		where account_id = $1 and turn_id = $2 and state = 'running'`,
		accountID, turnID)
}
