package db_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
)

func (n tenant) engagementRow() db.EngagementEvent {
	return db.EngagementEvent{UserID: n.user, ID: "e", At: now(), Dated: true, Type: "like", Properties: `{}`, Reaction: 1}
}

func (n tenant) storeEngagement(d *db.DB) func(context.Context) error {
	return func(ctx context.Context) error {
		if _, err := d.RecordEngagement(ctx, n.account, []db.EngagementEvent{n.engagementRow()}); err != nil {
			return err
		}
		if _, err := d.InsertEngagementState(ctx, db.EngagementState{
			AccountID: n.account, AgentID: n.agent, UserID: n.user, ConversationID: n.conversation, State: `{}`, UpdatedAt: now(),
		}); err != nil {
			return err
		}
		if _, err := d.InsertEngagementRule(ctx, db.EngagementRule{
			AccountID: n.account, ID: n.rule, Name: "r", Figure: "risk", Comparison: "above", Action: "webhook", CreatedAt: now(),
		}, 1); err != nil {
			return err
		}
		_, err := d.InsertEngagementHits(ctx, n.account, n.rule, []string{n.user}, now())
		return err
	}
}

// Sums must be what adding up the raw events anew gives, whatever was repeated
// and in whatever batches it came.
func TestEngagementSumsAreThoseOfTheEvents(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	account := dbtest.Account(t, d, "free", 0)
	random := rand.New(rand.NewPCG(1, 2))
	start := time.Date(2026, 3, 1, 23, 50, 0, 0, time.UTC)
	var all []db.EngagementEvent
	for i := range 400 {
		e := db.EngagementEvent{
			UserID: fmt.Sprint("user ", i%3), ID: fmt.Sprint("event ", random.IntN(300)), At: start, Dated: random.IntN(4) > 0, Type: "comment", Properties: `{}`,
		}
		e.At = start.Add(time.Duration(len(e.ID)*int(e.ID[len(e.ID)-1])) * time.Minute) // the same for the same id
		if !e.Dated {
			e.ID, e.At = "undated "+e.ID, start.Add(time.Duration(i)*time.Minute)
		}
		e.Interaction, e.SocialPoints, e.Social, e.Depths, e.DepthPoints = 1, 500, 1, 1, 250
		all = append(all, e)
	}
	counted := 0
	for len(all) > 0 {
		batch := distinct(all[:min(len(all), 1+random.IntN(60))])
		fresh, err := d.RecordEngagement(t.Context(), account, batch)
		if err != nil {
			t.Fatal(err)
		}
		again, err := d.RecordEngagement(t.Context(), account, batch)
		if err != nil || len(again) != 0 {
			t.Fatalf("%d events of a batch counted twice, %v", len(again), err)
		}
		counted += len(fresh)
		all = all[min(len(all), len(batch)):]
	}
	raw := rawConn(t, dsn)
	var stored, wrong int
	if err := raw.Get(&stored, `select count(*) from engagement_events where account_id = $1`, account); err != nil || stored != counted {
		t.Errorf("%d events stored, %d counted, %v", stored, counted, err)
	}
	if err := raw.Get(&wrong, `
		select count(*)
		from (
			select user_id, date_bin('15 minutes', at, 'epoch') as slot, count(*) as events
			from engagement_events
			where account_id = $1
			group by 1, 2
		) e
		full join (select * from engagement_slots where account_id = $1) s using (user_id, slot)
		where e.events is distinct from s.events or s.interactions <> s.events or s.social_points <> 500 * s.events or s.depth_points <> 250 * s.events
			or s.social <> s.events or s.depths <> s.events or s.creations + s.reactions + s.achievement + s.mastery + s.progress <> 0`, account); err != nil || wrong != 0 {
		t.Errorf("%d slots are not the sums of their events, %v", wrong, err)
	}
}

func distinct(events []db.EngagementEvent) []db.EngagementEvent {
	seen, kept := map[string]bool{}, []db.EngagementEvent{}
	for _, e := range events {
		if name := e.UserID + "/" + e.ID; !seen[name] {
			seen[name] = true
			kept = append(kept, e)
		}
	}
	return kept
}

func TestMonthsOfEngagementHaveTheirPartitions(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	account := dbtest.Account(t, d, "free", 0)
	month := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	for range 2 {
		if err := d.MakeEngagementMonth(t.Context(), month); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []time.Time{month, month.AddDate(0, 1, -1), month.AddDate(0, 1, 0)} {
		if _, err := d.RecordEngagement(t.Context(), account, []db.EngagementEvent{{UserID: "u", ID: at.String(), At: at, Dated: true, Type: "like", Properties: `{}`, Reaction: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	var inMonth, rest int
	raw := rawConn(t, dsn)
	if err := raw.Get(&inMonth, `select count(*) from engagement_events_202605`); err != nil || inMonth != 2 {
		t.Errorf("%d events in the month, %v", inMonth, err)
	}
	if err := raw.Get(&rest, `select count(*) from engagement_events_rest`); err != nil || rest != 1 {
		t.Errorf("%d events elsewhere, %v", rest, err)
	}
}
