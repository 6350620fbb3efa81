package usage_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/id"
	"parley/impl/core/usage"
)

// talk books a turn of an end user in a conversation.
func talk(t *testing.T, d *db.DB, account, conversation, user string, cost int64) {
	t.Helper()
	at := time.Now().UTC()
	row := db.Turn{AccountID: account, ID: id.New(id.Turn), Surface: "webchat", AppID: "app", ModelID: "big", Owner: "srv", ConversationID: &conversation,
		EndUser: &user, Lease: time.Hour, HeldMicros: cost, CreatedAt: at}
	begun, err := d.BeginTurn(t.Context(), row, db.Beginning{Question: &db.Message{ID: id.New(id.Message), Content: "Hi"}})
	if err != nil || !begun.Funded || !begun.Conversation {
		t.Fatalf("begun %+v, %v", begun, err)
	}
	row.State, row.InputTokens, row.OutputTokens, row.CostMicros, row.EndedAt = db.TurnCompleted, 2, 3, cost, &at
	if err := d.EndTurn(t.Context(), row, db.Ending{EntryID: id.New(id.Entry)}); err != nil {
		t.Fatal(err)
	}
}

// When a conversation is erased, its end user's name leaves the usage by day;
// the sums stay, and so does what the end user cost elsewhere.
func TestAnErasedConversationNamesNobodyInUsage(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	account := dbtest.Account(t, d, "free", 1_000_000)
	s := &usage.Service{DB: d, Now: time.Now}
	conversation := func() string {
		row := db.Conversation{AccountID: account, ID: id.New(id.Conversation), Surface: "webchat", AppID: "app", CreatedAt: time.Now(), LastMessageAt: time.Now()}
		if err := d.InTx(t.Context(), func(q *db.Queries) error { return q.InsertConversation(context.Background(), row) }); err != nil {
			t.Fatal(err)
		}
		return row.ID
	}
	want := func(when string, costs map[string]int64) {
		t.Helper()
		from := time.Now().UTC().AddDate(0, 0, -1)
		groups, err := s.Groups(t.Context(), account, db.UsageFilter{From: from, To: from.AddDate(0, 0, 3), By: []string{"end_user"}, Limit: 10})
		got, total := map[string]int64{}, int64(0)
		for _, g := range groups {
			got[g.EndUser] = g.CostMicros
			total += g.Requests
		}
		if err != nil || total != 4 || len(got) != len(costs) {
			t.Errorf("%s: %+v, %v, want %v", when, groups, err, costs)
		}
		for user, cost := range costs {
			if got[user] != cost {
				t.Errorf("%s: %q costs %d, want %d", when, user, got[user], cost)
			}
		}
	}
	first, second, third := conversation(), conversation(), conversation()
	talk(t, d, account, first, "ada", 1)
	talk(t, d, account, second, "ada", 10)
	talk(t, d, account, third, "bob", 100)
	talk(t, d, account, first, "eve", 1000)
	want("before", map[string]int64{"ada": 11, "bob": 100, "eve": 1000})
	for _, c := range []struct {
		id    string
		costs map[string]int64
	}{
		{first, map[string]int64{"": 1001, "ada": 10, "bob": 100}},
		{third, map[string]int64{"": 1101, "ada": 10}},
	} {
		if n, err := d.EraseConversations(t.Context(), account, db.ScopeConversation, c.id, 10); err != nil || n != 1 {
			t.Fatalf("erased %d, %v", n, err)
		}
		want("after one", c.costs)
	}
	entries, err := s.Entries(t.Context(), account, 0, 10)
	if err != nil || slices.ContainsFunc(entries, func(e db.Entry) bool { return e.Seq == 0 }) {
		t.Errorf("entries %+v, %v", entries, err)
	}
}
