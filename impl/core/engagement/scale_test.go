package engagement_test

import (
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"parley/db/dbtest"
	"parley/impl/core/engagement"
)

var othersEvents = flag.Int("events", 20_000, "how many events of others one user's are among")

const (
	eventsEach   = 500 // of a user, over ninety days
	analysisMost = 50 * time.Millisecond
)

// What the analysis of one user reads is that user's sums alone, however many
// events others have. In the long form it is timed, too.
func TestAnalysisDoesNotGrowWithOthers(t *testing.T) {
	d, dsn := dbtest.Own(t)
	raw, err := sqlx.Connect("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	account := dbtest.Account(t, d, "unlimited", 0)
	now := time.Now().UTC()
	s := &engagement.Service{DB: d, Now: func() time.Time { return now }}
	frame, err := engagement.ParseTimeframe("last_90_days", "UTC", now)
	if err != nil {
		t.Fatal(err)
	}
	crowd(t, raw, account, now, 0, 10)
	alone := blocks(t, raw, account, frame)
	users := *othersEvents / eventsEach
	for from := 10; from < users; from += 1000 {
		crowd(t, raw, account, now, from, min(users, from+1000))
	}
	raw.MustExec(`vacuum analyze engagement_slots`)
	among := blocks(t, raw, account, frame)
	// The index may be some levels deeper, and rows of the user lie among those of others.
	if among > alone+2*eventsEach {
		t.Errorf("one user's analysis reads %d blocks alone and %d among %d users", alone, among, users)
	}
	took := make([]time.Duration, 200)
	for i := range took {
		began := time.Now()
		_, err := s.Analyze(t.Context(), account, []string{fmt.Sprintf("user-%d", i*users/len(took))}, frame, engagement.Figures)
		if took[i] = time.Since(began); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(took)
	t.Logf("%d events of %d users: %d blocks (%d among ten users); p50 %v, p95 %v", users*eventsEach, users, among, alone, took[100], took[190])
	if *othersEvents >= 1_000_000 && took[190] > analysisMost {
		t.Errorf("an analysis takes %v (p95)", took[190])
	}
}

// crowd stores events of users from a number up to another, and their sums, as reporting them would.
func crowd(t *testing.T, raw *sqlx.DB, account string, now time.Time, from, to int) {
	t.Helper()
	_, err := raw.Exec(`
		with made as (
			insert into engagement_events (account_id, user_id, event_id, at, type, seconds, properties)
			select $1, 'user-' || u, 'e' || n, $2::timestamptz - (n * 7919 % (90 * 86400)) * interval '1 second' - u * interval '1 millisecond',
				(array['post', 'comment', 'view'])[n % 3 + 1], n % 200, '{}'
			from generate_series($3::int, $4::int - 1) u, generate_series(1, $5::int) n
			returning user_id, at, type, seconds
		)
		insert into engagement_slots (account_id, user_id, slot, events, creations, interactions, reactions, social_points, depths, depth_points,
			achievement, social, mastery, progress)
		select $1, user_id, date_bin('15 minutes', at, 'epoch'), count(*), count(*) filter (where type = 'post'), count(*) filter (where type = 'comment'),
			count(*) filter (where type = 'view'), 0, count(*) filter (where seconds > 0), 0, 0, 0, 0, 0
		from made
		group by 2, 3`, account, now, from, to, eventsEach)
	if err != nil {
		t.Fatal(err)
	}
}

var hits = regexp.MustCompile(`Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?`)

// blocks is how many blocks the statement behind an analysis touches.
func blocks(t *testing.T, raw *sqlx.DB, account string, frame engagement.Timeframe) int {
	t.Helper()
	var plan []string
	err := raw.Select(&plan, `
		explain (analyze, buffers, costs off, timing off)
		select * from engagement_slots where account_id = $1 and user_id = any($2) and slot >= $3 and slot < $4 order by user_id, slot`,
		account, "{user-5}", frame.From.AddDate(0, 0, -90), frame.To.AddDate(0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range plan {
		if m := hits.FindStringSubmatch(line); m != nil {
			hit, _ := strconv.Atoi(m[1])
			read, _ := strconv.Atoi(m[2])
			return hit + read
		}
	}
	t.Fatalf("no figures in %q", plan)
	return 0
}
