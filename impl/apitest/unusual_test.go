package apitest_test

import (
	"net/http"
	"testing"

	"parley/impl/testkit"
)

// A key that appears at a new origin is told to webhooks and in the audit log.
func TestUnusualUseOfAKeyIsTold(t *testing.T) {
	t.Parallel()
	x, receiver := newTenant(t), testkit.NewReceiver(t)
	w := x.createWebhook(t, map[string]any{"url": receiver.URL, "events": []string{"key.unusual_usage"}})
	flush := func() {
		t.Helper()
		if err := x.server.App.Watch.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	flush() // what made the webhook
	if _, err := sql(t, x.server).ExecContext(t.Context(), `
		update key_habits set habit = jsonb_set(habit, '{since}', '"2020-01-01T00:00:00Z"') where account_id = $1`, x.ID); err != nil {
		t.Fatal(err)
	}
	x.do(t, testkit.Request{Path: "/api/v1/sessions", Header: map[string]string{"Origin": "https://elsewhere.example"}}).Want(t, http.StatusOK)
	flush()
	m := verified(t, receiver.Next(t), w.Secret)
	if m.Type != "key.unusual_usage" || m.Data["key_id"] != x.key.ID || m.Data["reason"] != "new_origin" || m.Data["place"] != "https://elsewhere.example" {
		t.Errorf("told %+v", m)
	}
	var events []struct {
		Target string `json:"target"`
		Actor  struct {
			Kind string `json:"kind"`
		} `json:"actor"`
	}
	x.get(t, "/api/v1/admin/audit-events?action=key.unusual_usage", &events)
	if len(events) != 1 || events[0].Target != x.key.ID || events[0].Actor.Kind != "system" {
		t.Errorf("recorded %+v", events)
	}
}
