package engagement

import (
	"context"

	gen "parley/gen/engagement"
	"parley/impl/core/engagement"
	"parley/impl/httpd"
)

type rules struct{ advisor *engagement.Advisor }

// ListEngagementRules lists the account's rules, the newest first.
func (r rules) ListEngagementRules(ctx context.Context, request gen.ListEngagementRulesRequestObject) (gen.ListEngagementRulesResponseObject, error) {
	limit := int(*request.Params.Limit)
	rows, err := r.advisor.Figures.Rules(ctx, httpd.Caller(ctx).AccountID, text(request.Params.Cursor), limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage("/api/v1/engagement/rules", rows[limit-1].ID, limit)
	}
	list := make(gen.EngagementRuleList, len(rows))
	for i, row := range rows {
		list[i] = toAPIRule(row)
	}
	return gen.ListEngagementRules200JSONResponse{Body: list, Headers: gen.ListEngagementRules200ResponseHeaders{Link: link}}, nil
}

// CreateEngagementRule makes a rule.
func (r rules) CreateEngagementRule(ctx context.Context, request gen.CreateEngagementRuleRequestObject) (gen.CreateEngagementRuleResponseObject, error) {
	body := request.Body
	row, err := r.advisor.CreateRule(ctx, httpd.Caller(ctx), engagement.RuleInput{
		Name: body.Name, Figure: string(body.Figure), Comparison: string(body.Comparison), Threshold: body.Threshold,
		Action: string(body.Action), AgentID: text(body.AgentID), Prompt: text(body.Prompt),
	})
	if err != nil {
		return nil, err
	}
	return gen.CreateEngagementRule201JSONResponse{
		Body: toAPIRule(row), Headers: gen.CreateEngagementRule201ResponseHeaders{Location: "/api/v1/engagement/rules/" + row.ID},
	}, nil
}

// DeleteEngagementRule removes a rule.
func (r rules) DeleteEngagementRule(ctx context.Context, request gen.DeleteEngagementRuleRequestObject) (gen.DeleteEngagementRuleResponseObject, error) {
	if err := r.advisor.Figures.DeleteRule(ctx, httpd.Caller(ctx).AccountID, request.RuleID); err != nil {
		return nil, err
	}
	return gen.DeleteEngagementRule204Response{}, nil
}
