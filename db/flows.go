package db

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx/types"
)

// Flow is a graph of agents, or one of its versions.
type Flow struct {
	AccountID   string         `db:"account_id"`
	ID          string         `db:"flow_id"`
	Name        string         `db:"name"`
	Description string         `db:"description"`
	Version     int64          `db:"version"` // counts from 1
	Definition  types.JSONText `db:"definition"`
	CreatedAt   time.Time      `db:"created_at"` // of the flow, or of the version where versions are listed
	UpdatedAt   time.Time      `db:"updated_at"`
}

// InsertFlow stores a flow with its first version. The same one once more does nothing.
func (q *Queries) InsertFlow(ctx context.Context, f Flow) error {
	_, err := q.exec(ctx, `
		with made as (
			insert into flows (account_id, flow_id, name, description, version, definition, created_at, updated_at)
			values ($1, $2, $3, $4, 1, $5, $6, $6)
			on conflict (account_id, flow_id) do nothing
			returning account_id, flow_id
		)
		insert into flow_versions (account_id, flow_id, version, name, description, definition, created_at)
		select account_id, flow_id, 1, $3, $4, $5, $6
		from made`,
		f.AccountID, f.ID, f.Name, f.Description, f.Definition, f.CreatedAt)
	return err
}

// Flows lists the account's flows, the newest first, from before an id; "" starts with the newest.
func (q *Queries) Flows(ctx context.Context, accountID, beforeID string, limit int) ([]Flow, error) {
	found := []Flow{}
	err := q.list(ctx, &found, `
		select account_id, flow_id, name, description, version, definition, created_at, updated_at
		from flows
		where account_id = $1 and ($2 = '' or flow_id < $2)
		order by flow_id desc
		limit $3`,
		accountID, beforeID, limit)
	return found, err
}

// Flow returns one flow of the account.
func (q *Queries) Flow(ctx context.Context, accountID, flowID string) (Flow, error) {
	var f Flow
	err := q.get(ctx, &f, `
		select account_id, flow_id, name, description, version, definition, created_at, updated_at
		from flows
		where account_id = $1 and flow_id = $2`,
		accountID, flowID)
	return f, err
}

// FlowVersions lists what a flow said, the newest version first, from before a version; 0 starts with the newest.
func (q *Queries) FlowVersions(ctx context.Context, accountID, flowID string, before int64, limit int) ([]Flow, error) {
	found := []Flow{}
	err := q.list(ctx, &found, `
		select account_id, flow_id, name, description, version, definition, created_at, created_at as updated_at
		from flow_versions
		where account_id = $1 and flow_id = $2 and ($3 = 0 or version < $3)
		order by version desc
		limit $4`,
		accountID, flowID, before, limit)
	return found, err
}

// UpdateFlow makes f.Version of a flow, which must follow the present one; ErrNotFound when it does not.
// The same change once more does nothing.
func (q *Queries) UpdateFlow(ctx context.Context, f Flow) error {
	return q.execOne(ctx, `
		with changed as (
			update flows
			set name = $3, description = $4, version = $5, definition = $6, updated_at = $7
			where account_id = $1 and flow_id = $2 and (version = $5 - 1 or version = $5 and updated_at = $7)
			returning account_id, flow_id, version
		)
		insert into flow_versions (account_id, flow_id, version, name, description, definition, created_at)
		select account_id, flow_id, version, $3, $4, $6, $7
		from changed
		on conflict (account_id, flow_id, version) do update
		set name = excluded.name`,
		f.AccountID, f.ID, f.Name, f.Description, f.Version, f.Definition, f.UpdatedAt)
}

// DeleteFlow removes a flow with its versions. Chats keep what they run.
func (q *Queries) DeleteFlow(ctx context.Context, accountID, flowID string) error {
	return q.execOne(ctx, `delete from flows where account_id = $1 and flow_id = $2`, accountID, flowID)
}
