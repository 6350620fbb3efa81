// Package budget bounds what a key or an end user spends in a period. It only
// defines and shows budgets: the statement that begins a turn enforces them.
package budget

import (
	"context"
	"errors"
	"time"

	"parley/db"
	"parley/impl/core/audit"
	"parley/impl/core/fault"
	"parley/impl/core/id"
)

// The kinds of budgets and their periods, which begin in UTC.
const (
	Key     = "key"
	EndUser = "end_user"
	Day     = "day"
	Month   = "month"
	Total   = "total" // one period without an end
)

// Service makes, shows and changes budgets.
type Service struct {
	DB  *db.DB
	Now func() time.Time
}

// Budget is a budget with the figures of its present period.
type Budget struct {
	db.Budget
	RemainingMicros int64 // what further turns may cost at most; never negative
}

// present gives a budget the figures of its present period: of one that began
// since the last turn, nothing is held or spent.
func (s *Service) present(b db.Budget) Budget {
	if start := periodStart(b.Period, s.Now()); b.PeriodStart.Before(start) {
		b.PeriodStart, b.HeldMicros, b.SpentMicros = start, 0, 0
	}
	return Budget{b, max(0, b.AmountMicros-b.HeldMicros-b.SpentMicros)}
}

// periodStart is the beginning of the period that holds a time, the Unix epoch for Total.
func periodStart(period string, at time.Time) time.Time {
	y, m, d := at.UTC().Date()
	switch period {
	case Day:
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	case Month:
		return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
	}
	return time.Unix(0, 0).UTC()
}

// CreateInput describes a budget to make; amounts are micro-units.
type CreateInput struct {
	AccountID, Kind, Subject, Period string
	AmountMicros                     int64
}

// Create makes a budget. A key that does not exist is a NotFound fault, a
// second budget of the same subject and period a Conflict.
func (s *Service) Create(ctx context.Context, in CreateInput) (Budget, error) {
	now := s.Now()
	b := db.Budget{
		AccountID: in.AccountID, ID: id.New(id.Budget), Kind: in.Kind, Subject: in.Subject, Period: in.Period,
		AmountMicros: in.AmountMicros, PeriodStart: periodStart(in.Period, now), CreatedAt: now,
	}
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		if b.Kind == Key {
			if _, err := q.Key(ctx, b.AccountID, b.Subject); errors.Is(err, db.ErrNotFound) {
				return fault.New(fault.NotFound, "Key not found")
			} else if err != nil {
				return err
			}
		}
		if err := q.InsertBudget(ctx, b); err != nil {
			return err
		}
		return record(ctx, q, b, "budget.created")
	})
	if conflict := (*db.ConflictError)(nil); errors.As(err, &conflict) && conflict.Constraint == db.BudgetsSubjectKey {
		return Budget{}, fault.New(fault.Conflict, "There is a budget of that period already.").Because(err)
	}
	return s.present(b), err
}

func record(ctx context.Context, q *db.Queries, b db.Budget, action string) error {
	return audit.Record(ctx, q, audit.Event{AccountID: b.AccountID, Action: action, Target: b.ID,
		Details: map[string]any{"kind": b.Kind, "period": b.Period, "amount_micros": b.AmountMicros}})
}

// List returns the account's budgets, the newest first, from before an id ("" from the newest).
func (s *Service) List(ctx context.Context, accountID, beforeID string, limit int) ([]Budget, error) {
	rows, err := s.DB.Budgets(ctx, accountID, beforeID, limit)
	budgets := make([]Budget, len(rows))
	for i, row := range rows {
		budgets[i] = s.present(row)
	}
	return budgets, err
}

// Get returns a budget of the account; any other is a NotFound fault.
func (s *Service) Get(ctx context.Context, accountID, budgetID string) (Budget, error) {
	b, err := s.DB.Budget(ctx, accountID, budgetID)
	return s.present(b), missing(err)
}

func missing(err error) error {
	if errors.Is(err, db.ErrNotFound) {
		return fault.New(fault.NotFound, "Budget not found")
	}
	return err
}

// Update gives a budget another amount, which holds from the next turn on.
func (s *Service) Update(ctx context.Context, accountID, budgetID string, amountMicros int64) (Budget, error) {
	var b db.Budget
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		var err error
		if b, err = q.UpdateBudget(ctx, accountID, budgetID, amountMicros); err != nil {
			return missing(err)
		}
		return record(ctx, q, b, "budget.updated")
	})
	return s.present(b), err
}

// Delete ends a budget.
func (s *Service) Delete(ctx context.Context, accountID, budgetID string) error {
	return s.DB.InTx(ctx, func(q *db.Queries) error {
		b, err := q.Budget(ctx, accountID, budgetID)
		if err == nil {
			err = q.DeleteBudget(ctx, accountID, budgetID)
		}
		if err != nil {
			return missing(err)
		}
		return record(ctx, q, b, "budget.deleted")
	})
}
