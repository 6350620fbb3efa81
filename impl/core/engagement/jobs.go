package engagement

import (
	"context"
	"errors"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/idempotency"
	"parley/impl/core/job"
	"parley/impl/core/key"
)

const (
	messageTimeout = 10 * time.Minute
	monthsKind     = "engagement.months"
	monthsEvery    = 24 * time.Hour
	// monthsAhead is how many months have their partition before they begin.
	monthsAhead = 3
)

// makeMonths gives this month and those ahead a partition of their own.
func (s *Service) makeMonths(ctx context.Context, _ job.Run) error { return s.MakeMonths(ctx) }

// MakeMonths is for the start of a server, before any event of a new month is reported.
func (s *Service) MakeMonths(ctx context.Context) error {
	y, m, _ := s.Now().UTC().Date()
	for ahead := range monthsAhead + 1 {
		if err := s.DB.MakeEngagementMonth(ctx, time.Date(y, m+time.Month(ahead), 1, 0, 0, 0, 0, time.UTC)); err != nil {
			return err
		}
	}
	return nil
}

// prepare lets a rule's agent write to the user, in their lasting conversation. The claim under the job's
// id makes sure that it writes once, however often the job runs.
func (a *Advisor) prepare(ctx context.Context, r job.Run, args messageArgs) error {
	rule, err := a.Figures.DB.EngagementRule(ctx, r.AccountID, args.RuleID)
	if errors.Is(err, db.ErrNotFound) || err == nil && (rule.AgentID == nil || rule.KeyID == nil) {
		return nil // the rule is gone
	}
	if err != nil {
		return err
	}
	by := "key"
	row, err := a.Figures.DB.CallerByKey(ctx, r.AccountID, *rule.KeyID)
	if errors.Is(err, db.ErrNotFound) {
		by = "client"
		row, err = a.Figures.DB.CallerByClient(ctx, r.AccountID, *rule.KeyID)
	}
	if errors.Is(err, db.ErrNotFound) {
		return nil // the key is gone, and with it who pays
	}
	if err != nil {
		return err
	}
	if !row.Active || row.ExpiresAt != nil && row.ExpiresAt.Before(a.Figures.Now()) {
		return nil
	}
	caller := key.CallerOf(row)
	caller.By = by
	ctx = idempotency.With(ctx, db.Claim{
		AccountID: r.AccountID, AppID: caller.AppID, Key: "job " + r.ID, Fingerprint: []byte(r.ID), ExpiresAt: a.Figures.Now().Add(idempotency.Keep),
	})
	live, _, err := a.Interact(ctx, caller, Interaction{AgentID: *rule.AgentID, UserID: args.UserID, Prompt: rule.Prompt})
	if errors.Is(err, idempotency.ErrTaken) {
		return nil // an earlier attempt began it
	}
	if err != nil {
		return final(err)
	}
	_, err = live.Wait(ctx)
	return final(err)
}

// final ends a job at once when its failure is one that time does not heal.
func final(err error) error {
	if err == nil {
		return nil
	}
	switch fault.KindOf(err) {
	case fault.Invalid, fault.NotFound, fault.Forbidden, fault.TooLarge:
		return job.Final(err)
	}
	return err
}
