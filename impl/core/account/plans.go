package account

import (
	"context"
	"errors"
	"slices"

	"parley/db"
	"parley/impl/core/audit"
	"parley/impl/core/fault"
)

// builtInPlans are those that the server and its documentation name; they can
// be redefined but not deleted.
var builtInPlans = []string{"free", "pro", "unlimited"}

// Plans lists the plans by name.
func (s *Service) Plans(ctx context.Context) ([]db.Plan, error) { return s.DB.Plans(ctx) }

// Plan returns one plan; an unknown one is a NotFound fault.
func (s *Service) Plan(ctx context.Context, name string) (db.Plan, error) {
	p, err := s.DB.Plan(ctx, name)
	return p, noSuchPlan(err)
}

func noSuchPlan(err error) error {
	if errors.Is(err, db.ErrNotFound) {
		return fault.New(fault.NotFound, "Plan not found")
	}
	return err
}

// PutPlan makes a plan or replaces what it says, and tells whether it is new.
// It holds from the next request on.
func (s *Service) PutPlan(ctx context.Context, p db.Plan) (made bool, err error) {
	err = s.DB.InTx(ctx, func(q *db.Queries) error {
		_, err := q.Plan(ctx, p.Name)
		made = errors.Is(err, db.ErrNotFound)
		if err != nil && !made {
			return err
		}
		if err := q.PutPlan(ctx, p); err != nil {
			return err
		}
		return audit.Record(ctx, q, audit.Event{AccountID: audit.Server, Action: "plan.defined", Target: p.Name,
			Details: map[string]any{"requests_per_minute": p.RequestsPerMinute, "concurrent_streams": p.ConcurrentStreams, "tokens_per_minute": p.TokensPerMinute}})
	})
	return made, err
}

// DeletePlan deletes a plan. One in use, or a built-in one, is a Conflict fault.
func (s *Service) DeletePlan(ctx context.Context, name string) error {
	if slices.Contains(builtInPlans, name) {
		return fault.New(fault.Conflict, "The plan %s is the server's own.", name)
	}
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.DeletePlan(ctx, name); err != nil {
			return noSuchPlan(err)
		}
		return audit.Record(ctx, q, audit.Event{AccountID: audit.Server, Action: "plan.deleted", Target: name})
	})
	if conflict := (*db.ConflictError)(nil); errors.As(err, &conflict) {
		return fault.New(fault.Conflict, "Accounts or keys have the plan %s.", name)
	}
	return err
}
