package db

import (
	"context"
	"time"
)

// Budget bounds what a key or an end user of the account may spend in a
// period. Held and Spent are those of the period that began at PeriodStart.
type Budget struct {
	AccountID    string    `db:"account_id"`
	ID           string    `db:"budget_id"`
	Kind         string    `db:"kind"`    // "key" or "end_user"
	Subject      string    `db:"subject"` // the key's id or the end user's name
	Period       string    `db:"period"`  // "day", "month" or "total"
	AmountMicros int64     `db:"amount_micros"`
	PeriodStart  time.Time `db:"period_start"`
	HeldMicros   int64     `db:"held_micros"`
	SpentMicros  int64     `db:"spent_micros"`
	CreatedAt    time.Time `db:"created_at"`
}

// BudgetsSubjectKey is the constraint that a second budget of a subject and period breaks.
const BudgetsSubjectKey = "budgets_subject_key"

const budgetColumns = `account_id, budget_id, kind, subject, period, amount_micros, period_start, held_micros, spent_micros, created_at`

// InsertBudget stores a budget of which nothing is spent, unless it is stored already.
func (q *Queries) InsertBudget(ctx context.Context, b Budget) error {
	_, err := q.exec(ctx, `
		insert into budgets (account_id, budget_id, kind, subject, period, amount_micros, period_start, created_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8)
		on conflict (account_id, budget_id) do nothing`,
		b.AccountID, b.ID, b.Kind, b.Subject, b.Period, b.AmountMicros, b.PeriodStart, b.CreatedAt)
	return err
}

// Budgets lists the account's budgets, the newest first, from before an id; "" starts with the newest.
func (q *Queries) Budgets(ctx context.Context, accountID, beforeID string, limit int) ([]Budget, error) {
	budgets := []Budget{}
	err := q.list(ctx, &budgets, `
		select `+budgetColumns+`
		from budgets
		where account_id = $1 and ($2 = '' or budget_id < $2)
		order by budget_id desc
		limit $3`,
		accountID, beforeID, limit)
	return budgets, err
}

// Budget returns one budget of the account.
func (q *Queries) Budget(ctx context.Context, accountID, budgetID string) (Budget, error) {
	var b Budget
	err := q.get(ctx, &b, `
		select `+budgetColumns+`
		from budgets
		where account_id = $1 and budget_id = $2`,
		accountID, budgetID)
	return b, err
}

// UpdateBudget stores another amount and returns the budget.
func (q *Queries) UpdateBudget(ctx context.Context, accountID, budgetID string, amountMicros int64) (Budget, error) {
	var b Budget
	err := q.get(ctx, &b, `
		update budgets
		set amount_micros = $3
		where account_id = $1 and budget_id = $2
		returning `+budgetColumns,
		accountID, budgetID, amountMicros)
	return b, err
}

// DeleteBudget removes a budget. Running turns that it holds end without it.
func (q *Queries) DeleteBudget(ctx context.Context, accountID, budgetID string) error {
	return q.execOne(ctx, `
		delete from budgets
		where account_id = $1 and budget_id = $2`,
		accountID, budgetID)
}
