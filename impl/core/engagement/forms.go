package engagement

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// form is a structured answer: its JSON schema, what the agent's method
// proposes from the figures alone, and the check of what a model answers.
type form struct {
	name    string
	schema  object
	propose func(Portrait) any
	check   func(json.RawMessage) error
}

type object = map[string]any

// Motivation says how much each motive weighs; the scores sum to 1.
type Motivation struct {
	Scores struct {
		Achievement float64 `json:"achievement"`
		Social      float64 `json:"social"`
		Mastery     float64 `json:"mastery"`
		Progress    float64 `json:"progress"`
	} `json:"scores"`
	Primary        string `json:"primary"`
	Recommendation string `json:"recommendation"`
}

// BehaviorReport says how engaged someone is, how likely to leave, and what to do.
type BehaviorReport struct {
	Level          string  `json:"level"`
	Score          float64 `json:"score"`
	Risk           float64 `json:"risk"`
	Recommendation string  `json:"recommendation"`
}

// HabitPlan is one habit with its reminder and the next streak to reach.
type HabitPlan struct {
	Habit          string  `json:"habit"`
	Trigger        string  `json:"trigger"`
	ReminderHour   int     `json:"reminder_hour"`
	NextStreak     int     `json:"next_streak_days"`
	Sustainability float64 `json:"sustainability"`
}

// GoalLadder are goals from easy to ambitious.
type GoalLadder struct {
	Goals []Goal `json:"goals"`
}

// Goal is something to reach: Target times within Period.
type Goal struct {
	Name     string `json:"name"`
	Target   int64  `json:"target"`
	Progress int64  `json:"progress"`
	Period   string `json:"period"` // day, week or month
}

// Feedback is a message of recognition.
type Feedback struct {
	Kind    string `json:"kind"` // achievement, milestone, streak or recognition
	Message string `json:"message"`
}

// Ties say how someone takes part in a community.
type Ties struct {
	Score          float64 `json:"score"`
	Role           string  `json:"role"` // newcomer, participant, connector
	Recommendation string  `json:"recommendation"`
}

// Story is a chapter of someone's journey.
type Story struct {
	Theme   string `json:"theme"`   // journey or mastery
	Chapter string `json:"chapter"` // beginning, progress or achievement
	Text    string `json:"text"`
}

// Improvement weighs what a product does for its people.
type Improvement struct {
	Engagement   float64  `json:"engagement"`
	Retention    float64  `json:"retention"`
	Satisfaction float64  `json:"satisfaction"`
	Overall      float64  `json:"overall"`
	Improve      []string `json:"improve"`
}

// Trends tell where things go, each from −1 to 1.
type Trends struct {
	Engagement float64  `json:"engagement"`
	Retention  float64  `json:"retention"`
	Social     float64  `json:"social"`
	Habits     float64  `json:"habits"`
	Insights   []string `json:"insights"`
}

var (
	share = object{"type": "number", "minimum": 0, "maximum": 1}
	slope = object{"type": "number", "minimum": -1, "maximum": 1}
	prose = object{"type": "string", "minLength": 1, "maxLength": 2000}
	lines = object{"type": "array", "maxItems": 20, "items": prose}
)

func oneOf(values ...string) object { return object{"type": "string", "enum": values} }

// closed is an object of exactly the given members.
func closed(properties object) object {
	required := make([]string, 0, len(properties))
	for name := range properties {
		required = append(required, name)
	}
	return object{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

var motivationForm = form{
	name: "motivation",
	schema: closed(object{
		"scores":  closed(object{"achievement": share, "social": share, "mastery": share, "progress": share}),
		"primary": oneOf("achievement", "social", "mastery", "progress"), "recommendation": prose,
	}),
	propose: func(p Portrait) any {
		var m Motivation
		sum, _ := total(p.days)
		all := float64(sum.Achievement + sum.Social + sum.Mastery + sum.Progress)
		weigh := func(n int64) float64 {
			if all == 0 {
				return 0.25
			}
			return math.Round(float64(n)/all*1e4) / 1e4
		}
		m.Scores.Achievement, m.Scores.Social, m.Scores.Mastery = weigh(sum.Achievement), weigh(sum.Social), weigh(sum.Mastery)
		m.Scores.Progress = math.Max(0, math.Round((1-m.Scores.Achievement-m.Scores.Social-m.Scores.Mastery)*1e4)/1e4)
		m.Primary = m.strongest()
		m.Recommendation = motivates[m.Primary]
		return m
	},
	check: checked(func(m Motivation) error {
		s := m.Scores
		if math.Abs(s.Achievement+s.Social+s.Mastery+s.Progress-1) > 0.001 {
			return errors.New("scores: must sum to 1")
		}
		for _, v := range []float64{s.Achievement, s.Social, s.Mastery, s.Progress} {
			if err := isShare("scores", v); err != nil {
				return err
			}
		}
		return isOneOf("primary", m.Primary, "achievement", "social", "mastery", "progress")
	}),
}

var motivates = map[string]string{
	"achievement": "Make progress visible: tasks with an end, and badges for what is hard.",
	"social":      "Bring people together: introduce them, and invite them to work on something in common.",
	"mastery":     "Offer something to learn that is a little beyond what they can do.",
	"progress":    "Agree on a goal with milestones, and show how far they have come.",
}

func (m Motivation) strongest() string {
	name, most := "achievement", m.Scores.Achievement
	for _, other := range []struct {
		name  string
		score float64
	}{{"social", m.Scores.Social}, {"mastery", m.Scores.Mastery}, {"progress", m.Scores.Progress}} {
		if other.score > most {
			name, most = other.name, other.score
		}
	}
	return name
}

var behaviorForm = form{
	name:   "behavior",
	schema: closed(object{"level": oneOf(LevelHigh, LevelMedium, LevelLow, LevelNone), "score": share, "risk": share, "recommendation": prose}),
	propose: func(p Portrait) any {
		text := "Nothing needs to be done."
		if len(p.Interventions) > 0 {
			text = p.Interventions[0].Text
		}
		return BehaviorReport{Level: p.Level, Score: p.Score, Risk: p.Risk, Recommendation: text}
	},
	check: checked(func(b BehaviorReport) error {
		return errors.Join(isOneOf("level", b.Level, LevelHigh, LevelMedium, LevelLow, LevelNone), isShare("score", b.Score), isShare("risk", b.Risk))
	}),
}

// streakGoals are the streaks of days worth reaching.
var streakGoals = []int{7, 30, 100, 365}

var habitForm = form{
	name: "habit",
	schema: closed(object{
		"habit": prose, "trigger": prose, "reminder_hour": object{"type": "integer", "minimum": 0, "maximum": 23},
		"next_streak_days": object{"type": "integer", "minimum": 1, "maximum": 10000}, "sustainability": share,
	}),
	propose: func(p Portrait) any {
		plan := HabitPlan{Habit: "One small contribution a day", Trigger: "After the first visit of the day", ReminderHour: 9, NextStreak: p.DailyStreak + 1}
		for _, days := range streakGoals {
			if days > p.DailyStreak {
				plan.NextStreak = days
				break
			}
		}
		plan.Sustainability = math.Min(1, (0.5*float64(p.DailyStreak)+0.3*float64(p.WeeklyStreak)+0.2*float64(p.ContributionStreak))/100)
		return plan
	},
	check: checked(func(h HabitPlan) error {
		if h.ReminderHour < 0 || h.ReminderHour > 23 {
			return errors.New("reminder_hour: must be 0 to 23")
		}
		if h.NextStreak < 1 {
			return errors.New("next_streak_days: must be at least 1")
		}
		return isShare("sustainability", h.Sustainability)
	}),
}

var goalForm = form{
	name: "goals",
	schema: closed(object{"goals": object{"type": "array", "minItems": 1, "maxItems": 20, "items": closed(object{
		"name": prose, "target": object{"type": "integer", "minimum": 1}, "progress": object{"type": "integer", "minimum": 0}, "period": oneOf("day", "week", "month"),
	})}}),
	propose: func(p Portrait) any {
		sum, _ := total(last(p.days, 7))
		today, _ := total(last(p.days, 1))
		interactions := min(10, max(5, 2*today.Interactions))
		return GoalLadder{Goals: []Goal{
			{"Interactions", interactions, min(interactions, today.Interactions), "day"},
			{"Contributions", min(25, max(3, 2*sum.Creations)), min(sum.Creations, min(25, max(3, 2*sum.Creations))), "week"},
			{"One achievement", 1, min(1, sum.Achievement), "month"},
		}}
	},
	check: checked(func(g GoalLadder) error {
		if len(g.Goals) == 0 || len(g.Goals) > 20 {
			return errors.New("goals: must be 1 to 20")
		}
		for _, goal := range g.Goals {
			if goal.Target < 1 || goal.Progress < 0 || goal.Name == "" {
				return errors.New("goals: each needs a name, a target of at least 1 and a progress")
			}
			if err := isOneOf("period", goal.Period, "day", "week", "month"); err != nil {
				return err
			}
		}
		return nil
	}),
}

func last(ds []Day, n int) []Day { return ds[max(0, len(ds)-n):] }

var feedbackForm = form{
	name:   "feedback",
	schema: closed(object{"kind": oneOf("achievement", "milestone", "streak", "recognition"), "message": prose}),
	propose: func(p Portrait) any {
		sum, _ := total(p.days)
		switch {
		case p.DailyStreak >= 3:
			return Feedback{"streak", fmt.Sprintf("%d days in a row: well done.", p.DailyStreak)}
		case sum.Achievement > 0:
			return Feedback{"achievement", "What you finished lately has been seen. Thank you."}
		case sum.Creations > 0:
			return Feedback{"recognition", "Your contribution helped. Thank you."}
		}
		return Feedback{"recognition", "Good to have you here."}
	},
	check: checked(func(f Feedback) error {
		return isOneOf("kind", f.Kind, "achievement", "milestone", "streak", "recognition")
	}),
}

var socialForm = form{
	name:   "ties",
	schema: closed(object{"score": share, "role": oneOf("newcomer", "participant", "connector"), "recommendation": prose}),
	propose: func(p Portrait) any {
		ties := Ties{Score: math.Min(1, figure(Social, p.days)), Role: "newcomer", Recommendation: "Introduce them to someone with the same interest."}
		switch {
		case ties.Score >= 0.8:
			ties.Role, ties.Recommendation = "connector", "Ask them to welcome a newcomer."
		case ties.Score >= 0.2:
			ties.Role, ties.Recommendation = "participant", "Invite them to a small collaboration."
		}
		return ties
	},
	check: checked(func(t Ties) error {
		return errors.Join(isShare("score", t.Score), isOneOf("role", t.Role, "newcomer", "participant", "connector"))
	}),
}

var storyForm = form{
	name:   "story",
	schema: closed(object{"theme": oneOf("journey", "mastery"), "chapter": oneOf("beginning", "progress", "achievement"), "text": prose}),
	propose: func(p Portrait) any {
		sum, active := total(p.days)
		story := Story{Theme: "journey", Chapter: "beginning"}
		if sum.Mastery > sum.Social {
			story.Theme = "mastery"
		}
		switch done := figure(Overall, p.days); {
		case done >= 0.7:
			story.Chapter = "achievement"
		case done >= 0.3:
			story.Chapter = "progress"
		}
		story.Text = fmt.Sprintf("%d days, %d steps: the story goes on.", active, sum.Events)
		return story
	},
	check: checked(func(s Story) error {
		return errors.Join(isOneOf("theme", s.Theme, "journey", "mastery"), isOneOf("chapter", s.Chapter, "beginning", "progress", "achievement"))
	}),
}

var evolutionForm = form{
	name:   "improvement",
	schema: closed(object{"engagement": share, "retention": share, "satisfaction": share, "overall": share, "improve": lines}),
	propose: func(p Portrait) any {
		i := Improvement{Engagement: figure(Participation, p.days), Retention: figure(Retention, p.days), Satisfaction: figure(Depth, p.days), Improve: []string{}}
		i.Overall = math.Min(1, 0.4*i.Engagement+0.3*i.Retention+0.3*i.Satisfaction)
		for _, of := range []struct {
			name  string
			value float64
		}{{"engagement", i.Engagement}, {"retention", i.Retention}, {"satisfaction", i.Satisfaction}} {
			if of.value < 0.6 {
				i.Improve = append(i.Improve, of.name)
			}
		}
		return i
	},
	check: checked(func(i Improvement) error {
		return errors.Join(isShare("engagement", i.Engagement), isShare("retention", i.Retention), isShare("satisfaction", i.Satisfaction), isShare("overall", i.Overall))
	}),
}

var analyticsForm = form{
	name:   "trends",
	schema: closed(object{"engagement": slope, "retention": slope, "social": slope, "habits": slope, "insights": lines}),
	propose: func(p Portrait) any {
		half := len(p.days) / 2
		change := func(name string) float64 {
			a, b := figure(name, p.days[:half]), figure(name, p.days[len(p.days)-half:])
			if a+b == 0 {
				return 0
			}
			return (b - a) / (a + b)
		}
		t := Trends{Engagement: change(Participation), Retention: change(Retention), Social: change(Social), Habits: change(Consistency), Insights: []string{}}
		if p.Risk >= 0.5 {
			t.Insights = append(t.Insights, "Activity is falling.")
		}
		if t.Engagement > 0 {
			t.Insights = append(t.Insights, "What is done weighs more than before.")
		}
		return t
	},
	check: checked(func(t Trends) error {
		for _, v := range []float64{t.Engagement, t.Retention, t.Social, t.Habits} {
			if !(v >= -1 && v <= 1) {
				return errors.New("trends: must be -1 to 1")
			}
		}
		return nil
	}),
}
