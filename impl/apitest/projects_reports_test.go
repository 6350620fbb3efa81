package apitest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/gen/client/projects"
	"parley/impl/testkit"
)

// reportOf gets members of a report.
func (x tenant) reportOf(t *testing.T, path, report string, into any, filters ...string) {
	t.Helper()
	query := url.Values{}
	for _, f := range filters {
		query.Add("filters[]", f)
	}
	x.get(t, path+"/reports/"+report+"?"+query.Encode(), into)
}

// What reports say is what one gets by counting the answers, whoever counts them and however many at once.
func TestReportsEqualTheAnswersThatTheyCount(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	_, path := x.library(t)
	const talks, questions = 3, 4
	var wg sync.WaitGroup
	for range talks {
		messages := x.projectMessages(t, path)
		wg.Go(func() {
			for n := range questions {
				r := testkit.Request{Path: messages, Body: map[string]any{"prompt": fmt.Sprintf("When does the library open, question %d?", n)}}
				if n == 0 {
					r.Header = map[string]string{"User-Agent": "Mozilla/5.0 (X11; rv:130.0) Gecko/20100101 Firefox/130.0"}
				}
				x.do(t, r).Want(t, http.StatusOK)
				var report projects.ProjectQueriesReportAnswer
				x.reportOf(t, path, "queries", &report, "total")
			}
		})
	}
	wg.Wait()
	completion := map[string]any{"messages": []any{map[string]any{"role": "user", "content": "How long are books lent?"}}}
	x.do(t, testkit.Request{Path: path + "/chat/completions", Body: completion}).Want(t, http.StatusOK)

	// Recomputed from the turns themselves.
	id, err := strconv.ParseInt(path[strings.LastIndexByte(path, '/')+1:], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	var recounted []struct {
		Source  string `db:"source"`
		Queries int64  `db:"queries"`
		Talks   int64  `db:"talks"`
	}
	if err := sql(t, x.server).Select(&recounted, `
		select t.options->'metadata'->>'request_source' as source, count(*) as queries, count(distinct c.session_id) as talks
		from turns t
		left join project_conversations c on c.account_id = t.account_id and c.session_id = t.conversation_id
		where t.account_id = $1 and (c.project_id = $2 or (t.options->>'project_id')::bigint = $2) and t.state = 'completed'
		group by 1 order by 1`, x.ID, id); err != nil {
		t.Fatal(err)
	}
	var traffic projects.ProjectTrafficReportAnswer
	x.reportOf(t, path, "traffic", &traffic, "sources")
	if len(recounted) != 2 || len(traffic.Data.Sources) != 2 {
		t.Fatalf("recounted %+v, reported %+v", recounted, traffic.Data)
	}
	var total, conversations int64
	for i, want := range recounted {
		total, conversations = total+want.Queries, conversations+want.Talks
		if got := traffic.Data.Sources[i]; got.RequestSource != want.Source || got.RequestSourceNumber != want.Queries {
			t.Errorf("reported %+v, recounted %+v", got, want)
		}
	}
	if total != talks*questions+1 || conversations != talks {
		t.Fatalf("recounted %d and %d", total, conversations)
	}
	var queries projects.ProjectQueriesReportAnswer
	x.reportOf(t, path, "queries", &queries, "total", "query_status")
	if *queries.Data.Total != total || len(queries.Data.QueryStatus) != 1 || queries.Data.QueryStatus[0].Count != total || queries.Data.QueryStatus[0].Status != projects.ProjectQueryStatusStatusSuccess {
		t.Errorf("queries %+v", queries.Data)
	}
	var talked projects.ProjectConversationsReportAnswer
	x.reportOf(t, path, "conversations", &talked, "total", "average_queries_per_conversation")
	if *talked.Data.Total != conversations || *talked.Data.AverageQueriesPerConversation != float64(total)/float64(conversations) {
		t.Errorf("conversations %+v", talked.Data)
	}
	for _, interval := range []string{"daily", "weekly"} {
		var analysis projects.ProjectAnalysisReportAnswer
		x.get(t, path+"/reports/analysis?filters%5B%5D=queries&filters%5B%5D=conversations&filters%5B%5D=queries_per_conversation&interval="+interval, &analysis)
		var asked, begun float64
		for i := range analysis.Data.Queries {
			asked, begun = asked+analysis.Data.Queries[i].QueriesNumber, begun+analysis.Data.Conversations[i].QueriesNumber
			if day := analysis.Data.Queries[i].CreatedAtInterval; interval == "weekly" && day.Weekday() != time.Monday {
				t.Errorf("a week begins on %s", day.Weekday())
			}
		}
		if int64(asked) != total || int64(begun) != conversations || len(analysis.Data.QueriesPerConversation) != len(analysis.Data.Queries) {
			t.Errorf("%s: %+v", interval, analysis.Data)
		}
	}
	x.intelligence(t, path, talks*questions)
}

// intelligence reads the list of answers, and that figures outlive it.
func (x tenant) intelligence(t *testing.T, path string, want int64) {
	t.Helper()
	var list projects.ProjectIntelligenceReportAnswer
	x.get(t, path+"/reports/intelligence?limit=5", &list)
	if list.Data.Total != want || len(list.Data.Data) != 5 || list.Data.NextPageURL == nil {
		t.Fatalf("intelligence %+v", list.Data)
	}
	firefox := 0
	x.get(t, path+"/reports/intelligence?start_date=2020-01-01&end_date=2999-12-31", &list)
	for _, one := range list.Data.Data {
		if !strings.Contains(one.UserQuery, "library") || !strings.Contains(one.AiResponse, "nine") || one.ContentSource != "own_content" || one.UserEmotion != nil {
			t.Errorf("listed %+v", one)
		}
		if one.Browser != nil && *one.Browser == "Firefox" {
			firefox++
		}
	}
	if firefox != 3 {
		t.Errorf("%d came from Firefox", firefox)
	}
	x.get(t, path+"/reports/intelligence?end_date=2020-01-01", &list)
	if list.Data.Total != 0 {
		t.Errorf("before all: %+v", list.Data)
	}
	var conversations projects.ProjectConversationList
	x.get(t, path+"/conversations", &conversations)
	for _, c := range conversations.Data.Data {
		x.do(t, testkit.Request{Method: http.MethodDelete, Path: path + "/conversations/" + c.SessionID}).Want(t, http.StatusOK)
	}
	var queries projects.ProjectQueriesReportAnswer
	x.reportOf(t, path, "queries", &queries, "total")
	x.get(t, path+"/reports/intelligence", &list)
	if *queries.Data.Total != want+1 || list.Data.Total != 0 {
		t.Errorf("after the conversations went: %d counted, %d listed", *queries.Data.Total, list.Data.Total)
	}
}

func TestLicensesAreShownOnceAndPluginsReplaced(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	path := projectsPath + "/" + strconv.FormatInt(x.Project(t).ID, 10)
	name := testkit.Request{Path: path + "/licenses", Body: map[string]any{"name": "Branch"}}
	x.do(t, name).Want(t, http.StatusForbidden)
	x.do(t, testkit.Request{Path: path, Body: map[string]any{"are_licenses_allowed": true}}).Want(t, http.StatusOK)
	var made projects.ProjectLicenseMade
	x.do(t, name).Want(t, http.StatusCreated).JSON(t, &made)
	one := path + "/licenses/" + strconv.FormatInt(made.Data.License.ID, 10)
	x.do(t, testkit.Request{Method: http.MethodPut, Path: one, Body: map[string]any{"name": "Main"}}).Want(t, http.StatusOK)
	got := x.do(t, testkit.Request{Path: one}).Want(t, http.StatusOK)
	var license projects.ProjectLicenseAnswer
	got.JSON(t, &license)
	if license.License.Name != "Main" || strings.Contains(string(got.Body), made.Data.LicenseKey) {
		t.Errorf("read %s", got.Body)
	}
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: one}).Want(t, http.StatusOK)
	x.do(t, testkit.Request{Path: one}).Want(t, http.StatusNotFound)
	x.do(t, testkit.Request{Method: http.MethodPut, Path: one, Body: map[string]any{"name": "Gone"}}).Want(t, http.StatusNotFound)
	x.do(t, testkit.Request{Path: path + "/plugins"}).Want(t, http.StatusNotFound)
	x.do(t, testkit.Request{Method: http.MethodPut, Path: path + "/plugins", Body: map[string]any{"is_active": true}}).Want(t, http.StatusNotFound)
	var first, second projects.ProjectPluginAnswer
	x.do(t, testkit.Request{Path: path + "/plugins", Body: map[string]any{"model_name": "a", "human_name": "A"}}).Want(t, http.StatusCreated).JSON(t, &first)
	x.do(t, testkit.Request{Method: http.MethodPut, Path: path + "/plugins", Body: map[string]any{"is_active": false}}).Want(t, http.StatusOK).JSON(t, &second)
	if second.Data.ID != first.Data.ID || second.Data.IsActive || second.Data.ModelName != "a" {
		t.Errorf("made %+v, changed %+v", first.Data, second.Data)
	}
}
