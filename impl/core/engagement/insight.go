package engagement

import (
	"context"
	"math"
	"slices"
	"time"

	"parley/db"
)

// The levels of engagement and where they begin.
const (
	LevelHigh, LevelMedium, LevelLow, LevelNone = "high", "medium", "low", "none"

	highFrom, mediumFrom, lowFrom = 0.8, 0.5, 0.2
)

const (
	// disengagedAfter is how many days of silence make a user disengaged.
	disengagedAfter = 7
	// knownAfter is how many active days a baseline needs before something can stand out from it.
	knownAfter = 7
	// standsOut is how many standard deviations a day must be from the baseline.
	standsOut = 3.0
)

// Insight is what a user's behaviour of the last four weeks means at a moment.
type Insight struct {
	UserID             string
	Level              string
	Score              float64 // participation today or, without an event today, on the last active day
	DailyStreak        int
	WeeklyStreak       int
	ContributionStreak int
	LastActive         time.Time // midnight of the day; zero when no day of the four weeks was active
	Risk               float64   // of disengagement: days of silence ÷ 7, and how much less there is than before
	Anomalies          []Anomaly
	Interventions      []Intervention
}

// Anomaly is a day's figure that stands out from the user's own baseline.
type Anomaly struct {
	Figure         string // events or depth
	Value          float64
	Mean, Spread   float64
	StandardScores float64 // how many spreads from the mean
}

// Intervention is something that may help now.
type Intervention struct {
	AgentID string
	Reason  string
	Text    string
}

// Portraits reads the last four weeks of users, in their order.
func (s *Service) Portraits(ctx context.Context, accountID string, userIDs []string) ([]Portrait, error) {
	from, to := s.baseline()
	slots, err := s.DB.EngagementDays(ctx, accountID, userIDs, from, to)
	if err != nil {
		return nil, err
	}
	byUser := map[string][]db.EngagementSlot{}
	for _, slot := range slots {
		byUser[slot.UserID] = append(byUser[slot.UserID], slot)
	}
	portraits := make([]Portrait, len(userIDs))
	for i, user := range userIDs {
		ds := days(byUser[user], from, to)
		portraits[i] = Portrait{Insight: insight(user, ds), days: ds}
	}
	return portraits, nil
}

// baseline is today and the four weeks before.
func (s *Service) baseline() (from, to time.Time) {
	y, m, d := s.Now().UTC().Date()
	return time.Date(y, m, d-baselineDays, 0, 0, 0, 0, time.UTC), time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC)
}

// insight reads days of which the last is today.
func insight(user string, ds []Day) Insight {
	in := Insight{UserID: user, DailyStreak: streak(ds, 1), WeeklyStreak: streak(ds, 7), ContributionStreak: creationStreak(ds)}
	silent := len(ds)
	for i := len(ds) - 1; i >= 0; i-- {
		if ds[i].active() {
			silent = len(ds) - 1 - i
			in.LastActive, in.Score = ds[i].Date, figure(Participation, ds[i:i+1])
			in.Level = level(in.Score, ds[i].Events)
			break
		}
	}
	if in.LastActive.IsZero() {
		in.Level = LevelNone
	}
	in.Risk = risk(ds, silent)
	in.Anomalies = anomalies(ds)
	in.Interventions = interventions(in)
	return in
}

func level(score float64, events int64) string {
	switch {
	case events == 0:
		return LevelNone
	case score >= highFrom:
		return LevelHigh
	case score >= mediumFrom:
		return LevelMedium
	case score >= lowFrom:
		return LevelLow
	}
	return LevelNone
}

// risk is the greater of the silence as a share of a week and of the decline of the last week against the one before.
func risk(ds []Day, silent int) float64 {
	if silent >= disengagedAfter {
		return 1
	}
	quiet := float64(silent) / disengagedAfter
	if len(ds) < 14 {
		return quiet
	}
	last, _ := total(ds[len(ds)-7:])
	former, _ := total(ds[len(ds)-14 : len(ds)-7])
	return max(quiet, 1-ratio(float64(last.Events), max(former.Events, last.Events)))
}

// anomalies compares the last day with those before it.
func anomalies(ds []Day) []Anomaly {
	last, before := ds[len(ds)-1], ds[:len(ds)-1]
	if _, active := total(before); active < knownAfter || !last.active() {
		return nil
	}
	var found []Anomaly
	for _, of := range []struct {
		name  string
		value func(Day) (float64, bool)
	}{
		{"events", func(d Day) (float64, bool) { return float64(d.Events), true }},
		{Depth, func(d Day) (float64, bool) { return ratio(float64(d.DepthPoints)/1000, d.Depths), d.Depths > 0 }},
	} {
		value, ok := of.value(last)
		mean, spread, n := moments(before, of.value)
		if !ok || n < knownAfter {
			continue
		}
		a := Anomaly{Figure: of.name, Value: value, Mean: mean, Spread: spread}
		// The last day is not over: that it has few events so far says nothing.
		if a.standsOut() && (of.name == Depth || value > mean) {
			found = append(found, a)
		}
	}
	return found
}

func (a *Anomaly) standsOut() bool {
	if a.Spread == 0 {
		return false // a baseline without any spread says nothing of what is usual
	}
	a.StandardScores = (a.Value - a.Mean) / a.Spread
	return math.Abs(a.StandardScores) >= standsOut
}

// moments are the mean and the standard deviation of a figure over the days that have it.
func moments(ds []Day, value func(Day) (float64, bool)) (mean, spread float64, n int) {
	var values []float64
	for _, d := range ds {
		if v, ok := value(d); ok {
			values = append(values, v)
			mean += v
		}
	}
	if n = len(values); n == 0 {
		return 0, 0, 0
	}
	mean /= float64(n)
	for _, v := range values {
		spread += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(spread / float64(n)), n
}

// interventions are rules of thumb, each with the agent that knows more (wire facts A3).
func interventions(in Insight) []Intervention {
	var found []Intervention
	suggest := func(agentID, reason, text string) { found = append(found, Intervention{agentID, reason, text}) }
	switch {
	case in.LastActive.IsZero():
		return nil
	case in.Risk >= 1:
		suggest("feedback_loop", "disengaged", "Silent for a week or more: recall what was achieved, and offer one small step back.")
	case in.Risk >= 0.5:
		suggest("habit_formation", "at_risk", "Activity is falling: remind at the time of day at which the user used to come.")
	}
	if slices.Contains([]int{7, 30, 100}, in.DailyStreak) {
		suggest("feedback_loop", "streak_reached", "A streak of days is complete: recognise it.")
	}
	if in.Level == LevelHigh && in.ContributionStreak == 0 {
		suggest("goal_setting", "ready_for_more", "Highly engaged but not creating yet: propose a first contribution.")
	}
	for _, a := range in.Anomalies {
		if a.StandardScores < 0 {
			suggest("behavior_monitoring", "unusually_low", "Today's "+a.Figure+" is far below the user's own baseline: ask what got in the way.")
		}
	}
	return found
}
