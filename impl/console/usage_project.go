package console

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"parley/gen/client/projects"
)

// projectUsagePage is what the page of a project's usage is given.
type projectUsagePage struct {
	Project                  projects.Project
	Projects                 []projects.Project // to choose from: the newest, and this one
	Periods                  []int
	Days                     int
	Total, Answered, Failed  int64 // since the project was made
	Sources                  []projects.ProjectTrafficSource
	Questions, Conversations chart
	Asked, Talked            int64 // in these days
	Rows                     [][3]string
}

// newestProjects are a few to choose from.
func (v *visit) newestProjects() ([]projects.Project, error) {
	got, err := v.api.Projects.ListProjects(v.Context(), &projects.ListProjectsParams{})
	if err != nil {
		return nil, err
	}
	return got.Data.Data, nil
}

// showProjectUsage shows what was asked of one project. What it cost is booked by key, model and day, not by project.
func (v *visit) showProjectUsage() error {
	list, err := v.newestProjects()
	if err != nil {
		return err
	}
	wanted := v.URL.Query().Get("project")
	if wanted == "newest" {
		if len(list) == 0 {
			return v.see("/projects", "")
		}
		wanted = strconv.FormatInt(list[0].ID, 10)
	}
	id, err := strconv.ParseInt(wanted, 10, 64)
	if err != nil {
		return errNoPage
	}
	got, err := v.api.Projects.GetProject(v.Context(), id, &projects.GetProjectParams{})
	if err != nil {
		return err
	}
	chosen := v.chosen()
	data := projectUsagePage{Project: got.Data, Projects: list, Periods: periods, Days: chosen.Days}
	if !slices.ContainsFunc(data.Projects, func(p projects.Project) bool { return p.ID == id }) {
		data.Projects = append(data.Projects, data.Project)
	}
	if err := v.readReports(id, &data); err != nil {
		return err
	}
	return v.show(http.StatusOK, "project-usage", view{Title: "Usage of " + data.Project.ProjectName, Nav: "usage", Data: data})
}

// readReports adds what is counted of a project.
func (v *visit) readReports(id int64, data *projectUsagePage) error {
	queries, err := v.api.Projects.GetProjectQueriesReport(v.Context(), id, &projects.GetProjectQueriesReportParams{Filters: []projects.GetProjectQueriesReportParamsFilters{
		projects.GetProjectQueriesReportParamsFiltersTotal, projects.GetProjectQueriesReportParamsFiltersQueryStatus,
	}})
	if err != nil {
		return err
	}
	data.Total = known(queries.Data.Total)
	for _, ended := range queries.Data.QueryStatus {
		if ended.Status == projects.ProjectQueryStatusStatusSuccess {
			data.Answered += ended.Count
		} else {
			data.Failed += ended.Count
		}
	}
	traffic, err := v.api.Projects.GetProjectTrafficReport(v.Context(), id, &projects.GetProjectTrafficReportParams{
		Filters: []projects.GetProjectTrafficReportParamsFilters{projects.GetProjectTrafficReportParamsFiltersSources},
	})
	if err != nil {
		return err
	}
	data.Sources = traffic.Data.Sources
	daily := projects.GetProjectAnalysisReportParamsIntervalDaily
	analysis, err := v.api.Projects.GetProjectAnalysisReport(v.Context(), id, &projects.GetProjectAnalysisReportParams{Interval: &daily, Filters: []projects.GetProjectAnalysisReportParamsFilters{
		projects.GetProjectAnalysisReportParamsFiltersQueries, projects.GetProjectAnalysisReportParamsFiltersConversations,
	}})
	if err != nil {
		return err
	}
	data.draw(analysis.Data)
	return nil
}

// draw makes the charts of the chosen days, and the table behind them.
func (p *projectUsagePage) draw(report projects.ProjectAnalysisReport) {
	from := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1-p.Days)
	asked, talked := byDay(report.Queries), byDay(report.Conversations)
	p.Questions = daysChart("Questions", from, p.Days, plain, func(day string) int64 { return asked[day] })
	p.Conversations = daysChart("New conversations", from, p.Days, plain, func(day string) int64 { return talked[day] })
	for i, b := range p.Questions.Bars {
		p.Asked += asked[b.Name]
		p.Talked += talked[b.Name]
		p.Rows = append(p.Rows, [3]string{b.Name, b.Value, p.Conversations.Bars[i].Value})
	}
}

// byDay are the figures of a report by their days.
func byDay(figures []projects.ProjectInterval) map[string]int64 {
	out := map[string]int64{}
	for _, f := range figures {
		out[f.CreatedAtInterval.Format(time.DateOnly)] = int64(f.QueriesNumber)
	}
	return out
}
