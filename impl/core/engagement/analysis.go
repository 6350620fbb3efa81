package engagement

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"time"

	"parley/db"
	"parley/impl/core/fault"
)

const (
	// daysMax is how many days an analysis may span.
	daysMax = 366
	// CohortMax is how many users may be analysed as one.
	CohortMax = 1000
	// baselineDays is how far back an insight looks.
	baselineDays = 28
)

// Service records behaviour and says what it means.
type Service struct {
	DB  *db.DB
	Now func() time.Time
}

// Timeframe is a range of whole days in a zone, From and To both included.
type Timeframe struct {
	From, To time.Time // midnights
}

// end is the midnight after the last day.
func (t Timeframe) end() time.Time { return nextDay(t.To) }

// count is how many days it has.
func (t Timeframe) count() int {
	y, m, d := t.From.Date()
	y2, m2, d2 := t.To.Date()
	return int(time.Date(y2, m2, d2, 0, 0, 0, 0, time.UTC).Sub(time.Date(y, m, d, 0, 0, 0, 0, time.UTC)).Hours()/24) + 1
}

// before is the range of as many days that ends where this one begins.
func (t Timeframe) before() Timeframe {
	y, m, d := t.From.Date()
	return Timeframe{
		From: time.Date(y, m, d-t.count(), 0, 0, 0, 0, t.From.Location()),
		To:   time.Date(y, m, d-1, 0, 0, 0, 0, t.From.Location()),
	}
}

var lastDays = regexp.MustCompile(`^last_([0-9]{1,3})_days$`)

// ParseTimeframe reads `today`, `yesterday`, `last_7_days` (of any number up to 366, today included) or
// two dates, `2026-03-01..2026-03-31`, in the named zone. Anything else is an Invalid fault.
func ParseTimeframe(text, zone string, now time.Time) (Timeframe, error) {
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return Timeframe{}, fault.New(fault.Invalid, "timezone: is not the name of a time zone, such as Europe/Berlin.")
	}
	y, m, d := now.In(location).Date()
	day := func(ago int) time.Time { return time.Date(y, m, d-ago, 0, 0, 0, 0, location) }
	switch text {
	case "today":
		return Timeframe{From: day(0), To: day(0)}, nil
	case "yesterday":
		return Timeframe{From: day(1), To: day(1)}, nil
	}
	if match := lastDays.FindStringSubmatch(text); match != nil {
		n, _ := strconv.Atoi(match[1]) // three digits
		if n >= 1 && n <= daysMax {
			return Timeframe{From: day(n - 1), To: day(0)}, nil
		}
	}
	if len(text) == len("2006-01-02..2006-01-02") && text[10:12] == ".." {
		from, err := time.ParseInLocation(time.DateOnly, text[:10], location)
		to, err2 := time.ParseInLocation(time.DateOnly, text[12:], location)
		if t := (Timeframe{From: from, To: to}); err == nil && err2 == nil && !to.Before(from) && t.count() <= daysMax {
			return t, nil
		}
	}
	return Timeframe{}, fault.New(fault.Invalid,
		"timeframe: must be today, yesterday, last_N_days or two dates such as 2026-03-01..2026-03-31, of at most %d days.", daysMax)
}

// Result is one figure of an analysis.
type Result struct {
	Name     string
	Value    float64
	Previous float64   // over as many days before
	Series   []float64 // day by day
}

// Analysis is what users did in a time.
type Analysis struct {
	Timeframe  Timeframe
	Users      int // that had an event
	Events     int64
	ActiveDays int
	Level      string // of the overall figure
	Results    []Result
}

// Analyze computes figures of one user, or of a cohort as if it were one. No names means all figures; an
// unknown one is an Invalid fault. A cohort's retention is the share of the previous period's active users
// that came back.
func (s *Service) Analyze(ctx context.Context, accountID string, userIDs []string, t Timeframe, names []string) (Analysis, error) {
	if len(names) == 0 {
		names = Figures
	}
	for _, name := range names {
		if !slices.Contains(Figures, name) {
			return Analysis{}, fault.New(fault.Invalid, "metrics: %s is not known.", name)
		}
	}
	before := t.before()
	slots, err := s.DB.EngagementSlots(ctx, accountID, userIDs, before.From, t.end())
	if err != nil {
		return Analysis{}, err
	}
	then, now := days(slots, before.From, before.end()), days(slots, t.From, t.end())
	sum, active := total(now)
	a := Analysis{Timeframe: t, Events: sum.Events, ActiveDays: active, Level: level(figure(Overall, now), sum.Events)}
	earlier, later := usersOf(slots, before), usersOf(slots, t)
	a.Users = len(later)
	for _, name := range slices.Compact(slices.Clone(names)) {
		r := Result{Name: name, Value: figure(name, now), Previous: figure(name, then), Series: series(name, now)}
		if name == Retention && len(userIDs) > 1 {
			r.Value, r.Previous = returned(earlier, later), 0
		}
		a.Results = append(a.Results, r)
	}
	return a, nil
}

func usersOf(slots []db.EngagementSlot, t Timeframe) map[string]bool {
	users := map[string]bool{}
	for _, s := range slots {
		if !s.Slot.Before(t.From) && s.Slot.Before(t.end()) {
			users[s.UserID] = true
		}
	}
	return users
}

func returned(earlier, later map[string]bool) float64 {
	back := 0
	for user := range earlier {
		if later[user] {
			back++
		}
	}
	return ratio(float64(back), int64(len(earlier)))
}
