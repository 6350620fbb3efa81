package db_test

import (
	"slices"
	"strings"
	"testing"

	"parley/db"
	"parley/db/dbtest"
)

// erased tells of every table with an account what becomes of its rows when the account is erased.
var erased = map[string]string{
	"accounts": "loses its name", "apps": "lose their names", "keys": "lose their names", "oauth_clients": "lose their names", "oauth_secrets": "stay: digests", "oauth_tokens": "stay: digests", "agents": "go", "images": "go, with their blobs",
	"idempotency_keys": "lose what they answered", "users": "go", "user_emails": "go", "user_sessions": "go", "user_links": "go",
	"conversations": "go", "messages": "go with their conversations", "message_feedback": "goes with the conversations", "turns": "keep ids and figures", "turn_events": "go",
	"webhooks": "go", "webhook_events": "go", "webhook_deliveries": "go with their webhooks", "jobs": "go, but for the one that erases",
	"projects": "go", "project_conversations": "go with their conversations", "project_feedback": "goes with the conversations", "project_answers": "go with the conversations", "project_days": "go with their projects", "project_licenses": "go with their projects", "project_plugins": "go with their projects", "project_images": "go, with their files", "project_profiles": "go",
	"tools": "go", "flows": "go", "flow_versions": "go with their flows", "chats": "go", "chat_messages": "go with their chats", "chat_events": "go with their chats", "chat_turns": "go with their chats",
	"key_habits": "go", "engagement_events": "go", "engagement_undated": "go", "engagement_slots": "go",
	"engagement_states": "go", "engagement_state_versions": "go with their states", "engagement_rules": "go", "engagement_rule_hits": "go",
	"realtime_sessions": "go with their conversations", "realtime_items": "go with their sessions", "realtime_secrets": "go",
	"collections": "go, with their files", "collection_links": "go with their collections", "collection_terms": "go with their collections",
	"sources": "go with their collections", "pages": "go with their collections", "chunks": "go with their pages",
	"exports": "go, with their archives", "erasures": "stay: ids and figures", "audit_events": "lose details and addresses",
	"ledger": "stays: ids and figures, no end users", "budgets": "those of end users go", "purses": "stay: figures",
	"ledger_heads": "stay: figures", "usage_days": "stay: ids and figures", "usage_cells": "stay: ids and figures, no end users", "usage_latencies": "stay: ids and figures", "rate_leases": "stay: counts",
	"token_windows": "stay: counts", "stream_gates": "stay: counts", "key_hashes": "stay: digests", "rate_windows": "stay: times",
	"catalog_versions": "stay: counts", "model_aliases": "stay: the operator's configuration", "model_switches": "stay: ids",
	"models":    "go with their providers; the ledger keeps their ids",
	"providers": "go",
}

// A new table has to say what exports show of it and what an erasure leaves of it.
func TestEveryTableIsExportedAndErased(t *testing.T) {
	t.Parallel()
	raw := rawConn(t, dbtest.DSN(t))
	_ = dbtest.New(t)
	shown, omitted, left := db.ExportTables()
	var columns []struct {
		Table  string `db:"table_name"`
		Column string `db:"column_name"`
		Type   string `db:"data_type"`
	}
	err := raw.Select(&columns, `
		select table_name, column_name, data_type
		from information_schema.columns c
		where table_schema = 'public' and exists (
			select 1 from information_schema.columns a
			where a.table_schema = 'public' and a.table_name = c.table_name and a.column_name = 'account_id')`)
	if err != nil || len(columns) < 50 {
		t.Fatalf("%d columns, %v", len(columns), err)
	}
	for _, c := range columns {
		if strings.HasPrefix(c.Table, "engagement_events_") {
			continue // a part of engagement_events
		}
		if !slices.Contains(shown, c.Table) && left[c.Table] == "" {
			t.Errorf("exports neither show nor leave out %s", c.Table)
		}
		if erased[c.Table] == "" {
			t.Errorf("an erasure does not know %s", c.Table)
		}
		secret := c.Type == "bytea" || strings.Contains(c.Column, "secret") || strings.Contains(c.Column, "hash") || strings.Contains(c.Column, "password")
		if secret && slices.Contains(shown, c.Table) && !slices.Contains(omitted[c.Table], c.Column) {
			t.Errorf("exports show %s.%s", c.Table, c.Column)
		}
	}
}
