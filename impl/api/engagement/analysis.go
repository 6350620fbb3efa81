package engagement

import (
	"context"
	"encoding/json"

	gen "parley/gen/engagement"
	"parley/impl/core/engagement"
	"parley/impl/core/fault"
	"parley/impl/httpd"
)

// summaryPrompt is what the analyst is asked with `summary`.
const summaryPrompt = "Explain this analysis in a few sentences: what stands out, how it compares with the time before, and what to look at next."

type analysis struct{ advisor *engagement.Advisor }

// AnalyzeEngagement computes metrics of a user or a group.
func (a analysis) AnalyzeEngagement(ctx context.Context, request gen.AnalyzeEngagementRequestObject) (gen.AnalyzeEngagementResponseObject, error) {
	caller, body := httpd.Caller(ctx), gen.AnalysisRequest{}
	if request.Body != nil {
		body = *request.Body
	}
	users := body.UserIds
	switch one := text(request.Params.UserID); {
	case (one == "") == (len(users) == 0):
		return nil, fault.New(fault.Invalid, "Name one user in the parameter user_id, or several in user_ids.")
	case one != "":
		users = []string{one}
	}
	zone := "UTC"
	if body.Timezone != nil {
		zone = *body.Timezone
	}
	frame, err := engagement.ParseTimeframe(*request.Params.Timeframe, zone, a.advisor.Figures.Now())
	if err != nil {
		return nil, err
	}
	names := make([]string, len(body.Metrics))
	for i, name := range body.Metrics {
		names[i] = string(name)
	}
	found, err := a.advisor.Figures.Analyze(ctx, caller.AccountID, users, frame, names)
	if err != nil {
		return nil, err
	}
	answer := toAPIAnalysis(found, zone)
	answer.UserID = request.Params.UserID
	if body.Summary == nil || !*body.Summary {
		return gen.AnalyzeEngagement200JSONResponse{Body: answer}, nil
	}
	return a.explain(ctx, answer, text(body.Model))
}

// explain lets the analyst put an analysis into words.
func (a analysis) explain(ctx context.Context, answer gen.Analysis, modelID string) (gen.AnalyzeEngagementResponseObject, error) {
	raw, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	analyst, _ := engagement.Find(engagement.Analytics)
	live, _, err := a.advisor.Ask(ctx, httpd.Caller(ctx), engagement.Question{
		Agent: analyst, UserID: text(answer.UserID), Prompt: summaryPrompt, ModelID: modelID, Analysis: raw,
	})
	if err != nil {
		return nil, err
	}
	words, err := live.Wait(ctx)
	if err != nil {
		return nil, err
	}
	answer.Summary = &words.Content
	return gen.AnalyzeEngagement200JSONResponse{Body: answer, Headers: gen.AnalyzeEngagement200ResponseHeaders{ParleyTurn: &live.ID}}, nil
}
