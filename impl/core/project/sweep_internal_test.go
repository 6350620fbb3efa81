package project

import (
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/id"
	"parley/impl/core/job"
	"parley/impl/core/key"
)

func TestConversationsGoWhenTheirTimeIsOver(t *testing.T) {
	t.Parallel()
	database := dbtest.New(t)
	clock := time.Now().UTC().Truncate(time.Microsecond)
	s := &Service{DB: database, Now: func() time.Time { return clock }}
	caller := key.Caller{AccountID: dbtest.Account(t, database, "free", 0), AppID: "app_none"}
	begin := func(days *int) db.ProjectConversation {
		p := db.Project{
			AccountID: caller.AccountID, ID: id.Number(), Name: "p", CollectionID: "none", Settings: []byte("{}"), RetentionDays: days, CreatedBy: 1,
			CreatedAt: clock, UpdatedAt: clock,
		}
		if err := database.InsertProject(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		c, err := s.Begin(t.Context(), caller, p.ID, "c", "")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	week := Settings{ConversationRetentionPeriod: "custom", ConversationRetentionDays: 7}.retentionDays()
	short, long := begin(week), begin(Settings{ConversationRetentionPeriod: "never", ConversationRetentionDays: 7}.retentionDays())
	for _, c := range []struct {
		days int
		gone bool
	}{{6, false}, {2, true}} {
		clock = clock.AddDate(0, 0, c.days)
		if err := s.sweep(t.Context(), job.Run{}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Conversation(t.Context(), caller.AccountID, short.ProjectID, short.SessionID); (err != nil) != c.gone {
			t.Errorf("%d days later: %v", c.days, err)
		}
	}
	if _, err := s.Conversation(t.Context(), caller.AccountID, long.ProjectID, long.SessionID); err != nil {
		t.Errorf("one that is kept: %v", err)
	}
}
