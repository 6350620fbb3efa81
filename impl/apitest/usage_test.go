package apitest_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/oapi-codegen/runtime/types"

	"parley/gen/client/webchat"
	"parley/impl/core/id"
	"parley/impl/testkit"
)

// spend books a use of a model as an ended turn does, at a time of the test's choice.
func (x tenant) spend(t *testing.T, appID, modelID string, at time.Time, input, output, micros int64) {
	t.Helper()
	_, err := sql(t, x.server).ExecContext(context.Background(), `
		insert into ledger (account_id, entry_id, kind, amount_micros, turn_id, app_id, key_id, model_id, surface, input_tokens, output_tokens, created_at)
		values ($1, $2, 'usage', $3, $4, $5, $6, $7, 'webchat', $8, $9, $10)`,
		x.ID, id.New(id.Entry), micros, id.New(id.Turn), appID, x.key.ID, modelID, input, output, at)
	if err != nil {
		t.Fatal(err)
	}
}

func (x tenant) usage(t *testing.T, query string) webchat.WebchatUsageReport {
	t.Helper()
	var report webchat.WebchatUsageReport
	x.do(t, testkit.Request{Path: "/api/v1/usage" + query}).Want(t, http.StatusOK).JSON(t, &report)
	return report
}

// Both days of a period count in full, in UTC.
func TestUsageDatesAreInclusive(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	for _, at := range []string{
		"2024-01-09T23:59:59.999999Z", "2024-01-10T00:00:00Z", "2024-01-10T12:00:00Z", "2024-01-11T23:59:59.999999Z", "2024-01-12T00:00:00Z",
	} {
		x.spend(t, x.key.AppID, "m", instant(t, at), 1, 1, 1)
	}
	for query, want := range map[string]int64{
		"": 5,
		"?start_date=2024-01-10&end_date=2024-01-11":   3,
		"?start_date=2024-01-10&end_date=2024-01-10":   2,
		"?start_date=2024-01-11":                       2,
		"?end_date=2024-01-09":                         1,
		"?start_date=2024-01-12&end_date=2024-01-10":   0,
		"?start_date=0001-01-01&end_date=9999-12-31":   5,
		"?start_date=2024-01-13":                       0,
		"?start_date=2024-02-29&end_date=2024-02-29":   0,
		"?end_date=2024-01-09&start_date=2024-01-09":   1,
		"?start_date=2024-01-09&unknown_parameter=yes": 5,
	} {
		if got := x.usage(t, query).Usage.TotalRequests; got != want {
			t.Errorf("%q: %d requests, want %d", query, got, want)
		}
	}
}

func TestUsageIsTheAppsByModelAndExact(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	day := time.Now().UTC()
	x.spend(t, x.key.AppID, "cheap", day, 10, 20, 1)
	x.spend(t, x.key.AppID, "dear", day, 1, 2, 4_000_000)
	x.spend(t, x.key.AppID, "dear", day, 3, 4, 123_457)
	x.spend(t, x.Key(t).AppID, "others", day, 100, 100, 9_000_000)
	c := x.server.Client(t, x.key.Text)
	today := types.Date{Time: day}
	got, err := c.Webchat.GetWebchatUsage(t.Context(), &webchat.GetWebchatUsageParams{StartDate: &today, EndDate: &today})
	if err != nil {
		t.Fatal(err)
	}
	report := got
	want := webchat.WebchatUsageTotals{TotalRequests: 3, TotalInputTokens: 14, TotalOutputTokens: 26, TotalTokens: 40, TotalCost: 4.123458}
	if report.Usage != want {
		t.Errorf("totals %+v, want %+v", report.Usage, want)
	}
	byModel := []webchat.WebchatModelUsage{
		{Model: "dear", Requests: 2, InputTokens: 4, OutputTokens: 6, TotalTokens: 10, Cost: 4.123457},
		{Model: "cheap", Requests: 1, InputTokens: 10, OutputTokens: 20, TotalTokens: 30, Cost: 0.000001},
	}
	if !slices.Equal(report.ByModel, byModel) {
		t.Errorf("by model %+v, want %+v", report.ByModel, byModel)
	}
}

// A key that replaces another keeps the app and with it usage and sessions.
func TestRotatedKeyKeepsTheApp(t *testing.T) {
	t.Parallel()
	x := tenantWith(t, "session_id")
	x.do(t, testkit.Request{Path: "/api/v1/chat", Body: map[string]any{"message": "Hi"}}).Want(t, http.StatusOK)
	x.Revoke(t, x.key.ID)
	x.key = x.Key(t, testkit.App(x.key.AppID))
	if got := x.usage(t, "").Usage.TotalRequests; got != 1 {
		t.Errorf("%d requests after the rotation, want 1", got)
	}
	if got := x.sessions(t, ""); len(got.Sessions) != 2 {
		t.Errorf("%d sessions after the rotation, want 2", len(got.Sessions))
	}
}
