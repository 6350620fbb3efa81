package projects

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	openapi_types "github.com/oapi-codegen/runtime/types"

	"parley/db"
	gen "parley/gen/projects"
	"parley/impl/core/project"
	"parley/impl/core/turn"
	"parley/impl/httpd"
)

type reports struct {
	service *project.Service
	base    base
}

func (r reports) of(ctx context.Context, projectID int64) (project.Report, error) {
	return r.service.Report(ctx, httpd.Caller(ctx).AccountID, projectID, project.Daily)
}

// GetProjectTrafficReport tells where questions came from.
func (r reports) GetProjectTrafficReport(ctx context.Context, request gen.GetProjectTrafficReportRequestObject) (gen.GetProjectTrafficReportResponseObject, error) {
	report, err := r.of(ctx, request.ProjectID)
	if err != nil {
		return nil, err
	}
	sources := make([]gen.ProjectTrafficSource, len(report.BySource))
	for i, c := range report.BySource {
		sources[i] = gen.ProjectTrafficSource{RequestSource: c.Name, RequestSourceNumber: c.N}
	}
	return gen.GetProjectTrafficReport200JSONResponse{Data: gen.ProjectTrafficReport{Sources: sources}, Status: success}, nil
}

// GetProjectQueriesReport tells how many questions there were and how their answers ended.
func (r reports) GetProjectQueriesReport(ctx context.Context, request gen.GetProjectQueriesReportRequestObject) (gen.GetProjectQueriesReportResponseObject, error) {
	report, err := r.of(ctx, request.ProjectID)
	if err != nil {
		return nil, err
	}
	var out gen.ProjectQueriesReport
	if slices.Contains(request.Params.Filters, gen.GetProjectQueriesReportParamsFiltersTotal) {
		out.Total = &report.Queries
	}
	if slices.Contains(request.Params.Filters, gen.GetProjectQueriesReportParamsFiltersQueryStatus) {
		out.QueryStatus = make([]gen.ProjectQueryStatus, len(report.ByStatus))
		for i, c := range report.ByStatus {
			out.QueryStatus[i] = gen.ProjectQueryStatus{Status: gen.ProjectQueryStatusStatus(c.Name), Count: c.N}
		}
	}
	return gen.GetProjectQueriesReport200JSONResponse{Data: out, Status: success}, nil
}

// GetProjectConversationsReport tells how many conversations there were, and how long they are.
func (r reports) GetProjectConversationsReport(ctx context.Context, request gen.GetProjectConversationsReportRequestObject) (gen.GetProjectConversationsReportResponseObject, error) {
	report, err := r.of(ctx, request.ProjectID)
	if err != nil {
		return nil, err
	}
	var out gen.ProjectConversationsReport
	if slices.Contains(request.Params.Filters, gen.GetProjectConversationsReportParamsFiltersTotal) {
		out.Total = &report.Conversations
	}
	if slices.Contains(request.Params.Filters, gen.GetProjectConversationsReportParamsFiltersAverageQueriesPerConversation) {
		average := ratio(report.Queries, report.Conversations)
		out.AverageQueriesPerConversation = &average
	}
	return gen.GetProjectConversationsReport200JSONResponse{Data: out, Status: success}, nil
}

// ratio is how many there are of one to another; 0 of none.
func ratio(n, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// GetProjectAnalysisReport tells how questions and conversations developed.
func (r reports) GetProjectAnalysisReport(ctx context.Context, request gen.GetProjectAnalysisReportRequestObject) (gen.GetProjectAnalysisReportResponseObject, error) {
	report, err := r.service.Report(ctx, httpd.Caller(ctx).AccountID, request.ProjectID, string(*request.Params.Interval))
	if err != nil {
		return nil, err
	}
	var out gen.ProjectAnalysisReport
	for _, wanted := range request.Params.Filters {
		switch wanted {
		case gen.GetProjectAnalysisReportParamsFiltersQueries:
			out.Queries = over(report, func(i project.Interval) float64 { return float64(i.Queries) })
		case gen.GetProjectAnalysisReportParamsFiltersConversations:
			out.Conversations = over(report, func(i project.Interval) float64 { return float64(i.Conversations) })
		case gen.GetProjectAnalysisReportParamsFiltersQueriesPerConversation:
			out.QueriesPerConversation = over(report, func(i project.Interval) float64 { return ratio(i.Queries, i.Conversations) })
		}
	}
	return gen.GetProjectAnalysisReport200JSONResponse{Data: out, Status: success}, nil
}

func over(report project.Report, figure func(project.Interval) float64) []gen.ProjectInterval {
	out := make([]gen.ProjectInterval, len(report.Intervals))
	for i, span := range report.Intervals {
		out[i] = gen.ProjectInterval{QueriesNumber: figure(span), CreatedAtInterval: openapi_types.Date{Time: span.Begins}}
	}
	return out
}

// GetProjectIntelligenceReport lists what was asked and answered.
func (r reports) GetProjectIntelligenceReport(ctx context.Context, request gen.GetProjectIntelligenceReportRequestObject) (gen.GetProjectIntelligenceReportResponseObject, error) {
	params := request.Params
	page, size := int(*params.Page), int(*params.Limit)
	from, to := time.Unix(0, 0), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	if params.StartDate != nil {
		from = params.StartDate.Time
	}
	if params.EndDate != nil {
		to = params.EndDate.AddDate(0, 0, 1)
	}
	rows, total, err := r.service.Answered(ctx, httpd.Caller(ctx).AccountID, request.ProjectID, from, to, (page-1)*size, size)
	if err != nil {
		return nil, err
	}
	p := r.base.pageOf(ctx, page, size, len(rows), total)
	list := make([]gen.ProjectIntelligence, len(rows))
	for i, row := range rows {
		list[i] = toAPIProjectIntelligence(request.ProjectID, row)
	}
	return gen.GetProjectIntelligenceReport200JSONResponse{Status: success, Data: gen.ProjectIntelligencePaginator{
		CurrentPage: p.page, Data: list, FirstPageURL: p.address(1), From: orNull(p.from), LastPage: p.last, LastPageURL: p.address(p.last),
		NextPageURL: p.neighbour(p.page + 1), Path: p.path, PerPage: p.perPage, PrevPageURL: p.neighbour(p.page - 1), To: orNull(p.to), Total: p.total,
	}}, nil
}

func toAPIProjectIntelligence(projectID int64, row db.ProjectAnswer) gen.ProjectIntelligence {
	o := project.OptionsOf(json.RawMessage(row.Options))
	out := gen.ProjectIntelligence{
		PromptID: o.PromptID, ConversationID: row.Conversation, ProjectID: projectID, UserQuery: row.Question, AiResponse: row.Answer,
		CreatedAt: instant(row.CreatedAt), ContentSource: gen.ProjectIntelligenceContentSourceOpenaiContent,
		ChatbotDeployment: o.Metadata.RequestSource, Browser: browser(o.Metadata.UserAgent),
	}
	if len(turn.Cited(row.Citations.JSONText)) > 0 {
		out.ContentSource = gen.ProjectIntelligenceContentSourceOwnContent
	}
	if row.Reaction != nil {
		reaction := gen.ProjectIntelligenceFeedback(*row.Reaction)
		out.Feedback = &reaction
	}
	return out
}

// browser is what a user agent says it is; nil for what no browser says. Those
// that name another one, too, come before it.
func browser(userAgent string) *string {
	for _, b := range [][2]string{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}} {
		if strings.Contains(userAgent, b[0]) {
			return &b[1]
		}
	}
	return nil
}
