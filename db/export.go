package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/lib/pq"
)

// exportTable is a table of which exports show rows.
type exportTable struct {
	name string
	// where picks a scope's rows: $1 the account, $2 the scope, $3 the subject.
	where string
	omit  []string // columns that are secret or tell nothing
}

const (
	wholeAccount = `$2::text = 'account' and $3::text = ''`
	ofItsTurn    = `turn_id in (select turn_id from turns where account_id = $1 and ` + turnsInScope + `)`
	ofTheTalk    = `conversation_id in (select conversation_id from conversations where account_id = $1 and ` + conversationsInScope + `)`
	ofItsLedger  = `($2::text = 'account' or ($2::text = 'end_user' and end_user = $3) or ` + ofItsTurn + `)`
	ofItsBudgets = `($2::text = 'account' or ($2::text = 'end_user' and kind = 'end_user' and subject = $3))`
	ofItsImages  = `($2::text = 'account' or ($2::text = 'app' and app_id = $3) or ($2::text = 'conversation' and conversation_id = $3)
		or ($2::text = 'end_user' and end_user = $3))`
	ofTheSession  = `session_id in (select conversation_id from conversations where account_id = $1 and ` + conversationsInScope + `)`
	ofTheUser     = `($2::text = 'account' or ($2::text = 'end_user' and user_id = $3))`
	ofItsChats    = `($2::text = 'account' or ($2::text = 'app' and chat_id in (select chat_id from chats where account_id = $1 and app_id = $3)))`
	ofItsAppsKeys = `($2::text = 'account' or ($2::text = 'app' and app_id = $3))`
)

// exportTables are shown in this order. Every table with an account is here or in notExported; a test holds it.
var exportTables = []exportTable{
	{name: "accounts", where: wholeAccount},
	{name: "apps", where: ofItsAppsKeys},
	{name: "keys", where: ofItsAppsKeys},
	{name: "key_habits", where: wholeAccount},
	{name: "oauth_clients", where: ofItsAppsKeys},
	{name: "users", where: wholeAccount, omit: []string{"password_hash"}},
	{name: "agents", where: wholeAccount},
	{name: "collections", where: wholeAccount},
	{name: "projects", where: wholeAccount},
	{name: "project_conversations", where: ofTheSession},
	{name: "project_feedback", where: ofTheSession},
	{name: "project_answers", where: ofTheSession},
	{name: "project_days", where: wholeAccount},
	{name: "project_licenses", where: wholeAccount, omit: []string{"key_hash"}},
	{name: "project_plugins", where: wholeAccount},
	{name: "project_images", where: wholeAccount},
	{name: "project_profiles", where: wholeAccount},
	{name: "collection_links", where: wholeAccount},
	{name: "sources", where: wholeAccount},
	{name: "pages", where: wholeAccount},
	{name: "chunks", where: wholeAccount, omit: []string{"terms", "embedding"}},
	{name: "models", where: wholeAccount},
	{name: "model_aliases", where: wholeAccount},
	{name: "model_switches", where: wholeAccount},
	{name: "providers", where: wholeAccount, omit: []string{"sealed_key"}},
	{name: "conversations", where: conversationsInScope},
	{name: "messages", where: ofTheTalk},
	{name: "message_feedback", where: ofTheTalk},
	{name: "realtime_sessions", where: ofTheTalk},
	{name: "realtime_items", where: ofTheTalk},
	{name: "images", where: ofItsImages},
	{name: "turns", where: turnsInScope, omit: []string{"owner", "generation", "lease_until"}},
	{name: "turn_events", where: ofItsTurn},
	{name: "ledger", where: ofItsLedger},
	{name: "budgets", where: ofItsBudgets},
	{name: "purses", where: wholeAccount},
	{name: "usage_days", where: wholeAccount},
	{name: "usage_cells", where: wholeAccount},
	{name: "usage_latencies", where: wholeAccount},
	{name: "webhooks", where: wholeAccount, omit: []string{"sealed_secret", "sealed_previous"}},
	{name: "webhook_events", where: wholeAccount},
	{name: "webhook_deliveries", where: wholeAccount},
	{name: "audit_events", where: wholeAccount},
	{name: "tools", where: wholeAccount, omit: []string{"sealed_headers"}},
	{name: "flows", where: wholeAccount},
	{name: "flow_versions", where: wholeAccount},
	{name: "chats", where: ofItsAppsKeys, omit: []string{"state"}},
	{name: "chat_messages", where: ofItsChats},
	{name: "chat_turns", where: ofItsChats},
	{name: "engagement_events", where: ofTheUser},
	{name: "engagement_slots", where: ofTheUser},
	{name: "engagement_states", where: ofTheUser},
	{name: "engagement_state_versions", where: ofTheUser},
	{name: "engagement_rules", where: wholeAccount},
	{name: "engagement_rule_hits", where: ofTheUser},
	{name: "exports", where: wholeAccount},
	{name: "erasures", where: wholeAccount},
}

// notExported are the tables with an account that exports leave out, with the reason.
var notExported = map[string]string{
	"key_hashes":         "digests of secrets",
	"oauth_secrets":      "digests of secrets",
	"oauth_tokens":       "digests of secrets",
	"user_emails":        "addresses, shown with the people",
	"user_sessions":      "digests of secrets",
	"user_links":         "digests of secrets",
	"rate_windows":       "times of requests of the last minute",
	"rate_leases":        "counts of requests of the last minute",
	"catalog_versions":   "counts of changes",
	"token_windows":      "counts of tokens of the last minute",
	"stream_gates":       "counts of running answers",
	"ledger_heads":       "where the numbering of the ledger stands",
	"idempotency_keys":   "answers that are shown elsewhere, kept for a day",
	"collection_terms":   "counts of words of what is shown",
	"chat_events":        "what is shown with chats and messages, once more",
	"engagement_undated": "times of events, shown with the events",
	"realtime_secrets":   "settings of secrets that live for two hours at most",
	"jobs":               "work of the server; holds ids of what is shown elsewhere",
}

// ExportRows hands the rows of a scope to row, table by table, each as JSON
// without what is secret. All are of one moment. Row must not use the database.
func (d *DB) ExportRows(ctx context.Context, accountID, scope, subject string, row func(table string, json []byte) error) error {
	tx, err := d.pool.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("begin: %w", translateIn(ctx, err))
	}
	defer func() { _ = tx.Rollback() }() // it changed nothing
	q := &Queries{prepared: d.prepared, tx: tx, jobs: d.jobs.within()}
	for _, t := range exportTables {
		if err := q.exportTable(ctx, t, accountID, scope, subject, row); err != nil {
			return fmt.Errorf("export %s: %w", t.name, err)
		}
	}
	return nil
}

func (q *Queries) exportTable(ctx context.Context, t exportTable, accountID, scope, subject string, row func(string, []byte) error) error {
	// Prepared for this transaction alone: an export is too rare to keep its statements.
	rows, err := q.tx.QueryxContext(ctx, `
		select to_jsonb(r) - $4::text[]
		from `+t.name+` r
		where account_id = $1 and `+t.where,
		accountID, scope, subject, pq.Array(append([]string{}, t.omit...)))
	if err != nil {
		return translateIn(ctx, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var json []byte
		if err := rows.Scan(&json); err != nil {
			return translateIn(ctx, err)
		}
		if err := row(t.name, json); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return translateIn(ctx, rows.Err())
}
