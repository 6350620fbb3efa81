// Package usage sums what an app used, from the ledger.
package usage

import (
	"context"
	"time"

	"parley/db"
)

// Report is usage in total and by model. Costs are in micro-units.
type Report struct {
	Total   db.ModelUsage // ModelID is ""
	ByModel []db.ModelUsage
}

// Service reads usage.
type Service struct {
	DB  *db.DB
	Now func() time.Time
}

// OfApp sums an app's usage over whole UTC days, both included. A nil from
// starts with the first request, a nil to ends now.
func (s *Service) OfApp(ctx context.Context, accountID, appID string, from, to *time.Time) (Report, error) {
	start, end := time.Unix(0, 0).UTC(), s.Now().Add(time.Minute)
	if from != nil {
		start = from.UTC()
	}
	if to != nil {
		end = to.UTC().AddDate(0, 0, 1)
	}
	rows, err := s.DB.UsageByModel(ctx, accountID, appID, start, end)
	if err != nil {
		return Report{}, err
	}
	r := Report{ByModel: rows}
	for _, row := range rows {
		r.Total.Requests += row.Requests
		r.Total.InputTokens += row.InputTokens
		r.Total.OutputTokens += row.OutputTokens
		r.Total.CostMicros += row.CostMicros
	}
	return r, nil
}
