package engagement

import (
	"math"
	"time"
	_ "time/tzdata" // zones by name, on machines without their own

	"parley/db"
)

// The figures, each from the days of a range. An *active* day has at least one event.
//
//	participation  (1.0·creations + 0.7·interactions + 0.3·reactions) ÷ events        0 … 1
//	consistency    active days ÷ days                                                 0 … 1
//	frequency      events ÷ active days                                               events a day
//	depth          mean over events with a duration of min(duration, cap) ÷ cap,
//	               cap 300 s for creations, 180 s for the rest                        0 … 1
//	streaks        days in a row with an event, up to the last day or the one before  days
//	social         (1.5·collaborations + 1.0·dms + 0.5·comments + 0.3·shares
//	               + 0.1·likes) ÷ active days                                         points a day
//	retention      weeks with an event ÷ weeks, counted back from the last day;
//	               the first week may be short                                        0 … 1
//	trend          (b − a) ÷ (a + b), a and b the events of the first and second half
//	               of the days; the middle day of an odd number counts for neither    −1 … 1
//	overall        0.4·participation + 0.3·consistency + 0.2·depth + 0.1·min(1, social)
//
// Where nothing is divided by (no events, no active days), a figure is 0.
const (
	Participation = "participation"
	Consistency   = "consistency"
	Frequency     = "frequency"
	Depth         = "depth"
	Streaks       = "streaks"
	Social        = "social"
	Retention     = "retention"
	Trend         = "trend"
	Overall       = "overall"
)

// Figures are the names of all figures, in the order in which they are told.
var Figures = []string{Participation, Consistency, Frequency, Depth, Streaks, Social, Retention, Trend, Overall}

// Day is the sum of a day's events.
type Day struct {
	Date time.Time // its midnight, in the zone of the analysis
	db.EngagementSlot
}

func (d Day) active() bool { return d.Events > 0 }

// days sums slots into the days of a zone, from the day of from up to the day before to, empty ones too.
func days(slots []db.EngagementSlot, from, to time.Time) []Day {
	var all []Day
	index := map[string]int{}
	for at := from; at.Before(to); at = nextDay(at) {
		index[at.Format(time.DateOnly)] = len(all)
		all = append(all, Day{Date: at})
	}
	for _, s := range slots {
		i, ok := index[s.Slot.In(from.Location()).Format(time.DateOnly)]
		if ok {
			add(&all[i].EngagementSlot, s)
		}
	}
	return all
}

// nextDay is the next midnight: days are 23 or 25 hours long where clocks change.
func nextDay(midnight time.Time) time.Time {
	y, m, d := midnight.Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, midnight.Location())
}

func add(sum *db.EngagementSlot, s db.EngagementSlot) {
	sum.Events += s.Events
	sum.Creations += s.Creations
	sum.Interactions += s.Interactions
	sum.Reactions += s.Reactions
	sum.SocialPoints += s.SocialPoints
	sum.Depths += s.Depths
	sum.DepthPoints += s.DepthPoints
	sum.Achievement += s.Achievement
	sum.Social += s.Social
	sum.Mastery += s.Mastery
	sum.Progress += s.Progress
}

func total(ds []Day) (sum db.EngagementSlot, active int) {
	for _, d := range ds {
		add(&sum, d.EngagementSlot)
		if d.active() {
			active++
		}
	}
	return sum, active
}

// figure is the value of a figure over days.
func figure(name string, ds []Day) float64 {
	sum, active := total(ds)
	switch name {
	case Participation:
		return ratio(creationWeight*float64(sum.Creations)+interactionWeight*float64(sum.Interactions)+reactionWeight*float64(sum.Reactions), sum.Events)
	case Consistency:
		return ratio(float64(active), int64(len(ds)))
	case Frequency:
		return ratio(float64(sum.Events), int64(active))
	case Depth:
		return ratio(float64(sum.DepthPoints)/1000, sum.Depths)
	case Streaks:
		return float64(streak(ds, 1))
	case Social:
		return ratio(float64(sum.SocialPoints)/1000, int64(active))
	case Retention:
		return retention(ds)
	case Trend:
		return trend(ds)
	}
	return 0.4*figure(Participation, ds) + 0.3*figure(Consistency, ds) + 0.2*figure(Depth, ds) + 0.1*math.Min(1, figure(Social, ds))
}

func ratio(part float64, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return part / float64(whole)
}

// streak counts steps of so many days in a row with an event, up to the last step. While the last step
// is still empty, the streak up to the one before is not lost yet.
func streak(ds []Day, step int) int {
	length := 0
	for end := len(ds); end > 0; end -= step {
		if _, active := total(ds[max(0, end-step):end]); active > 0 {
			length++
		} else if end < len(ds) {
			break
		}
	}
	return length
}

// creationStreak counts days in a row with something created, as streak does.
func creationStreak(ds []Day) int {
	created := make([]Day, len(ds))
	for i, d := range ds {
		created[i].Events = d.Creations
	}
	return streak(created, 1)
}

func retention(ds []Day) float64 {
	weeks, kept := 0, 0
	for end := len(ds); end > 0; end -= 7 {
		weeks++
		if _, active := total(ds[max(0, end-7):end]); active > 0 {
			kept++
		}
	}
	return ratio(float64(kept), int64(weeks))
}

func trend(ds []Day) float64 {
	half := len(ds) / 2
	first, _ := total(ds[:half])
	second, _ := total(ds[len(ds)-half:])
	return ratio(float64(second.Events-first.Events), first.Events+second.Events)
}

// series is a figure day by day: of the day alone, or for those that need more
// than a day of all days up to it.
func series(name string, ds []Day) []float64 {
	values := make([]float64, len(ds))
	for i := range ds {
		switch name {
		case Streaks, Retention, Trend:
			values[i] = figure(name, ds[:i+1])
		default:
			values[i] = figure(name, ds[i:i+1])
		}
	}
	return values
}
