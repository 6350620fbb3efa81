package db

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx/types"
	"github.com/lib/pq"
)

// Tool is what agents of flows may call.
type Tool struct {
	AccountID     string         `db:"account_id"`
	ID            string         `db:"tool_id"`
	Name          string         `db:"name"` // one of its kind in the account
	Description   string         `db:"description"`
	Kind          string         `db:"kind"`      // "http" or "mcp"
	Approval      string         `db:"approval"`  // "never" or "always"
	Target        types.JSONText `db:"target"`    // where it is and how it is asked
	Functions     types.JSONText `db:"functions"` // what models are offered
	HeaderNames   pq.StringArray `db:"header_names"`
	SealedHeaders []byte         `db:"sealed_headers"` // nil without any
	RefreshedAt   time.Time      `db:"refreshed_at"`
	CreatedAt     time.Time      `db:"created_at"`
	UpdatedAt     time.Time      `db:"updated_at"`
}

const toolColumns = `account_id, tool_id, name, description, kind, approval, target, functions, header_names, sealed_headers,
	refreshed_at, created_at, updated_at`

// InsertTool stores a tool, unless the account has most already: then it is
// ErrNotFound. A name that the account has already is a conflict (IsConflict). It belongs into a transaction.
func (q *Queries) InsertTool(ctx context.Context, t Tool, most int) error {
	return q.execOne(ctx, `
		insert into tools (`+toolColumns+`)
		select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12
		where (select count(*) from tools where account_id = $1) < $13`,
		t.AccountID, t.ID, t.Name, t.Description, t.Kind, t.Approval, t.Target, t.Functions, t.HeaderNames, t.SealedHeaders,
		t.RefreshedAt, t.CreatedAt, most)
}

// Tools lists the account's tools, the newest first, from before an id; "" starts with the newest.
func (q *Queries) Tools(ctx context.Context, accountID, beforeID string, limit int) ([]Tool, error) {
	found := []Tool{}
	err := q.list(ctx, &found, `
		select `+toolColumns+`
		from tools
		where account_id = $1 and ($2 = '' or tool_id < $2)
		order by tool_id desc
		limit $3`,
		accountID, beforeID, limit)
	return found, err
}

// ToolsOf returns those of some tools that the account has.
func (q *Queries) ToolsOf(ctx context.Context, accountID string, toolIDs []string) ([]Tool, error) {
	found := []Tool{}
	err := q.list(ctx, &found, `
		select `+toolColumns+`
		from tools
		where account_id = $1 and tool_id = any($2)
		order by tool_id`,
		accountID, pq.Array(toolIDs))
	return found, err
}

// Tool returns one tool of the account.
func (q *Queries) Tool(ctx context.Context, accountID, toolID string) (Tool, error) {
	var t Tool
	err := q.get(ctx, &t, `
		select `+toolColumns+`
		from tools
		where account_id = $1 and tool_id = $2`,
		accountID, toolID)
	return t, err
}

// UpdateTool stores everything of a tool but its kind and creation, unless
// somebody has changed it since it was read at a time: then it is ErrNotFound. It belongs into a transaction.
func (q *Queries) UpdateTool(ctx context.Context, t Tool, read time.Time) error {
	return q.execOne(ctx, `
		update tools
		set name = $4, description = $5, approval = $6, target = $7, functions = $8, header_names = $9, sealed_headers = $10,
			refreshed_at = $11, updated_at = $12
		where account_id = $1 and tool_id = $2 and updated_at = $3`,
		t.AccountID, t.ID, read, t.Name, t.Description, t.Approval, t.Target, t.Functions, t.HeaderNames, t.SealedHeaders,
		t.RefreshedAt, t.UpdatedAt)
}

// DeleteTool removes a tool.
func (q *Queries) DeleteTool(ctx context.Context, accountID, toolID string) error {
	return q.execOne(ctx, `delete from tools where account_id = $1 and tool_id = $2`, accountID, toolID)
}
