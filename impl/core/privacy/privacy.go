// Package privacy gives people what is stored about them, and forgets it:
// exports, erasures and retention. All three are jobs, because they take their time and must
// not be lost. What they cover is listed in db (export.go, erase.go); tests hold
// both lists against the schema.
//
// The money book stays: it has figures and ids, no texts and no names.
package privacy

import (
	"context"
	"errors"
	"time"

	"parley/db"
	"parley/impl/blobs"
	"parley/impl/core/audit"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/job"
)

// The kinds of jobs.
const (
	ExportKind    = "privacy.export"
	EraseKind     = "privacy.erase"
	RetentionKind = "privacy.retention"
	ExpiryKind    = "privacy.expiry"
)

// Service makes exports and erasures and keeps retention periods.
type Service struct {
	DB    *db.DB
	Blobs *blobs.Store
	Now   func() time.Time
	// Cancel ends a running turn, here or on the server that runs it.
	Cancel func(ctx context.Context, accountID, turnID string) error
}

// Handle registers the jobs.
func (s *Service) Handle(r *job.Runner) {
	r.Handle(ExportKind, job.Handler{Do: job.Typed(s.export), Slots: 1, Timeout: time.Hour})
	r.Handle(EraseKind, job.Handler{Do: job.Typed(s.erase), Slots: 2, Timeout: time.Hour})
	r.Handle(RetentionKind, job.Handler{Do: s.retain, Slots: 1, Timeout: time.Hour})
	r.Every(RetentionKind, time.Hour)
	r.Handle(ExpiryKind, job.Handler{Do: s.expire, Slots: 1, Timeout: 10 * time.Minute})
	r.Every(ExpiryKind, 10*time.Minute)
}

// check refuses a subject that does not fit its scope or does not exist.
func (s *Service) check(ctx context.Context, accountID, scope, subject string) error {
	if (scope == db.ScopeAccount) != (subject == "") {
		return fault.New(fault.Conflict, "The scope account has no subject; every other scope has one.")
	}
	exists, err := s.DB.SubjectExists(ctx, accountID, scope, subject)
	if err == nil && !exists {
		return fault.New(fault.NotFound, "Subject not found")
	}
	return err
}

func missing(err error, what string) error {
	if errors.Is(err, db.ErrNotFound) {
		return fault.New(fault.NotFound, "%s not found", what)
	}
	return err
}

// exportArgs and eraseArgs are the arguments of jobs.
type exportArgs struct {
	ExportID string `json:"export_id"`
}

type eraseArgs struct {
	ErasureID string `json:"erasure_id"`
}

// CreateExport orders an archive of what is stored about the account, one app, one conversation or one end user.
func (s *Service) CreateExport(ctx context.Context, accountID, scope, subject string) (db.Export, error) {
	if err := s.check(ctx, accountID, scope, subject); err != nil {
		return db.Export{}, err
	}
	e := db.Export{AccountID: accountID, ID: id.New(id.Export), Scope: scope, Subject: subject, State: db.PrivacyWaiting, CreatedAt: s.Now()}
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.InsertExport(ctx, e); err != nil {
			return err
		}
		if err := book(ctx, q, accountID, "export.created", e.ID, scope, subject); err != nil {
			return err
		}
		return job.Enqueue(ctx, q, e.CreatedAt, job.New{AccountID: accountID, Kind: ExportKind, Args: exportArgs{e.ID}, MaxAttempts: 5})
	})
	return e, err
}

func book(ctx context.Context, q *db.Queries, accountID, action, target, scope, subject string) error {
	details := map[string]any{"scope": scope, "subject": subject}
	if scope == db.ScopeEndUser {
		delete(details, "subject") // a name, which the log would keep
	}
	return audit.Record(ctx, q, audit.Event{AccountID: accountID, Action: action, Target: target, Details: details})
}

// Exports lists the account's exports, the newest first, from before an id ("" from the newest).
func (s *Service) Exports(ctx context.Context, accountID, beforeID string, limit int) ([]db.Export, error) {
	return s.DB.Exports(ctx, accountID, beforeID, limit)
}

// Export returns an export of the account; any other is a NotFound fault.
func (s *Service) Export(ctx context.Context, accountID, exportID string) (db.Export, error) {
	e, err := s.DB.Export(ctx, accountID, exportID)
	return e, missing(err, "Export")
}

// CreateErasure orders that the content of the account, an app, a conversation or an end user be forgotten.
func (s *Service) CreateErasure(ctx context.Context, accountID, scope, subject string) (db.Erasure, error) {
	if err := s.check(ctx, accountID, scope, subject); err != nil {
		return db.Erasure{}, err
	}
	e := db.Erasure{AccountID: accountID, ID: id.New(id.Erasure), Scope: scope, Subject: subject, State: db.PrivacyWaiting, CreatedAt: s.Now()}
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.InsertErasure(ctx, e); err != nil {
			return err
		}
		if err := book(ctx, q, accountID, "erasure.created", e.ID, scope, subject); err != nil {
			return err
		}
		return job.Enqueue(ctx, q, e.CreatedAt, job.New{AccountID: accountID, Kind: EraseKind, Args: eraseArgs{e.ID}, MaxAttempts: 50})
	})
	return e, err
}

// Erasures lists the account's erasures, the newest first, from before an id ("" from the newest).
func (s *Service) Erasures(ctx context.Context, accountID, beforeID string, limit int) ([]db.Erasure, error) {
	return s.DB.Erasures(ctx, accountID, beforeID, limit)
}

// Erasure returns an erasure of the account; any other is a NotFound fault.
func (s *Service) Erasure(ctx context.Context, accountID, erasureID string) (db.Erasure, error) {
	e, err := s.DB.Erasure(ctx, accountID, erasureID)
	return e, missing(err, "Erasure")
}

// Retention returns how many days the account keeps conversations; nil: for good.
func (s *Service) Retention(ctx context.Context, accountID string) (*int, error) {
	return s.DB.Retention(ctx, accountID)
}

// SetRetention changes how many days the account keeps conversations; nil: for good.
func (s *Service) SetRetention(ctx context.Context, accountID string, days *int) error {
	return s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.SetRetention(ctx, accountID, days); err != nil {
			return err
		}
		return audit.Record(ctx, q, audit.Event{AccountID: accountID, Action: "retention.changed", Target: accountID, Details: map[string]any{"days": days}})
	})
}
