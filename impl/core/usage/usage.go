// Package usage tells what an account used and what it cost, from the book.
//
// Turns are booked as they end; a fold adds new entries to the usage by day
// soon after, and at the latest when somebody asks. So what is told is exact
// and asking does not add up the book.
package usage

import (
	"context"
	"log/slog"
	"time"

	"parley/db"
)

const (
	// foldEvery is how often a server folds what all accounts booked.
	foldEvery = 5 * time.Second
	// foldAccounts bounds how many accounts one round folds.
	foldAccounts = 200
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
	start, end := time.Unix(0, 0).UTC(), s.Now().UTC().Add(time.Minute)
	if from != nil {
		start = from.UTC()
	}
	if to != nil {
		end = to.UTC()
	}
	if err := s.DB.FoldLedger(ctx, accountID); err != nil {
		return Report{}, err
	}
	rows, err := s.DB.UsageByModel(ctx, accountID, appID, start, end.AddDate(0, 0, 1))
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

// Groups returns the account's usage by group: everything that was booked
// before the call.
func (s *Service) Groups(ctx context.Context, accountID string, f db.UsageFilter) ([]db.GroupUsage, error) {
	if err := s.DB.FoldLedger(ctx, accountID); err != nil {
		return nil, err
	}
	return s.DB.Usage(ctx, accountID, f)
}

// Latencies returns how long the account's answers took, by group: none when
// usage is grouped by what latencies are not kept by. Groups must have been asked for before.
func (s *Service) Latencies(ctx context.Context, accountID string, f db.UsageFilter) (map[db.UsageGroup]db.Latency, error) {
	known := map[db.UsageGroup]db.Latency{}
	for _, column := range f.By {
		if column != "day" && column != "key_id" && column != "model_id" {
			return known, nil
		}
	}
	rows, err := s.DB.Latencies(ctx, accountID, f)
	for _, row := range rows {
		known[db.UsageGroup{Day: row.Day, KeyID: row.KeyID, ModelID: row.ModelID}] = row
	}
	return known, err
}

// Entries returns the account's ledger entries, the newest first, from before a
// number (0 from the newest), each with the total after it.
func (s *Service) Entries(ctx context.Context, accountID string, beforeSeq int64, limit int) ([]db.Entry, error) {
	if err := s.DB.FoldLedger(ctx, accountID); err != nil {
		return nil, err
	}
	return s.DB.Entries(ctx, accountID, beforeSeq, limit)
}

// KeepFolded folds what accounts booked until ctx ends, so that whoever asks
// finds little left to fold. Any number of servers may do it.
func (s *Service) KeepFolded(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(foldEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.foldAll(ctx); err != nil && ctx.Err() == nil {
			log.Warn("folding the ledger failed; whoever asks for usage does it", "error", err)
		}
	}
}

func (s *Service) foldAll(ctx context.Context) error {
	accounts, err := s.DB.UnfoldedAccounts(ctx, foldAccounts)
	for _, accountID := range accounts {
		if err := s.DB.FoldLedger(ctx, accountID); err != nil {
			return err
		}
	}
	return err
}
