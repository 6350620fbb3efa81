package engagement

import (
	"context"

	gen "parley/gen/engagement"
	"parley/impl/core/engagement"
	"parley/impl/core/fault"
	"parley/impl/httpd"
)

// insightsMax is of how many users a report is told what their behaviour means.
const insightsMax = 100

type behavior struct{ service *engagement.Service }

// MonitorBehavior stores what users did and answers what it means.
func (b behavior) MonitorBehavior(ctx context.Context, request gen.MonitorBehaviorRequestObject) (gen.MonitorBehaviorResponseObject, error) {
	batch, err := fromAPIReport(*request.Body)
	if err != nil {
		return nil, err
	}
	accountID := httpd.Caller(ctx).AccountID
	outcomes, err := b.service.Record(ctx, accountID, batch)
	if err != nil {
		return nil, err
	}
	answer := toAPIOutcome(outcomes)
	portraits, err := b.service.Reported(ctx, accountID, reported(batch, outcomes), insightsMax)
	if err != nil {
		return nil, err
	}
	for _, p := range portraits {
		answer.Users = append(answer.Users, toAPIInsight(p.Insight))
	}
	return gen.MonitorBehavior200JSONResponse(answer), nil
}

// reported are the users of a batch's stored events, each once, in order.
func reported(batch []engagement.Behavior, outcomes []engagement.Outcome) []string {
	users, seen := []string{}, map[string]bool{}
	for i, o := range outcomes {
		if user := batch[i].UserID; o.Refusal == "" && !seen[user] {
			seen[user] = true
			users = append(users, user)
		}
	}
	return users
}

// fromAPIReport is the batch, and the event that the report's own members tell.
func fromAPIReport(r gen.BehaviorReport) ([]engagement.Behavior, error) {
	single := gen.BehaviorEvent{
		EventID: r.EventID, UserID: r.UserID, Type: r.Type, At: r.At, DurationSeconds: r.DurationSeconds, Properties: r.Properties,
	}
	if len(r.Events) == 0 && (r.UserID == nil || r.Type == nil) {
		return nil, fault.New(fault.Invalid, "An event needs user_id and type; a batch stands in events.")
	}
	batch := make([]engagement.Behavior, len(r.Events), len(r.Events)+1)
	for i, e := range r.Events {
		batch[i] = fromAPIEvent(e)
	}
	if single != (gen.BehaviorEvent{}) {
		batch = append(batch, fromAPIEvent(single))
	}
	return batch, nil
}

func fromAPIEvent(e gen.BehaviorEvent) engagement.Behavior {
	b := engagement.Behavior{EventID: text(e.EventID), UserID: text(e.UserID), Type: text(e.Type)}
	if e.At != nil {
		b.At = *e.At
	}
	if e.DurationSeconds != nil {
		b.Seconds = *e.DurationSeconds
	}
	if e.Properties != nil {
		b.Properties = *e.Properties
	}
	return b
}
