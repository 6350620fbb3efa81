package apitest_test

import (
	"encoding/csv"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/gen/client/platform"
	"parley/impl/testkit"
)

// usageBy reads the account's usage, all pages of it, and checks that it adds up.
func (x tenant) usageBy(t *testing.T, query string) []platform.UsageRow {
	t.Helper()
	var all []platform.UsageRow
	next := "/api/v1/admin/usage" + query
	for next != "" {
		got := x.do(t, testkit.Request{Path: next}).Want(t, http.StatusOK)
		var page platform.UsageList
		got.JSON(t, &page)
		all = append(all, page...)
		next = nextPage.ReplaceAllString(got.Header.Get("Link"), "$1")
	}
	return all
}

var nextPage = regexp.MustCompile(`^<(.*)>; rel="next"$`)

func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// cost is the sum over groups, and what a group of these members costs.
func cost(rows []platform.UsageRow, of func(platform.UsageRow) bool) (total, one int64) {
	for _, r := range rows {
		total += r.CostMicros
		if of(r) {
			one += r.CostMicros
		}
	}
	return total, one
}

func TestUsageIsGroupedPagedAndExact(t *testing.T) {
	t.Parallel()
	x := tenantWith(t, "turn_id")
	other := x.Key(t)
	yesterday := time.Now().UTC().AddDate(0, 0, -1)
	x.spend(t, x.key.AppID, "cheap", yesterday, 10, 20, 1)
	x.spend(t, x.key.AppID, "dear", time.Now(), 1, 2, 40)
	x.spend(t, other.AppID, "dear", time.Now(), 3, 4, 500)
	x.spend(t, other.AppID, "dear", time.Now().AddDate(0, 0, -40), 3, 4, 6000)
	if rows := x.usageBy(t, ""); len(rows) != 1 || rows[0].Requests != 4 || rows[0].CostMicros != 541 || rows[0].Day != nil {
		t.Errorf("in all %+v, want the made turn of the tenant and three", rows)
	}
	for query, want := range map[string]struct {
		groups int
		of     func(platform.UsageRow) bool
		cost   int64
	}{
		"?group_by=model":                       {3, func(r platform.UsageRow) bool { return text(r.Model) == "dear" }, 540},
		"?group_by=app,model&limit=1":           {4, func(r platform.UsageRow) bool { return text(r.AppID) == other.AppID }, 500},
		"?group_by=day&limit=1":                 {2, func(r platform.UsageRow) bool { return r.Day.String() == yesterday.Format(time.DateOnly) }, 1},
		"?group_by=key":                         {2, func(r platform.UsageRow) bool { return text(r.KeyID) == x.key.ID }, 541},
		"?group_by=surface,end_user,day,app":    {4, func(r platform.UsageRow) bool { return text(r.Surface) == "webchat" && r.EndUser == nil }, 541},
		"?group_by=model&from=2020-01-01":       {3, func(r platform.UsageRow) bool { return text(r.Model) == "dear" }, 6540},
		"?to=2020-01-01&from=2019-01-01":        {0, func(platform.UsageRow) bool { return true }, 0},
		"?group_by=day&to=" + day(yesterday):    {1, func(platform.UsageRow) bool { return true }, 1},
		"?group_by=app&from=" + day(time.Now()): {3, func(r platform.UsageRow) bool { return text(r.AppID) == x.key.AppID }, 40},
	} {
		rows := x.usageBy(t, query)
		total, one := cost(rows, want.of)
		if query == "?to="+day(yesterday) {
			total = one
		}
		if len(rows) != want.groups || one != want.cost || total < one {
			t.Errorf("%s: %+v, want %d groups, of which %d", query, rows, want.groups, want.cost)
		}
	}
	x.do(t, testkit.Request{Path: "/api/v1/admin/usage?cursor=bm9uZQ"}).Want(t, http.StatusNotFound)
}

func day(at time.Time) string { return at.UTC().Format(time.DateOnly) }

// The table holds every group once, and nothing that a spreadsheet would run.
func TestUsageAsATable(t *testing.T) {
	t.Parallel()
	x := tenantWith(t, "turn_id")
	x.key = x.Key(t, testkit.Scopes("openai", "admin"))
	users := []string{"plain", "=1+2", "+SUM(A1)", "-1", "@x", `quo"te, comma`}
	for _, user := range users {
		x.do(t, testkit.Request{Path: "/v1/chat/completions", Body: map[string]any{
			"model": "parley-builtin", "user": user, "messages": []any{map[string]any{"role": "user", "content": "Hi"}},
		}}).Want(t, http.StatusOK)
	}
	got := x.do(t, testkit.Request{Path: "/api/v1/admin/usage?format=csv&group_by=end_user"}).Want(t, http.StatusOK)
	wantHeader(t, got, "Content-Type", "text/csv")
	lines, err := csv.NewReader(strings.NewReader(string(got.Body))).ReadAll()
	if err != nil || len(lines) != len(users)+2 { // names, and the turn without an end user
		t.Fatalf("table %q, %v", got.Body, err)
	}
	var seen []string
	for _, line := range lines[1:] {
		seen = append(seen, line[5])
		if line[5] != "" && strings.ContainsAny(line[5][:1], "=+-@") {
			t.Errorf("a spreadsheet would run %q", line[5])
		}
	}
	for _, want := range []string{"", "plain", "'=1+2", "'+SUM(A1)", "'-1", "'@x", `quo"te, comma`} {
		if !slices.Contains(seen, want) {
			t.Errorf("%q is not among %q", want, seen)
		}
	}
}

// Every entry carries the total after it, whatever the order of booking.
func TestTheLedgerCarriesRunningTotals(t *testing.T) {
	t.Parallel()
	x := tenantWith(t, "turn_id")
	for i := range int64(5) {
		x.spend(t, x.key.AppID, "m", time.Now().Add(-time.Duration(i)*time.Minute), 1, 1, i)
		if i%2 == 0 {
			x.usageBy(t, "") // folds what there is
		}
	}
	var all []platform.LedgerEntry
	for next := "/api/v1/admin/ledger?limit=2"; next != ""; {
		got := x.do(t, testkit.Request{Path: next}).Want(t, http.StatusOK)
		var page platform.LedgerEntryList
		got.JSON(t, &page)
		all = append(all, page...)
		next = nextPage.ReplaceAllString(got.Header.Get("Link"), "$1")
	}
	if len(all) != 7 { // with the credit and the tenant's turn
		t.Fatalf("%d entries: %+v", len(all), all)
	}
	slices.Reverse(all)
	total := int64(0)
	for _, e := range all {
		if e.Kind == "grant" {
			total += e.AmountMicros
		} else {
			total -= e.AmountMicros
		}
		if e.TotalMicros != total {
			t.Errorf("entry %+v, the total is %d", e, total)
		}
	}
	x.do(t, testkit.Request{Path: "/api/v1/admin/ledger?cursor=999999999999999999&limit=1"}).Want(t, http.StatusOK)
	x.do(t, testkit.Request{Path: "/api/v1/admin/ledger?cursor=none"}).Want(t, http.StatusBadRequest)
}

// How long answers took is told by day, model and key, and of a real answer also when it began.
func TestUsageTellsHowLongAnswersTook(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	for range 3 {
		x.do(t, testkit.Request{Path: "/api/v1/chat", Body: map[string]any{"message": "Hi"}}).Want(t, http.StatusOK)
	}
	rows := x.usageBy(t, "?group_by=day,model,key")
	if len(rows) != 1 || rows[0].LatencyMeanMs == nil || rows[0].LatencyP50Ms == nil || rows[0].LatencyP95Ms == nil || rows[0].FirstTokenP50Ms == nil ||
		rows[0].FirstTokenP95Ms == nil || *rows[0].LatencyP50Ms > *rows[0].LatencyP95Ms || *rows[0].FirstTokenP50Ms > *rows[0].FirstTokenP95Ms {
		t.Errorf("by day, model and key %+v", rows)
	}
	if rows = x.usageBy(t, "?group_by=surface"); len(rows) != 1 || rows[0].LatencyMeanMs != nil || rows[0].FirstTokenP50Ms != nil {
		t.Errorf("by surface %+v", rows)
	}
}
