package platform

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	openapi_types "github.com/oapi-codegen/runtime/types"

	"parley/db"
	gen "parley/gen/platform"
	"parley/impl/core/fault"
	"parley/impl/core/usage"
	"parley/impl/httpd"
)

const (
	usagePath  = "/api/v1/admin/usage"
	ledgerPath = "/api/v1/admin/ledger"
	// usageDays is how many days before its last a report without a first day shows.
	usageDays = 30
)

type usages struct{ service *usage.Service }

// columns are the columns that usage is grouped by, by their names in the document.
var columns = map[gen.UsageDimension]string{
	gen.UsageDimensionDay: "day", gen.UsageDimensionApp: "app_id", gen.UsageDimensionKey: "key_id", gen.UsageDimensionModel: "model_id",
	gen.UsageDimensionSurface: "surface", gen.UsageDimensionEndUser: "end_user",
}

// ListUsage sums the account's usage by group, as a page of JSON or a whole table.
func (u usages) ListUsage(ctx context.Context, request gen.ListUsageRequestObject) (gen.ListUsageResponseObject, error) {
	p, accountID := request.Params, httpd.Caller(ctx).AccountID
	filter, err := u.filter(p)
	if err != nil {
		return nil, err
	}
	if *p.Format == gen.ListUsageParamsFormatCsv {
		return u.table(ctx, accountID, filter)
	}
	limit := int(*p.Limit)
	filter.Limit = limit + 1
	rows, err := u.service.Groups(ctx, accountID, filter)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage(usageAddress(p), usageCursor(rows[limit-1].UsageGroup), limit)
	}
	latencies, err := u.service.Latencies(ctx, accountID, filter)
	if err != nil {
		return nil, err
	}
	list := make(gen.UsageList, len(rows))
	for i, row := range rows {
		if list[i], err = toAPIUsageRow(row); err != nil {
			return nil, err
		}
		addLatency(&list[i], latencies[row.UsageGroup])
	}
	return gen.ListUsage200JSONResponse{Body: list, Headers: gen.ListUsage200ResponseHeaders{Link: link}}, nil
}

func (u usages) filter(p gen.ListUsageParams) (db.UsageFilter, error) {
	last := u.service.Now().UTC()
	if p.To != nil {
		last = p.To.Time
	}
	f := db.UsageFilter{From: last.AddDate(0, 0, -usageDays), To: last.AddDate(0, 0, 1), By: []string{}}
	if p.From != nil {
		f.From = p.From.Time
	}
	for _, d := range p.GroupBy {
		f.By = append(f.By, columns[d])
	}
	if p.Cursor == nil {
		return f, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(*p.Cursor)
	if err == nil {
		err = json.Unmarshal(raw, &f.After)
	}
	if err != nil || f.After == nil || strings.ContainsRune(string(raw), 0) || strings.Contains(string(raw), `\u0000`) {
		return f, fault.New(fault.NotFound, "The list has no such page.").Because(err)
	}
	return f, nil
}

func usageCursor(g db.UsageGroup) string {
	raw, err := json.Marshal(g)
	if err != nil {
		panic(err) // six texts
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// usageAddress is the list's address with what it was asked for.
func usageAddress(p gen.ListUsageParams) string {
	query := url.Values{}
	for name, d := range map[string]*openapi_types.Date{"from": p.From, "to": p.To} {
		if d != nil {
			query.Set(name, d.String())
		}
	}
	var by []string
	for _, d := range p.GroupBy {
		by = append(by, string(d))
	}
	if len(by) > 0 {
		query.Set("group_by", strings.Join(by, ","))
	}
	return usagePath + "?" + query.Encode()
}

func addLatency(row *gen.UsageRow, l db.Latency) {
	if l.Answers > 0 {
		mean := l.SumMs / l.Answers
		row.LatencyMeanMs = &mean
	}
	for to, bucket := range map[**int64]*int{
		&row.LatencyP50Ms: l.P50, &row.LatencyP95Ms: l.P95, &row.FirstTokenP50Ms: l.FirstP50, &row.FirstTokenP95Ms: l.FirstP95,
	} {
		if bucket != nil {
			ms := db.Ms(*bucket)
			*to = &ms
		}
	}
}

func toAPIUsageRow(g db.GroupUsage) (gen.UsageRow, error) {
	row := gen.UsageRow{
		AppID: given(g.AppID), KeyID: given(g.KeyID), Model: given(g.ModelID), Surface: given(g.Surface), EndUser: given(g.EndUser),
		Requests: g.Requests, InputTokens: g.InputTokens, OutputTokens: g.OutputTokens, CostMicros: g.CostMicros,
	}
	if g.Day == "" {
		return row, nil
	}
	at, err := time.Parse(time.DateOnly, g.Day)
	row.Day = &openapi_types.Date{Time: at}
	return row, err
}

// ListLedgerEntries lists the account's book, the newest first.
func (u usages) ListLedgerEntries(ctx context.Context, request gen.ListLedgerEntriesRequestObject) (gen.ListLedgerEntriesResponseObject, error) {
	limit := int(*request.Params.Limit)
	before, err := strconv.ParseInt("0"+value(request.Params.Cursor), 10, 64)
	if err != nil {
		return nil, fault.New(fault.NotFound, "The list has no such page.").Because(err)
	}
	rows, err := u.service.Entries(ctx, httpd.Caller(ctx).AccountID, before, limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage(ledgerPath, strconv.FormatInt(rows[limit-1].Seq, 10), limit)
	}
	list := make(gen.LedgerEntryList, len(rows))
	for i, e := range rows {
		list[i] = gen.LedgerEntry{
			ID: e.ID, Kind: gen.LedgerEntryKind(e.Kind), AmountMicros: e.AmountMicros, TotalMicros: e.TotalMicros, TurnID: e.TurnID, AppID: e.AppID,
			KeyID: e.KeyID, Model: e.ModelID, Surface: e.Surface, EndUser: e.EndUser, InputTokens: e.InputTokens, OutputTokens: e.OutputTokens,
			Estimated: e.Estimated, CreatedAt: e.CreatedAt.UTC(),
		}
	}
	return gen.ListLedgerEntries200JSONResponse{Body: list, Headers: gen.ListLedgerEntries200ResponseHeaders{Link: link}}, nil
}
