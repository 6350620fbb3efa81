package db

import (
	"context"
	"time"
)

// The scopes of exports and erasures.
const (
	ScopeAccount      = "account"
	ScopeApp          = "app"
	ScopeConversation = "conversation"
	ScopeEndUser      = "end_user"
)

// The states of exports and erasures.
const (
	PrivacyWaiting = "waiting"
	PrivacyReady   = "ready" // of an export
	PrivacyDone    = "done"  // of an erasure
	PrivacyFailed  = "failed"
	PrivacyExpired = "expired" // of an export: its archive is gone
)

// Export is an archive of what is stored, or is to be one.
type Export struct {
	AccountID  string     `db:"account_id"`
	ID         string     `db:"export_id"`
	Scope      string     `db:"scope"`
	Subject    string     `db:"subject"` // id of the app or conversation, name of the end user; "" for the account
	State      string     `db:"state"`
	Records    int64      `db:"records"`
	Bytes      int64      `db:"bytes"`
	CreatedAt  time.Time  `db:"created_at"`
	FinishedAt *time.Time `db:"finished_at"`
	ExpiresAt  *time.Time `db:"expires_at"`
}

// Erasure is an order to forget.
type Erasure struct {
	AccountID     string     `db:"account_id"`
	ID            string     `db:"erasure_id"`
	Scope         string     `db:"scope"`
	Subject       string     `db:"subject"`
	State         string     `db:"state"`
	Conversations int64      `db:"conversations"` // how many it removed
	Blobs         int64      `db:"blobs"`
	CreatedAt     time.Time  `db:"created_at"`
	FinishedAt    *time.Time `db:"finished_at"`
}

const (
	exportColumns  = `account_id, export_id, scope, subject, state, records, bytes, created_at, finished_at, expires_at`
	erasureColumns = `account_id, erasure_id, scope, subject, state, conversations, blobs, created_at, finished_at`
)

// SubjectExists tells whether the account has the subject of an export or erasure.
func (q *Queries) SubjectExists(ctx context.Context, accountID, scope, subject string) (bool, error) {
	var exists bool
	err := q.get(ctx, &exists, `
		select case $2::text
			when 'account' then true
			when 'app' then exists (select 1 from apps where account_id = $1 and app_id = $3)
			when 'end_user' then exists (select 1 from ledger where account_id = $1 and end_user = $3)
				or exists (select 1 from turns where account_id = $1 and end_user = $3)
				or exists (select 1 from engagement_slots where account_id = $1 and user_id = $3)
				or exists (select 1 from budgets where account_id = $1 and kind = 'end_user' and subject = $3)
			else exists (select 1 from conversations where account_id = $1 and conversation_id = $3)
		end`,
		accountID, scope, subject)
	return exists, err
}

// InsertExport stores an export that is to be made.
func (q *Queries) InsertExport(ctx context.Context, e Export) error {
	_, err := q.exec(ctx, `
		insert into exports (`+exportColumns+`)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		on conflict (account_id, export_id) do nothing`,
		e.AccountID, e.ID, e.Scope, e.Subject, e.State, e.Records, e.Bytes, e.CreatedAt, e.FinishedAt, e.ExpiresAt)
	return err
}

// Exports lists the account's exports, the newest first, from before an id; "" starts with the newest.
func (q *Queries) Exports(ctx context.Context, accountID, beforeID string, limit int) ([]Export, error) {
	found := []Export{}
	err := q.list(ctx, &found, `
		select `+exportColumns+`
		from exports
		where account_id = $1 and ($2 = '' or export_id < $2)
		order by export_id desc
		limit $3`,
		accountID, beforeID, limit)
	return found, err
}

// Export returns one export of the account.
func (q *Queries) Export(ctx context.Context, accountID, exportID string) (Export, error) {
	var e Export
	err := q.get(ctx, &e, `
		select `+exportColumns+`
		from exports
		where account_id = $1 and export_id = $2`,
		accountID, exportID)
	return e, err
}

// EndExport stores how an export ended. One that does not wait any more, because it ended or an
// erasure made it void, is ErrNotFound.
func (q *Queries) EndExport(ctx context.Context, e Export) error {
	return q.execOne(ctx, `
		update exports
		set state = $3, records = $4, bytes = $5, finished_at = $6, expires_at = $7
		where account_id = $1 and export_id = $2 and state = 'waiting'`,
		e.AccountID, e.ID, e.State, e.Records, e.Bytes, e.FinishedAt, e.ExpiresAt)
}

// ExpireExport notes that the archive is about to be removed.
func (q *Queries) ExpireExport(ctx context.Context, accountID, exportID string) error {
	return q.execOne(ctx, `
		update exports
		set state = 'expired'
		where account_id = $1 and export_id = $2 and state = 'ready'`,
		accountID, exportID)
}

// ExpiredExports returns ready exports whose time is over. It crosses accounts: it is the server's housekeeping.
func (q *Queries) ExpiredExports(ctx context.Context, now time.Time, limit int) ([]Export, error) {
	found := []Export{}
	err := q.list(ctx, &found, `
		select `+exportColumns+`
		from exports
		where state = 'ready' and expires_at <= $1
		order by expires_at
		limit $2`,
		now, limit)
	return found, err
}

// InsertErasure stores an erasure that is to be carried out.
func (q *Queries) InsertErasure(ctx context.Context, e Erasure) error {
	_, err := q.exec(ctx, `
		insert into erasures (`+erasureColumns+`)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		on conflict (account_id, erasure_id) do nothing`,
		e.AccountID, e.ID, e.Scope, e.Subject, e.State, e.Conversations, e.Blobs, e.CreatedAt, e.FinishedAt)
	return err
}

// Erasures lists the account's erasures, the newest first, from before an id; "" starts with the newest.
func (q *Queries) Erasures(ctx context.Context, accountID, beforeID string, limit int) ([]Erasure, error) {
	found := []Erasure{}
	err := q.list(ctx, &found, `
		select `+erasureColumns+`
		from erasures
		where account_id = $1 and ($2 = '' or erasure_id < $2)
		order by erasure_id desc
		limit $3`,
		accountID, beforeID, limit)
	return found, err
}

// Erasure returns one erasure of the account.
func (q *Queries) Erasure(ctx context.Context, accountID, erasureID string) (Erasure, error) {
	var e Erasure
	err := q.get(ctx, &e, `
		select `+erasureColumns+`
		from erasures
		where account_id = $1 and erasure_id = $2`,
		accountID, erasureID)
	return e, err
}

// AddErased adds to the figures of an erasure under way.
func (q *Queries) AddErased(ctx context.Context, accountID, erasureID string, conversations, blobs int64) error {
	return q.execOne(ctx, `
		update erasures
		set conversations = conversations + $3, blobs = blobs + $4
		where account_id = $1 and erasure_id = $2`,
		accountID, erasureID, conversations, blobs)
}

// EndErasure stores how an erasure ended.
func (q *Queries) EndErasure(ctx context.Context, accountID, erasureID, state string, at time.Time) error {
	return q.execOne(ctx, `
		update erasures
		set state = $3, finished_at = $4
		where account_id = $1 and erasure_id = $2`,
		accountID, erasureID, state, at)
}

// Retention returns how many days the account keeps conversations; nil: for good.
func (q *Queries) Retention(ctx context.Context, accountID string) (*int, error) {
	var days *int
	err := q.get(ctx, &days, `select retention_days from accounts where account_id = $1`, accountID)
	return days, err
}

// SetRetention stores how many days the account keeps conversations; nil: for good.
func (q *Queries) SetRetention(ctx context.Context, accountID string, days *int) error {
	return q.execOne(ctx, `update accounts set retention_days = $2 where account_id = $1`, accountID, days)
}

// AccountRetention is how long an account keeps conversations.
type AccountRetention struct {
	AccountID string `db:"account_id"`
	Days      int    `db:"retention_days"`
}

// Retentions lists the accounts that keep conversations for a time only. It crosses accounts: it is the server's housekeeping.
func (q *Queries) Retentions(ctx context.Context) ([]AccountRetention, error) {
	found := []AccountRetention{}
	err := q.list(ctx, &found, `
		select account_id, retention_days
		from accounts
		where retention_days is not null
		order by account_id`)
	return found, err
}
