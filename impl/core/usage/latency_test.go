package usage_test

import (
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/id"
	"parley/impl/core/usage"
)

// Of completed answers it is known how long they took, by day, key and model: within a fifth.
func TestLatenciesAreKnownWithinAFifth(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	account := dbtest.Account(t, d, "free", 1_000_000)
	s := &usage.Service{DB: d, Now: time.Now}
	at := time.Now().UTC()
	end := func(model, state string, took, first int64) {
		t.Helper()
		row := db.Turn{AccountID: account, ID: id.New(id.Turn), Surface: "webchat", AppID: "app", KeyID: "key", ModelID: model, Owner: "srv", Lease: time.Hour, CreatedAt: at}
		if _, err := d.BeginTurn(t.Context(), row, db.Beginning{}); err != nil {
			t.Fatal(err)
		}
		ended := at.Add(time.Duration(took) * time.Millisecond)
		row.State, row.EndedAt, row.FirstMs = state, &ended, &first
		if err := d.EndTurn(t.Context(), row, db.Ending{EntryID: id.New(id.Entry)}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range int64(100) {
		end("slow", db.TurnCompleted, (i+1)*100, i+1)
	}
	end("slow", db.TurnCancelled, 900_000, 1)
	end("quick", db.TurnCompleted, 0, 0)
	within := func(name string, bucket *int, want int64) {
		t.Helper()
		if bucket == nil || db.Ms(*bucket) < want || db.Ms(*bucket) > want*6/5+1 {
			t.Errorf("%s is %v, want about %d", name, bucket, want)
		}
	}
	filter := db.UsageFilter{From: at, To: at.AddDate(0, 0, 1), By: []string{"model_id", "key_id"}, Limit: 10}
	for range 2 { // folded once
		if groups, err := s.Groups(t.Context(), account, filter); err != nil || len(groups) != 2 {
			t.Fatalf("groups %+v, %v", groups, err)
		}
	}
	found, err := s.Latencies(t.Context(), account, filter)
	slow, quick := found[db.UsageGroup{KeyID: "key", ModelID: "slow"}], found[db.UsageGroup{KeyID: "key", ModelID: "quick"}]
	if err != nil || slow.Answers != 100 || slow.SumMs != 505_000 || quick.Answers != 1 || quick.SumMs != 0 {
		t.Fatalf("latencies %+v, %v", found, err)
	}
	within("the median", slow.P50, 5000)
	within("the 95th", slow.P95, 9500)
	within("the median of the first word", slow.FirstP50, 50)
	within("the 95th of the first word", slow.FirstP95, 95)
	filter.By = []string{"surface"}
	if found, err = s.Latencies(t.Context(), account, filter); err != nil || len(found) != 0 {
		t.Errorf("by surface %+v, %v", found, err)
	}
	filter.By = nil
	if found, err = s.Latencies(t.Context(), account, filter); err != nil || found[db.UsageGroup{}].Answers != 101 {
		t.Errorf("in all %+v, %v", found, err)
	}
}
