package db_test

import (
	"context"
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
)

// The tenant's session, its item and its secret, named after its turn.
func (n tenant) realtimeSession() string { return "rt_" + n.turn }

func (n tenant) storeRealtime(t testing.TB, d *db.DB) {
	t.Helper()
	c := n.conversationRow(n.realtimeSession())
	c.AccountID, c.Surface, c.CreatedAt = n.account, "realtime", now()
	err := d.InsertRealtimeSession(t.Context(), *c, `{"model":"m"}`)
	if err == nil {
		err = d.InsertRealtimeItems(t.Context(), n.account, n.realtimeSession(), []db.RealtimeItem{{ID: "item_1", Item: `{"id":"item_1"}`}}, db.Spoken{}, now())
	}
	if err == nil {
		err = d.InsertRealtimeSecret(t.Context(), n.account, n.realtimeSession(), `{}`, now().Add(time.Hour), now())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (n tenant) realtimeCalls() []call {
	return []call{
		{"RealtimeSettings", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.RealtimeSettings(ctx, a, n.realtimeSession())
		}},
		{"RealtimeItems", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.RealtimeItems(ctx, a, n.realtimeSession(), 10)
		}},
		{"RealtimeSecret", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.RealtimeSecret(ctx, a, n.realtimeSession())
		}},
		{"UpdateRealtimeSession", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.UpdateRealtimeSession(ctx, a, n.realtimeSession(), `{"model":"other"}`))
		}},
		{"UpdateRealtimeItem", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.UpdateRealtimeItem(ctx, a, n.realtimeSession(), "item_1", `{"id":"item_1","text":""}`))
		}},
		{"DeleteRealtimeItem", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.DeleteRealtimeItem(ctx, a, n.realtimeSession(), "item_1"))
		}},
	}
}

// An answer whose reply was lost is stored again: its figures count once.
func TestRealtimeItemsCountOnce(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	n := newProjectTenant(t, d)
	said := []db.RealtimeItem{{ID: "item_2", Rank: 1, Item: `{"id":"item_2"}`}}
	for range 2 {
		if err := d.InsertRealtimeItems(t.Context(), n.account, n.realtimeSession(), said, db.Spoken{Preview: "Hello", InputTokens: 3, OutputTokens: 2}, now()); err != nil {
			t.Fatal(err)
		}
	}
	c, err := d.Conversation(t.Context(), n.account, "realtime", n.realtimeSession())
	if err != nil || c.InputTokens != 3 || c.OutputTokens != 2 || c.Preview != "Hello" {
		t.Errorf("%+v, %v", c, err)
	}
	items, err := d.RealtimeItems(t.Context(), n.account, n.realtimeSession(), 10)
	if err != nil || len(items) != 2 || items[1].ID != "item_2" {
		t.Errorf("%+v, %v", items, err)
	}
}

// Secrets that have expired are forgotten when the next one is made.
func TestExpiredRealtimeSecretsGo(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	n := newProjectTenant(t, d)
	later := now().Add(2 * time.Hour)
	if err := d.InsertRealtimeSecret(t.Context(), n.account, "next", `{}`, later.Add(time.Hour), later); err != nil {
		t.Fatal(err)
	}
	if _, err := d.RealtimeSecret(t.Context(), n.account, n.realtimeSession()); err == nil {
		t.Error("an expired secret is still there")
	}
}
