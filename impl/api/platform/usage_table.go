package platform

import (
	"context"
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"parley/db"
)

const (
	// tablePage is how many groups of a table are in memory at once.
	tablePage = 1000
	// tableWrite bounds how long a client may take to accept one page.
	tableWrite = 30 * time.Second
)

var tableNames = []string{"day", "app_id", "key_id", "model", "surface", "end_user", "requests", "input_tokens", "output_tokens", "cost_micros"}

// usageTable writes usage as CSV, page by page. No connection to the database
// is held while the client reads.
type usageTable struct {
	first []db.GroupUsage
	next  func(after db.UsageGroup) ([]db.GroupUsage, error)
}

// table reads the first page, so that what goes wrong then is still an error of its own.
func (u usages) table(ctx context.Context, accountID string, filter db.UsageFilter) (usageTable, error) {
	filter.Limit = tablePage
	rows, err := u.service.Groups(ctx, accountID, filter)
	return usageTable{rows, func(after db.UsageGroup) ([]db.GroupUsage, error) {
		filter.After = &after
		return u.service.Groups(ctx, accountID, filter)
	}}, err
}

// VisitListUsageResponse writes the table. A failure after the beginning cuts
// the connection: a table that ends early must not look whole.
func (t usageTable) VisitListUsageResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "text/csv")
	w.Header().Set("Content-Disposition", `attachment; filename="usage.csv"`)
	out := csv.NewWriter(w)
	err := out.Write(tableNames)
	for rows := t.first; err == nil && len(rows) > 0; {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(tableWrite))
		for _, row := range rows {
			_ = out.Write(tableLine(row)) // the writer keeps the first error
		}
		out.Flush()
		if err = out.Error(); err != nil || len(rows) < tablePage {
			break
		}
		rows, err = t.next(rows[len(rows)-1].UsageGroup)
	}
	out.Flush()
	if err != nil || out.Error() != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

func tableLine(g db.GroupUsage) []string {
	line := []string{g.Day, g.AppID, g.KeyID, g.ModelID, g.Surface, g.EndUser}
	for i := range line {
		line[i] = harmless(line[i])
	}
	for _, n := range []int64{g.Requests, g.InputTokens, g.OutputTokens, g.CostMicros} {
		line = append(line, strconv.FormatInt(n, 10))
	}
	return line
}

// harmless keeps spreadsheets from taking a text for a formula.
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return "'" + text
	}
	return text
}
