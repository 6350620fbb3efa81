package engagement

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"parley/db"
)

// observed is an event as a slow reader of the formulas sees it.
type observed struct {
	at      time.Time
	kind    string
	seconds float64
}

// slow computes a figure from raw events, by the words of the document alone.
func slow(name string, events []observed, from time.Time, days int) float64 {
	on := make([][]observed, days)
	for _, e := range events {
		if day := int(e.at.Sub(from) / (24 * time.Hour)); !e.at.Before(from) && day < days {
			on[day] = append(on[day], e)
		}
	}
	var all []observed
	active := 0
	for _, list := range on {
		all = append(all, list...)
		if len(list) > 0 {
			active++
		}
	}
	mean := func(value func(observed) (float64, bool)) float64 {
		sum, n := 0.0, 0.0
		for _, e := range all {
			if v, ok := value(e); ok {
				sum, n = sum+v, n+1
			}
		}
		if n == 0 {
			return 0
		}
		return sum / n
	}
	anyIn := func(first, last int) bool {
		for day := max(0, first); day <= last; day++ {
			if len(on[day]) > 0 {
				return true
			}
		}
		return false
	}
	switch name {
	case Participation:
		return mean(func(e observed) (float64, bool) {
			return map[string]float64{"post": 1, "comment": 0.7, "dm": 0.7, "collaboration": 0.7, "share": 0.7, "like": 0.3, "other": 0.3}[e.kind], true
		})
	case Consistency:
		return float64(active) / float64(days)
	case Frequency:
		return over(float64(len(all)), active)
	case Depth:
		return mean(func(e observed) (float64, bool) {
			limit := 180.0
			if e.kind == "post" {
				limit = 300
			}
			return math.Min(e.seconds, limit) / limit, e.seconds > 0
		})
	case Streaks:
		length, day := 0, days-1
		if day >= 0 && len(on[day]) == 0 {
			day--
		}
		for ; day >= 0 && len(on[day]) > 0; day-- {
			length++
		}
		return float64(length)
	case Social:
		points := 0.0
		for _, e := range all {
			points += map[string]float64{"collaboration": 1.5, "dm": 1, "comment": 0.5, "share": 0.3, "like": 0.1}[e.kind]
		}
		return over(points, active)
	case Retention:
		weeks, kept := 0, 0
		for last := days - 1; last >= 0; last -= 7 {
			weeks++
			if anyIn(last-6, last) {
				kept++
			}
		}
		return over(float64(kept), weeks)
	case Trend:
		a, b := 0, 0
		for day, list := range on {
			if day < days/2 {
				a += len(list)
			}
			if day >= days-days/2 {
				b += len(list)
			}
		}
		return over(float64(b-a), a+b)
	}
	return 0.4*slow(Participation, events, from, days) + 0.3*slow(Consistency, events, from, days) + 0.2*slow(Depth, events, from, days) +
		0.1*math.Min(1, slow(Social, events, from, days))
}

func over(part float64, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return part / float64(whole)
}

// slotsOf sums events as the database does.
func slotsOf(events []observed) []db.EngagementSlot {
	var slots []db.EngagementSlot
	for _, e := range events {
		row := db.EngagementEvent{Type: e.kind, Seconds: e.seconds}
		count(&row)
		slots = append(slots, db.EngagementSlot{
			UserID: "u", Slot: e.at.Truncate(15 * time.Minute), Events: 1, Creations: row.Creation, Interactions: row.Interaction, Reactions: row.Reaction,
			SocialPoints: row.SocialPoints, Depths: row.Depths, DepthPoints: row.DepthPoints,
		})
	}
	return slots
}

func TestFiguresAreTheirFormulas(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	kinds := []string{"post", "comment", "dm", "collaboration", "share", "like", "other"}
	for range 500 {
		span := 1 + random.IntN(40)
		var events []observed
		for range random.IntN(60) {
			e := observed{at: from.Add(time.Duration(random.Int64N(int64(time.Duration(span+4)*24*time.Hour)) - int64(48*time.Hour))), kind: kinds[random.IntN(len(kinds))]}
			if random.IntN(2) == 0 {
				e.seconds = random.Float64() * 400
			}
			events = append(events, e)
		}
		ds := days(slotsOf(events), from, from.AddDate(0, 0, span))
		for _, name := range Figures {
			if got, want := figure(name, ds), slow(name, events, from, span); math.Abs(got-want) > 0.001 {
				t.Fatalf("%s of %d events over %d days is %f, by the formula %f", name, len(events), span, got, want)
			}
		}
	}
}

func TestDaysAreThoseOfTheZone(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 28, 23, 30, 0, 0, time.UTC) // the night in which Berlin's clocks change
	for zone, want := range map[string]string{"UTC": "2026-03-28", "Europe/Berlin": "2026-03-29", "Asia/Kolkata": "2026-03-29", "America/New_York": "2026-03-28"} {
		frame, err := ParseTimeframe("2026-03-27..2026-03-30", zone, at)
		if err != nil {
			t.Fatal(err)
		}
		ds := days(slotsOf([]observed{{at: at, kind: "post"}}), frame.From, frame.end())
		if len(ds) != 4 || frame.count() != 4 {
			t.Fatalf("%s: %d days", zone, len(ds))
		}
		for _, d := range ds {
			if d.active() != (d.Date.Format(time.DateOnly) == want) {
				t.Errorf("%s: %s active %t", zone, d.Date.Format(time.DateOnly), d.active())
			}
		}
	}
}

func TestTimeframes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 10, 1, 0, 0, 0, time.UTC)
	for text, want := range map[string][2]string{
		"today": {"2026-03-10", "2026-03-10"}, "yesterday": {"2026-03-09", "2026-03-09"}, "last_7_days": {"2026-03-04", "2026-03-10"},
		"last_366_days": {"2025-03-10", "2026-03-10"}, "2024-02-28..2024-03-01": {"2024-02-28", "2024-03-01"},
	} {
		frame, err := ParseTimeframe(text, "UTC", now)
		if err != nil || frame.From.Format(time.DateOnly) != want[0] || frame.To.Format(time.DateOnly) != want[1] {
			t.Errorf("%s: %v to %v, %v", text, frame.From, frame.To, err)
		}
		if before := frame.before(); before.count() != frame.count() || !before.end().Equal(frame.From) {
			t.Errorf("before %s: %v to %v", text, before.From, before.To)
		}
	}
	for _, text := range []string{"", "last_0_days", "last_367_days", "last__days", "tomorrow", "2026-03-10..2026-03-09", "2026-02-30..2026-03-01", "2020-01-01..2026-01-01"} {
		if _, err := ParseTimeframe(text, "UTC", now); err == nil {
			t.Errorf("%q is a timeframe", text)
		}
	}
	for _, zone := range []string{"Local", "Mars/Base", "../etc"} {
		if _, err := ParseTimeframe("today", zone, now); err == nil {
			t.Errorf("%q is a zone", zone)
		}
	}
}

// steady is a user with an event a day, the last of them so many days ago.
func steady(perDay, silent int) []Day {
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	ds := days(nil, from, from.AddDate(0, 0, 29))
	for i := range len(ds) - silent {
		ds[i].Events, ds[i].Interactions = int64(perDay+i%2), int64(perDay+i%2)
	}
	return ds
}

func TestInsights(t *testing.T) {
	t.Parallel()
	for silent, want := range map[int]float64{0: 0, 1: 1.0 / 7, 6: 6.0 / 7, 7: 1, 20: 1} {
		in := insight("u", steady(4, silent))
		if math.Abs(in.Risk-want) > 0.15 || in.Level != LevelMedium {
			t.Errorf("after %d days: risk %f, %s", silent, in.Risk, in.Level)
		}
		if silent >= 7 && (len(in.Interventions) == 0 || in.Interventions[0].Reason != "disengaged") {
			t.Errorf("after %d days: %+v", silent, in.Interventions)
		}
	}
	if in := insight("u", steady(1, 29)); in.Level != LevelNone || in.Risk != 1 || len(in.Interventions) != 0 || !in.LastActive.IsZero() {
		t.Errorf("of nobody: %+v", in)
	}
	busy := steady(4, 0)
	busy[28].Events = 60
	if in := insight("u", busy); len(in.Anomalies) != 1 || in.Anomalies[0].Figure != "events" || in.Anomalies[0].StandardScores < 3 {
		t.Errorf("of a busy day: %+v", in.Anomalies)
	}
	busy[28].Events = 1
	if in := insight("u", busy); len(in.Anomalies) != 0 {
		t.Errorf("of a day that is not over: %+v", in.Anomalies)
	}
}
