package privacy

import (
	"context"
	"errors"
	"time"

	"parley/db"
	"parley/impl/core/event"
	"parley/impl/core/fault"
	"parley/impl/core/job"
)

// eraseBatch bounds how many conversations one transaction removes.
const eraseBatch = 100

var errStillRunning = fault.New(fault.Unavailable, "Answers are still being made.")

// erase forgets. Each step can be repeated: an attempt goes on where the one before ended.
func (s *Service) erase(ctx context.Context, r job.Run, args eraseArgs) error {
	e, err := s.DB.Erasure(ctx, r.AccountID, args.ErasureID)
	if errors.Is(err, db.ErrNotFound) || (err == nil && e.State == db.PrivacyDone) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.carryOut(ctx, r, e); err != nil {
		if r.Last() {
			err = errors.Join(err, s.DB.EndErasure(context.WithoutCancel(ctx), e.AccountID, e.ID, db.PrivacyFailed, s.Now()))
		}
		return err
	}
	now := s.Now()
	return s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.EndErasure(ctx, e.AccountID, e.ID, db.PrivacyDone, now); err != nil {
			return err
		}
		return event.Record(ctx, q, e.AccountID, event.ErasureDone, now, map[string]string{"erasure_id": e.ID})
	})
}

func (s *Service) carryOut(ctx context.Context, r job.Run, e db.Erasure) error {
	if err := s.cancelTurns(ctx, e); err != nil {
		return err
	}
	if err := s.eraseConversations(ctx, e); err != nil {
		return err
	}
	if e.Scope != db.ScopeConversation {
		if _, err := s.DB.EraseChats(ctx, e.AccountID, e.Scope, e.Subject, e.CreatedAt); err != nil {
			return err
		}
		if err := s.DB.EraseLooseTurns(ctx, e.AccountID, e.Scope, e.Subject, e.CreatedAt); err != nil {
			return err
		}
	}
	if e.Scope != db.ScopeConversation { // a conversation's went with it
		if err := s.DB.EraseImages(ctx, e.AccountID, e.Scope, e.Subject, e.CreatedAt); err != nil {
			return err
		}
	}
	if err := s.DB.ForgetAnswers(ctx, e.AccountID); err != nil {
		return err
	}
	// Archives of earlier exports may hold what was erased.
	if err := s.DB.VoidExports(ctx, e.AccountID); err != nil {
		return err
	}
	kind := blobKind
	if e.Scope == db.ScopeAccount {
		kind = ""
	}
	removed, err := s.Blobs.DeleteAll(ctx, e.AccountID, kind)
	if err != nil {
		return err
	}
	if err := s.DB.AddErased(ctx, e.AccountID, e.ID, 0, int64(removed)); err != nil {
		return err
	}
	switch e.Scope {
	case db.ScopeAccount:
		return s.DB.EraseAccount(ctx, e.AccountID, r.ID)
	case db.ScopeEndUser:
		return s.DB.EraseEndUser(ctx, e.AccountID, e.Subject)
	}
	return nil
}

// cancelTurns ends the answers that were being made when the erasure was
// ordered, so that none of them stores its text afterwards.
func (s *Service) cancelTurns(ctx context.Context, e db.Erasure) error {
	running, err := s.DB.RunningTurns(ctx, e.AccountID, e.Scope, e.Subject, e.CreatedAt)
	if err != nil {
		return err
	}
	for _, turnID := range running {
		if err := s.Cancel(ctx, e.AccountID, turnID); err != nil {
			return err
		}
	}
	left, err := s.DB.RunningTurns(ctx, e.AccountID, e.Scope, e.Subject, e.CreatedAt)
	if err == nil && len(left) > 0 {
		return job.Retry(errStillRunning, time.Second) // another server runs them, or takes them over
	}
	return err
}

func (s *Service) eraseConversations(ctx context.Context, e db.Erasure) error {
	for {
		n, err := s.DB.EraseConversations(ctx, e.AccountID, e.Scope, e.Subject, eraseBatch)
		if err != nil {
			return err
		}
		if err := s.DB.AddErased(ctx, e.AccountID, e.ID, n, 0); err != nil {
			return err
		}
		if n < eraseBatch {
			return nil
		}
	}
}

// retain forgets what the accounts' retention periods have ended for.
func (s *Service) retain(ctx context.Context, _ job.Run) error {
	accounts, err := s.DB.Retentions(ctx)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		before := s.Now().AddDate(0, 0, -a.Days)
		for n := int64(eraseBatch); n == eraseBatch; {
			if n, err = s.DB.EraseConversationsBefore(ctx, a.AccountID, before, eraseBatch); err != nil {
				return err
			}
		}
		if _, err := s.DB.EraseChatsBefore(ctx, a.AccountID, before); err != nil {
			return err
		}
		if err := s.DB.EraseLooseTurns(ctx, a.AccountID, db.ScopeAccount, "", before); err != nil {
			return err
		}
	}
	return nil
}
