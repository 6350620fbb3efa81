package engagement

import (
	"encoding/json"
	"math"
	"time"

	openapi_types "github.com/oapi-codegen/runtime/types"

	"parley/db"
	gen "parley/gen/engagement"
	"parley/impl/core/engagement"
	"parley/impl/core/turn"
)

// text is an optional member's value, "" when absent.
func text[T ~string](p *T) string {
	if p == nil {
		return ""
	}
	return string(*p)
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// decimals rounds figures to six decimals, which is finer than what they are made of.
func decimals(v float64) float64 { return math.Round(v*1e6) / 1e6 }

func date(midnight time.Time) openapi_types.Date { return openapi_types.Date{Time: midnight} }

// optionsOf reads what is stored with a turn of this surface, by us in this shape.
func optionsOf(raw json.RawMessage) (o engagement.Options) {
	_ = json.Unmarshal(raw, &o)
	return o
}

// Whole is this surface's answer that is not streamed.
func Whole(raw json.RawMessage, a turn.Answer) any {
	o := optionsOf(raw)
	if o.Analysis == nil {
		return toAPIAnswer(o, a)
	}
	var explained gen.Analysis
	_ = json.Unmarshal(o.Analysis, &explained) // likewise
	explained.Summary = &a.Content
	return explained
}

var pieceForm = turn.FormOf(gen.EngagementDelta{Content: turn.Hole})

// Encode is this surface's stream: delta events, then message with the whole answer, or error.
func Encode(v turn.View, e turn.Event) []turn.Frame {
	switch e.Kind {
	case turn.Delta:
		return v.Piece("delta", pieceForm, e.Text)
	case turn.Completed:
		a := turn.Answer{Content: v.Content, ModelID: v.ModelID}
		if e.Usage != nil {
			a.Usage.InputTokens, a.Usage.OutputTokens = int(e.Usage.InputTokens), int(e.Usage.OutputTokens)
		}
		return []turn.Frame{{Event: "message", Data: toAPIAnswer(optionsOf(v.Options), a)}}
	case turn.Failed, turn.Cancelled:
		return []turn.Frame{{Event: "error", Data: gen.EngagementError{Error: e.Text}}}
	}
	return nil // of reasoning and calls this surface tells nothing
}

func toAPIAnswer(o engagement.Options, a turn.Answer) gen.EngagementAnswer {
	answer := gen.EngagementAnswer{
		Agent: o.Agent, Response: a.Content, Model: a.ModelID, UserID: optional(o.UserID),
		Usage: gen.EngagementUsage{
			InputTokens: int64(a.Usage.InputTokens), OutputTokens: int64(a.Usage.OutputTokens),
			TotalTokens: int64(a.Usage.InputTokens + a.Usage.OutputTokens),
		},
	}
	if result, byModel := o.Structured(a.Content); result != nil {
		source := gen.EngagementAnswerResultSourceMethod
		if byModel {
			source = gen.EngagementAnswerResultSourceModel
		}
		answer.ResultSource = &source
		_ = json.Unmarshal(result, &answer.Result) // it was checked
	}
	return answer
}

func toAPIOutcome(outcomes []engagement.Outcome) gen.BehaviorOutcome {
	answer := gen.BehaviorOutcome{Results: make([]gen.BehaviorResult, len(outcomes)), Users: []gen.BehaviorInsight{}}
	for i, o := range outcomes {
		r := gen.BehaviorResult{Status: gen.BehaviorResultStatusCounted, EventID: optional(o.EventID)}
		switch {
		case o.Refusal != "":
			r.Status, r.Error = gen.BehaviorResultStatusFailed, &o.Refusal
			answer.Failed++
		case o.Duplicate:
			r.Status = gen.BehaviorResultStatusDuplicate
			answer.Duplicates++
		default:
			answer.Accepted++
		}
		answer.Results[i] = r
	}
	return answer
}

func toAPIStreaks(daily, weekly, contribution int) gen.BehaviorStreaks {
	return gen.BehaviorStreaks{Daily: int32(daily), Weekly: int32(weekly), Contribution: int32(contribution)} //nolint:gosec // at most a year
}

func toAPIInsight(in engagement.Insight) gen.BehaviorInsight {
	out := gen.BehaviorInsight{
		UserID: in.UserID, EngagementLevel: gen.BehaviorInsightEngagementLevel(in.Level), Score: decimals(in.Score),
		Streaks: toAPIStreaks(in.DailyStreak, in.WeeklyStreak, in.ContributionStreak), DisengagementRisk: decimals(in.Risk),
		Anomalies: make([]gen.BehaviorAnomaly, len(in.Anomalies)), Interventions: make([]gen.BehaviorIntervention, len(in.Interventions)),
	}
	if !in.LastActive.IsZero() {
		day := date(in.LastActive)
		out.LastActive = &day
	}
	for i, a := range in.Anomalies {
		out.Anomalies[i] = gen.BehaviorAnomaly{
			Figure: gen.BehaviorAnomalyFigure(a.Figure), Value: decimals(a.Value), Mean: decimals(a.Mean),
			StandardDeviation: decimals(a.Spread), StandardScore: decimals(a.StandardScores),
		}
	}
	for i, v := range in.Interventions {
		out.Interventions[i] = gen.BehaviorIntervention{Agent: v.AgentID, Reason: gen.BehaviorInterventionReason(v.Reason), Text: v.Text}
	}
	return out
}

func toAPIAnalysis(a engagement.Analysis, zone string) gen.Analysis {
	out := gen.Analysis{
		Timeframe:       gen.AnalysisTimeframe{From: date(a.Timeframe.From), To: date(a.Timeframe.To), Timezone: zone},
		EngagementLevel: gen.AnalysisEngagementLevel(a.Level), Users: int32(a.Users), Events: a.Events, ActiveDays: int32(a.ActiveDays), //nolint:gosec // at most 1,000 and 366
		Metrics: make([]gen.Metric, len(a.Results)),
	}
	for i, r := range a.Results {
		m := gen.Metric{
			Name: gen.MetricName(r.Name), Value: decimals(r.Value), Previous: decimals(r.Previous), Change: decimals(r.Value - r.Previous),
			Series: make([]gen.MetricPoint, len(r.Series)),
		}
		for d, value := range r.Series {
			m.Series[d] = gen.MetricPoint{Date: date(a.Timeframe.From.AddDate(0, 0, d)), Value: decimals(value)}
		}
		out.Metrics[i] = m
	}
	return out
}

func fromAPIGoals(goals []gen.AgentGoal) []engagement.Goal {
	if goals == nil {
		return nil
	}
	out := make([]engagement.Goal, len(goals))
	for i, g := range goals {
		out[i] = engagement.Goal{Name: g.Name, Target: g.Target, Progress: g.Progress, Period: string(g.Period)}
	}
	return out
}

func toAPIState(s engagement.State) gen.AgentState {
	out := gen.AgentState{
		AgentID: s.AgentID, UserID: s.UserID, ConversationID: s.ConversationID, Version: s.Version, UpdatedAt: s.UpdatedAt.UTC(),
		EngagementLevel: gen.AgentStateEngagementLevel(s.Level), Streaks: toAPIStreaks(s.DailyStreak, s.WeeklyStreak, s.ContributionStreak),
		Goals: make([]gen.AgentGoal, len(s.Goals)), Themes: s.Themes,
	}
	for i, g := range s.Goals {
		out.Goals[i] = gen.AgentGoal{Name: g.Name, Target: g.Target, Progress: g.Progress, Period: gen.AgentGoalPeriod(g.Period)}
	}
	return out
}

func toAPIRule(r db.EngagementRule) gen.EngagementRule {
	return gen.EngagementRule{
		ID: r.ID, Name: r.Name, Figure: gen.EngagementRuleFigure(r.Figure), Comparison: gen.EngagementRuleComparison(r.Comparison),
		Threshold: r.Threshold, Action: gen.EngagementRuleAction(r.Action), AgentID: r.AgentID, Prompt: optional(r.Prompt), CreatedAt: r.CreatedAt.UTC(),
	}
}
