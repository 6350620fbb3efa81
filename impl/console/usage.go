package console

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oapi-codegen/runtime/types"

	"parley/gen/client"
	"parley/gen/client/platform"
)

// measures are what a chart can show of usage, in the order of the menu.
var measures = []measure{
	{"requests", "Answers", func(r platform.UsageRow) int64 { return r.Requests }, plain},
	{"tokens", "Tokens", func(r platform.UsageRow) int64 { return r.InputTokens + r.OutputTokens }, plain},
	{"cost", "Cost", func(r platform.UsageRow) int64 { return r.CostMicros }, money},
	{"median", "Median time", func(r platform.UsageRow) int64 { return known(r.LatencyP50Ms) }, seconds},
	{"most", "Time of 95 %", func(r platform.UsageRow) int64 { return known(r.LatencyP95Ms) }, seconds},
	{"first", "Median time to the first word", func(r platform.UsageRow) int64 { return known(r.FirstTokenP50Ms) }, seconds},
}

type measure struct {
	Name, Text string
	of         func(platform.UsageRow) int64
	show       func(int64) string
}

func plain(n int64) string { return count(n) }

// known is a figure, 0 where there is none.
func known(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// seconds shows milliseconds; nothing where none are known.
func seconds(ms int64) string {
	switch {
	case ms == 0:
		return "–"
	case ms < 1000:
		return strconv.FormatInt(ms, 10) + " ms"
	}
	return strconv.FormatFloat(float64(ms)/1000, 'f', 1, 64) + " s"
}

// periods are the days that a chart may show.
var periods = []int{7, 30, 90}

// parts are what usage is split by below the days.
var parts = []part{
	{"model", "Model", platform.UsageDimensionModel}, {"key", "Key", platform.UsageDimensionKey},
	{"surface", "API", platform.UsageDimensionSurface}, {"app", "App", platform.UsageDimensionApp},
}

type part struct {
	Name, Text string
	dimension  platform.UsageDimension
}

// Timed tells whether times are known of the part.
func (p part) Timed() bool {
	return p.dimension == platform.UsageDimensionModel || p.dimension == platform.UsageDimensionKey
}

// usagePage is what the page of usage is given.
type usagePage struct {
	Measures []measure
	Periods  []int
	Parts    []part
	Measure  measure
	Days     int
	Part     part
	Total    platform.UsageRow
	Chart    chart
	Split    chart
	More     bool // there are more groups than the table has
	Account  platform.Account
}

// With is the page's address with another choice.
func (p usagePage) With(name, value string) string {
	choice := map[string]string{"measure": p.Measure.Name, "days": strconv.Itoa(p.Days), "by": p.Part.Name}
	choice[name] = value
	return "?measure=" + choice["measure"] + "&days=" + choice["days"] + "&by=" + choice["by"]
}

func (c *Console) showUsage(v *visit) error {
	if v.URL.Query().Get("project") != "" {
		return v.showProjectUsage()
	}
	data := v.chosen()
	today := time.Now().UTC().Truncate(24 * time.Hour)
	from, to := types.Date{Time: today.AddDate(0, 0, 1-data.Days)}, types.Date{Time: today}
	limit := int32(1000)
	byDay, err := v.api.Platform.ListUsage(v.Context(), &platform.ListUsageParams{
		From: &from, To: &to, GroupBy: []platform.UsageDimension{platform.UsageDimensionDay}, Limit: &limit,
	})
	if err != nil {
		return err
	}
	var response http.Response
	split, err := v.api.Platform.ListUsage(v.Context(), &platform.ListUsageParams{
		From: &from, To: &to, GroupBy: []platform.UsageDimension{data.Part.dimension}, Limit: &limit,
	}, client.Into(&response))
	if err != nil {
		return err
	}
	total, err := v.api.Platform.ListUsage(v.Context(), &platform.ListUsageParams{From: &from, To: &to})
	if err != nil {
		return err
	}
	names, err := v.namesIn(split)
	if err != nil {
		return err
	}
	account, err := v.api.Platform.GetOwnAccount(v.Context())
	if err != nil {
		return err
	}
	if len(total) > 0 {
		data.Total = total[0]
	}
	data.Account, data.More = *account, cursorOf(response.Header.Get("Link")) != ""
	data.Chart = dayChart(byDay, from.Time, data)
	data.Split = partChart(split, names, data)
	return v.show(http.StatusOK, "usage", view{Title: "Usage", Nav: "usage", Data: data})
}

// chosen reads what the address chooses; anything else is the first choice.
func (v *visit) chosen() usagePage {
	query := v.URL.Query()
	data := usagePage{Measures: measures, Periods: periods, Parts: parts, Measure: measures[0], Part: parts[0], Days: 30}
	if i := slices.IndexFunc(measures, func(m measure) bool { return m.Name == query.Get("measure") }); i >= 0 {
		data.Measure = measures[i]
	}
	if i := slices.IndexFunc(parts, func(p part) bool { return p.Name == query.Get("by") }); i >= 0 {
		data.Part = parts[i]
	}
	if days, err := strconv.Atoi(query.Get("days")); err == nil && slices.Contains(periods, days) {
		data.Days = days
	}
	return data
}

// namesIn are what people call the keys of rows, the people and the clients that were admitted in their place: by id, of each
// kind that the rows have the newest.
func (v *visit) namesIn(rows platform.UsageList) (map[string]string, error) {
	names, kinds := map[string]string{}, map[string]bool{}
	for _, row := range rows {
		if row.KeyID != nil {
			kind, _, _ := strings.Cut(*row.KeyID, "_")
			kinds[kind] = true
		}
	}
	if kinds["key"] {
		keys, err := v.api.Platform.ListKeys(v.Context(), &platform.ListKeysParams{})
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			names[k.ID] = k.Name
		}
	}
	if kinds["user"] {
		people, err := v.api.Platform.ListUsers(v.Context(), &platform.ListUsersParams{})
		if err != nil {
			return nil, err
		}
		for _, u := range people {
			names[u.ID] = cmp.Or(u.Name, u.Email)
		}
	}
	if kinds["client"] {
		clients, err := v.api.Platform.ListOauthClients(v.Context(), &platform.ListOauthClientsParams{})
		if err != nil {
			return nil, err
		}
		for _, c := range clients {
			names[c.ID] = c.Name
		}
	}
	return names, nil
}

// chart is bars that a page draws, and the table behind them.
type chart struct {
	Label string
	Width int // of the drawing, in its own units; its height is chartHeight
	Max   string
	Bars  []bar
}

// bar is one value of a chart.
type bar struct {
	Name, Value string
	Row         platform.UsageRow
	X, Y, W, H  int
}

const (
	barStep     = 10
	chartHeight = 160
)

// dayChart has a bar a day, days without usage included.
func dayChart(rows platform.UsageList, from time.Time, p usagePage) chart {
	byDay := map[string]platform.UsageRow{}
	for _, row := range rows {
		if row.Day != nil {
			byDay[row.Day.Format(time.DateOnly)] = row
		}
	}
	out := daysChart(p.Measure.Text, from, p.Days, p.Measure.show, func(day string) int64 { return p.Measure.of(byDay[day]) })
	for i, b := range out.Bars {
		out.Bars[i].Row = byDay[b.Name]
	}
	return out
}

// daysChart has a bar a day, from one on, as high as what of says of it.
func daysChart(what string, from time.Time, days int, show func(int64) string, of func(day string) int64) chart {
	out := chart{Label: what + " a day", Width: barStep * days}
	most := int64(1)
	for i := range days {
		most = max(most, of(from.AddDate(0, 0, i).Format(time.DateOnly)))
	}
	for i := range days {
		day := from.AddDate(0, 0, i).Format(time.DateOnly)
		value := of(day)
		height := int(value * chartHeight / most)
		if value > 0 {
			height = max(height, 2) // little is not nothing
		}
		out.Bars = append(out.Bars, bar{Name: day, Value: show(value), X: i*barStep + 1, Y: chartHeight - height, W: barStep - 2, H: height})
	}
	out.Max = show(most)
	return out
}

// partChart has a bar a group, the greatest first, each as wide as its share of the greatest in percent.
func partChart(rows platform.UsageList, names map[string]string, p usagePage) chart {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b platform.UsageRow) int { return cmp.Compare(p.Measure.of(b), p.Measure.of(a)) })
	out := chart{Label: p.Measure.Text + " by " + p.Part.Text, Width: 100}
	most := int64(1)
	for i, row := range rows {
		value := p.Measure.of(row)
		if i == 0 {
			most = max(1, value)
		}
		out.Bars = append(out.Bars, bar{Name: nameOf(row, names), Value: p.Measure.show(value), Row: row, W: int(value * 100 / most)})
	}
	return out
}

// nameOf is what people call the group of a row.
func nameOf(row platform.UsageRow, names map[string]string) string {
	for _, name := range []*string{row.KeyID, row.Model, row.Surface, row.AppID} {
		if name != nil {
			return cmp.Or(names[*name], *name)
		}
	}
	return "(unknown)"
}

// ledgerPage is what the page of the balance is given.
type ledgerPage struct {
	Account platform.Account
	Entries []platform.LedgerEntry
	Next    string
}

func (c *Console) showLedger(v *visit) error { return v.showLedger(http.StatusOK, view{}) }

func (v *visit) showLedger(status int, page view) error {
	params := &platform.ListLedgerEntriesParams{Cursor: v.cursor(), Limit: few()}
	var response http.Response
	entries, err := v.api.Platform.ListLedgerEntries(v.Context(), params, client.Into(&response))
	if err != nil {
		return err
	}
	account, err := v.api.Platform.GetOwnAccount(v.Context())
	if err != nil {
		return err
	}
	page.Title, page.Nav, page.Data = "Balance", "balance", ledgerPage{Account: *account, Entries: entries, Next: v.next(&response)}
	return v.show(status, "balance", page)
}
