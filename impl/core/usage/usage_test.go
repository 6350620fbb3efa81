package usage_test

import (
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/id"
	"parley/impl/core/usage"
)

// spend books a turn of the app that ended at a time.
func spend(t *testing.T, d *db.DB, account, app, model string, at time.Time, input, output, cost int64) {
	t.Helper()
	row := db.Turn{AccountID: account, ID: id.New(id.Turn), Surface: "webchat", AppID: app, ModelID: model, Owner: "srv",
		Lease: time.Hour, HeldMicros: cost, CreatedAt: at}
	if begun, err := d.BeginTurn(t.Context(), row, db.Beginning{}); err != nil || !begun.Funded {
		t.Fatalf("begun %+v, %v", begun, err)
	}
	row.State, row.InputTokens, row.OutputTokens, row.CostMicros, row.EndedAt = db.TurnCompleted, input, output, cost, &at
	if err := d.EndTurn(t.Context(), row, db.Ending{EntryID: id.New(id.Entry)}); err != nil {
		t.Fatal(err)
	}
}

func TestUsageIsSummedByDayAppAndModel(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	account := dbtest.Account(t, d, "free", 1_000_000)
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	s := &usage.Service{DB: d, Now: func() time.Time { return now }}
	day := func(n int) *time.Time { d := time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC); return &d }
	const app = "app_mine"
	spend(t, d, account, app, "big", day(8).Add(-time.Microsecond), 1, 1, 10) // the last moment of the 7th
	spend(t, d, account, app, "big", *day(8), 2, 3, 100)                      // the first of the 8th
	spend(t, d, account, app, "small", day(9).Add(-time.Microsecond), 5, 7, 1)
	spend(t, d, account, app, "big", *day(9), 11, 13, 1000)
	spend(t, d, account, "app_other", "big", *day(8), 17, 19, 7)
	spend(t, d, dbtest.Account(t, d, "free", 1_000_000), app, "big", *day(8), 23, 29, 7)
	abroad := day(8).In(time.FixedZone("east", 3600))
	for _, c := range []struct {
		name     string
		from, to *time.Time
		want     db.ModelUsage
		models   []string
	}{
		{"one day", day(8), day(8), db.ModelUsage{Requests: 2, InputTokens: 7, OutputTokens: 10, CostMicros: 101}, []string{"big", "small"}},
		{"one day, written in another zone", &abroad, &abroad, db.ModelUsage{Requests: 2, InputTokens: 7, OutputTokens: 10, CostMicros: 101}, []string{"big", "small"}},
		{"from a day", day(9), nil, db.ModelUsage{Requests: 1, InputTokens: 11, OutputTokens: 13, CostMicros: 1000}, []string{"big"}},
		{"to a day", nil, day(7), db.ModelUsage{Requests: 1, InputTokens: 1, OutputTokens: 1, CostMicros: 10}, []string{"big"}},
		{"all", nil, nil, db.ModelUsage{Requests: 4, InputTokens: 19, OutputTokens: 24, CostMicros: 1111}, []string{"big", "small"}},
		{"no day", day(9), day(8), db.ModelUsage{}, nil},
	} {
		r, err := s.OfApp(t.Context(), account, app, c.from, c.to)
		if err != nil || r.Total != c.want || len(r.ByModel) != len(c.models) {
			t.Errorf("%s: %+v, %v, want %+v", c.name, r, err, c.want)
			continue
		}
		for i, model := range c.models {
			if r.ByModel[i].ModelID != model {
				t.Errorf("%s: models %+v, want %q", c.name, r.ByModel, c.models)
			}
		}
	}
}
