package project

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"parley/db"
)

const (
	// reportEvery is how often ended answers are counted; whoever asks for a report counts what is left.
	reportEvery = time.Second
	// reportAccounts bounds how many accounts one round counts for.
	reportAccounts = 100
)

// KeepReported counts answers that have ended until ctx ends. Any number of servers may do it.
func (s *Service) KeepReported(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.reportAll(ctx); err != nil && ctx.Err() == nil {
			log.Warn("counting the answers of projects failed; whoever asks for a report does it", "error", err)
		}
	}
}

func (s *Service) reportAll(ctx context.Context) error {
	accounts, err := s.DB.UnreportedAccounts(ctx, reportAccounts)
	for _, accountID := range accounts {
		if err := s.report(ctx, accountID); err != nil {
			return err
		}
	}
	return err
}

// report counts all answers of an account that have ended.
func (s *Service) report(ctx context.Context, accountID string) error {
	for {
		n, batch, err := s.DB.ReportAnswers(ctx, accountID)
		if err != nil || n < batch {
			return err
		}
	}
}

// Count is a name with how often it was.
type Count struct {
	Name string
	N    int64
}

// Interval is a day, or a week that begins on a Monday, in UTC.
type Interval struct {
	Begins                 time.Time
	Queries, Conversations int64
}

// Report is what a project answered since it was made. It is read from figures by day, which stay when conversations go.
type Report struct {
	Queries, Conversations int64
	BySource, ByStatus     []Count // by name; the statuses are "success" and "failed"
	Intervals              []Interval
}

// The lengths of intervals.
const (
	Daily  = "daily"
	Weekly = "weekly"
)

// statuses are the words of reports for how answers end: there are two.
var statuses = map[string]string{db.TurnCompleted: "success", db.TurnFailed: "failed", db.TurnCancelled: "failed"}

// Report adds up what a project answered, by intervals of a length. A project that is not there is a NotFound fault.
func (s *Service) Report(ctx context.Context, accountID string, projectID int64, interval string) (Report, error) {
	days, err := s.days(ctx, accountID, projectID)
	if err != nil {
		return Report{}, err
	}
	var r Report
	sources, ends, spans := map[string]int64{}, map[string]int64{}, map[time.Time]*Interval{}
	for _, d := range days {
		r.Queries, r.Conversations = r.Queries+d.Queries, r.Conversations+d.Conversations
		sources[d.RequestSource] += d.Queries
		ends[statuses[d.Status]] += d.Queries
		begins := d.Day.UTC()
		if interval == Weekly {
			begins = begins.AddDate(0, 0, -(int(begins.Weekday())+6)%7)
		}
		if spans[begins] == nil {
			spans[begins] = &Interval{Begins: begins}
		}
		spans[begins].Queries += d.Queries
		spans[begins].Conversations += d.Conversations
	}
	r.BySource, r.ByStatus = sorted(sources), sorted(ends)
	for _, span := range spans {
		r.Intervals = append(r.Intervals, *span)
	}
	slices.SortFunc(r.Intervals, func(a, b Interval) int { return a.Begins.Compare(b.Begins) })
	return r, nil
}

func (s *Service) days(ctx context.Context, accountID string, projectID int64) ([]db.ProjectDay, error) {
	if _, err := s.Get(ctx, accountID, projectID); err != nil {
		return nil, err
	}
	if err := s.report(ctx, accountID); err != nil {
		return nil, err
	}
	return s.DB.ProjectDays(ctx, accountID, projectID)
}

func sorted(counts map[string]int64) []Count {
	out := []Count{}
	for name, n := range counts {
		out = append(out, Count{name, n})
	}
	slices.SortFunc(out, func(a, b Count) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Answered returns a page of what a project answered, the newest first, and how much there is on all pages.
func (s *Service) Answered(ctx context.Context, accountID string, projectID int64, from, to time.Time, offset, limit int) ([]db.ProjectAnswer, int64, error) {
	if _, err := s.Get(ctx, accountID, projectID); err != nil {
		return nil, 0, err
	}
	if err := s.report(ctx, accountID); err != nil {
		return nil, 0, err
	}
	n, err := s.DB.CountProjectAnswers(ctx, accountID, projectID, from, to)
	if err != nil {
		return nil, 0, err
	}
	rows, err := s.DB.ProjectAnswers(ctx, accountID, projectID, from, to, offset, limit)
	return rows, n, err
}
