// Package account makes tenants, gives them plans and money to spend.
package account

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"parley/db"
	"parley/impl/core/audit"
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

// Create stores an account on a plan. A bad name is an Invalid
// fault, a plan that does not exist NotFound.
func (s *Service) Create(ctx context.Context, name, plan string) (db.Account, error) {
	var a db.Account
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		var err error
		if a, err = create(ctx, q, db.Account{Name: name, Plan: plan, CreatedAt: s.Now()}); err != nil {
			return err
		}
		return record(ctx, q, a, "account.created")
	})
	return a, err
}

func create(ctx context.Context, q *db.Queries, a db.Account) (db.Account, error) {
	a.ID, a.Name = id.New(id.Account), strings.TrimSpace(a.Name)
	if err := check(a); err != nil {
		return db.Account{}, err
	}
	return a, noPlan(q.InsertAccount(ctx, a))
}

func check(a db.Account) error {
	if a.Name == "" || utf8.RuneCountInString(a.Name) > 200 {
		return fault.New(fault.Invalid, "The name of an account has 1 to 200 characters.")
	}
	if a.BalanceLowMicros < 0 || a.BalanceLowMicros > maxGrant {
		return fault.New(fault.Invalid, "The balance to warn at is from 0 to %d units.", maxGrant/money.Unit)
	}
	return nil
}

func noPlan(err error) error {
	var conflict *db.ConflictError
	if errors.As(err, &conflict) && conflict.Constraint == db.AccountsPlanKey {
		return fault.New(fault.NotFound, "Plan not found")
	}
	return err
}

func record(ctx context.Context, q *db.Queries, a db.Account, action string) error {
	return audit.Record(ctx, q, audit.Event{AccountID: a.ID, Action: action, Target: a.ID, Details: map[string]any{
		"name": a.Name, "plan": a.Plan, "balance_low_micros": a.BalanceLowMicros, "operates": a.Operates,
	}})
}

// UpdateInput is what to change of an account; nil leaves it.
type UpdateInput struct {
	Name, Plan *string
	BalanceLow *int64 // micro-units below which the account is warned; 0: never
	Operates   *bool  // whether its owners, signed in, operate the server; for the command line alone
}

// Update changes an account. Another plan holds from the next request on.
func (s *Service) Update(ctx context.Context, accountID string, in UpdateInput) (db.Account, error) {
	var a db.Account
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		var err error
		if a, err = q.LockAccount(ctx, accountID); err != nil {
			return missing(err)
		}
		if in.Name != nil {
			a.Name = strings.TrimSpace(*in.Name)
		}
		if in.Plan != nil {
			a.Plan = *in.Plan
		}
		if in.BalanceLow != nil {
			a.BalanceLowMicros = *in.BalanceLow
		}
		if in.Operates != nil {
			a.Operates = *in.Operates
		}
		if err := check(a); err != nil {
			return err
		}
		if err := q.UpdateAccount(ctx, a); err != nil {
			return noPlan(err)
		}
		return record(ctx, q, a, "account.updated")
	})
	return a, err
}

// Get returns an account; an unknown one is a NotFound fault.
func (s *Service) Get(ctx context.Context, accountID string) (db.Account, error) {
	a, err := s.DB.Account(ctx, accountID)
	return a, missing(err)
}

func missing(err error) error {
	if errors.Is(err, db.ErrNotFound) {
		return fault.New(fault.NotFound, "Account not found")
	}
	return err
}

// Page returns accounts, the newest first, from before an id ("" from the newest).
func (s *Service) Page(ctx context.Context, beforeID string, limit int) ([]db.Account, error) {
	return s.DB.AccountsBefore(ctx, beforeID, limit)
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

// Adjustment is a change of a balance, in micro-units.
type Adjustment struct {
	EntryID string // of the ledger
	Amount  int64
	Account db.Account // after it
}

// Adjust adds a positive amount (micro-units) to the balance or takes a
// negative one from it. Taking more than the balance, or an amount of 0, is a
// Conflict fault and changes nothing: what running turns hold is theirs.
func (s *Service) Adjust(ctx context.Context, accountID string, amount int64, reason string) (Adjustment, error) {
	if amount > maxGrant || amount < -maxGrant {
		return Adjustment{}, fault.New(fault.Invalid, "An amount is at most %d units.", maxGrant/money.Unit)
	}
	if amount == 0 {
		return Adjustment{}, fault.New(fault.Conflict, "An adjustment by nothing is none.")
	}
	done := Adjustment{EntryID: id.New(id.Entry), Amount: amount}
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.LockPurses(ctx, accountID); err != nil {
			return err
		}
		if _, err := q.LockAccount(ctx, accountID); err != nil {
			return missing(err)
		}
		if err := move(ctx, q, accountID, done, s.Now()); err != nil {
			return err
		}
		var err error
		if done.Account, err = q.Account(ctx, accountID); err != nil {
			return err
		}
		return audit.Record(ctx, q, audit.Event{AccountID: accountID, Action: "balance.adjusted", Target: done.EntryID,
			Details: map[string]any{"amount_micros": amount, "balance_micros": done.Account.BalanceMicros, "reason": reason}})
	})
	return done, err
}

func move(ctx context.Context, q *db.Queries, accountID string, a Adjustment, now time.Time) error {
	if a.Amount > 0 {
		return q.Grant(ctx, accountID, a.EntryID, a.Amount, now)
	}
	enough, err := q.Withdraw(ctx, accountID, a.EntryID, -a.Amount, now)
	if err == nil && !enough {
		return fault.New(fault.Conflict, "The balance does not hold that amount.")
	}
	return err
}

// EnsureFirst makes the first account, which operates the server, on the plan
// "pro" and with starting credit, when there is none, and tells whether it did. Servers that start at
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
		if first, err = create(ctx, q, db.Account{Name: "default", Plan: "pro", Operates: true, CreatedAt: s.Now()}); err != nil {
			return err
		}
		if err := record(ctx, q, first, "account.created"); err != nil {
			return err
		}
		return q.Grant(ctx, first.ID, id.New(id.Entry), StartingCredit, first.CreatedAt)
	})
	return first, made, err
}
