// Package account makes tenants and gives them money to spend.
package account

import (
	"context"
	"errors"
	"strings"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/money"
)

// StartingCredit is what the first account begins with, in micro-units, so
// that a priced model answers at once.
const StartingCredit = 100 * money.Unit

// maxGrant keeps sums far from overflow.
const maxGrant = 1_000_000_000 * money.Unit

// Service makes and lists accounts.
type Service struct {
	DB  *db.DB
	Now func() time.Time
}

// Create stores an account on a plan ("free", "pro", "unlimited" or one of the operator's).
func (s *Service) Create(ctx context.Context, name, plan string) (db.Account, error) {
	return create(ctx, s.DB.Queries, s.Now(), name, plan)
}

func create(ctx context.Context, q *db.Queries, now time.Time, name, plan string) (db.Account, error) {
	a := db.Account{ID: id.New(id.Account), Name: strings.TrimSpace(name), Plan: plan, CreatedAt: now}
	if a.Name == "" || len(a.Name) > 200 {
		return db.Account{}, fault.New(fault.Invalid, "The name of an account has 1 to 200 bytes.")
	}
	err := q.InsertAccount(ctx, a)
	var conflict *db.ConflictError
	if errors.As(err, &conflict) && conflict.Constraint == db.AccountsPlanKey {
		return db.Account{}, fault.New(fault.Invalid, "There is no plan %q.", plan)
	}
	return a, err
}

// List returns all accounts, the first made first.
func (s *Service) List(ctx context.Context) ([]db.Account, error) { return s.DB.Accounts(ctx) }

// Find returns the account that nameOrID names; "" is the first account.
// None or several of that name are faults.
func (s *Service) Find(ctx context.Context, nameOrID string) (db.Account, error) {
	accounts, err := s.DB.Accounts(ctx)
	if err != nil {
		return db.Account{}, err
	}
	var found []db.Account
	for _, a := range accounts {
		if a.ID == nameOrID {
			return a, nil
		}
		if a.Name == nameOrID || nameOrID == "" {
			found = append(found, a)
		}
	}
	switch {
	case len(found) == 0:
		return db.Account{}, fault.New(fault.NotFound, "No account is called %q.", nameOrID)
	case len(found) > 1 && nameOrID != "":
		return db.Account{}, fault.New(fault.Conflict, "Several accounts are called %q; use the id.", nameOrID)
	}
	return found[0], nil
}

// TopUp adds amount (micro-units, positive) to the balance and returns the account.
func (s *Service) TopUp(ctx context.Context, accountID string, amount int64) (db.Account, error) {
	if amount <= 0 || amount > maxGrant {
		return db.Account{}, fault.New(fault.Invalid, "An amount is above 0 and at most %d.", maxGrant/money.Unit)
	}
	err := s.DB.Grant(ctx, accountID, id.New(id.Entry), amount, s.Now())
	if errors.Is(err, db.ErrNotFound) {
		return db.Account{}, fault.New(fault.NotFound, "No account has the id %q.", accountID)
	}
	if err != nil {
		return db.Account{}, err
	}
	return s.DB.Account(ctx, accountID)
}

// EnsureFirst makes the first account, on the plan "pro" and with starting
// credit, when there is none, and tells whether it did. Servers that start at
// the same time make one.
func (s *Service) EnsureFirst(ctx context.Context) (first db.Account, made bool, err error) {
	err = s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.LockFirstStart(ctx); err != nil {
			return err
		}
		accounts, err := q.Accounts(ctx)
		if err != nil {
			return err
		}
		if len(accounts) > 0 {
			first = accounts[0]
			return nil
		}
		made = true
		if first, err = create(ctx, q, s.Now(), "default", "pro"); err != nil {
			return err
		}
		return q.Grant(ctx, first.ID, id.New(id.Entry), StartingCredit, first.CreatedAt)
	})
	return first, made, err
}
