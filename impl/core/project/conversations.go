package project

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/job"
	"parley/impl/core/key"
)

// eraseBatch bounds how many conversations one transaction removes.
const eraseBatch = 100

var errNoConversation = fault.New(fault.NotFound, "Conversation not found")

// newUUID returns a random UUID (RFC 9562, version 4).
func newUUID() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
	raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80
	text := hex.EncodeToString(raw[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// Begin stores an empty conversation with a project. License is the key of one, "" for none; what it does not
// open is a Forbidden fault.
func (s *Service) Begin(ctx context.Context, caller key.Caller, projectID int64, name, license string) (db.ProjectConversation, error) {
	p, err := s.Get(ctx, caller.AccountID, projectID)
	if err != nil {
		return db.ProjectConversation{}, err
	}
	licenseID, err := s.licensed(ctx, caller, p, license)
	if err != nil {
		return db.ProjectConversation{}, err
	}
	if err := s.useLicense(ctx, p, licenseID, 1, 0); err != nil {
		return db.ProjectConversation{}, err
	}
	now := s.Now()
	c := db.ProjectConversation{
		AccountID: p.AccountID, LicenseID: licenseID, SessionID: newUUID(), ProjectID: p.ID, Number: id.Number(), Name: name, CreatedAt: now, UpdatedAt: now,
	}
	row := db.Conversation{
		AccountID: p.AccountID, ID: c.SessionID, Surface: Surface, AppID: caller.AppID, Title: name, CreatedAt: now, LastMessageAt: now,
	}
	if caller.EndUser != "" {
		row.EndUser = &caller.EndUser
	} else {
		number := UserNumber(caller)
		c.CreatedBy = &number
	}
	err = s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.InsertConversation(ctx, row); err != nil {
			return err
		}
		return q.InsertProjectConversation(ctx, c)
	})
	var conflict *db.ConflictError
	if errors.As(err, &conflict) && conflict.Constraint == db.ConversationsProjectKey {
		return db.ProjectConversation{}, missing(projectID)
	}
	return c, err
}

// Conversation returns a conversation of a project; any other is a NotFound fault.
func (s *Service) Conversation(ctx context.Context, accountID string, projectID int64, sessionID string) (db.ProjectConversation, error) {
	c, err := s.DB.ProjectConversation(ctx, accountID, projectID, sessionID)
	if errors.Is(err, db.ErrNotFound) {
		return db.ProjectConversation{}, errNoConversation
	}
	return c, err
}

// ListConversations returns a page of a project's conversations and how many there are on all pages.
func (s *Service) ListConversations(ctx context.Context, accountID string, f db.ProjectConversationFilter) ([]db.ProjectConversation, int64, error) {
	if _, err := s.Get(ctx, accountID, f.ProjectID); err != nil {
		return nil, 0, err
	}
	n, err := s.DB.CountProjectConversations(ctx, accountID, f)
	if err != nil {
		return nil, 0, err
	}
	rows, err := s.DB.ProjectConversations(ctx, accountID, f)
	return rows, n, err
}

// Rename gives a conversation another name.
func (s *Service) Rename(ctx context.Context, accountID string, projectID int64, sessionID, name string) (db.ProjectConversation, error) {
	err := s.DB.RenameProjectConversation(ctx, accountID, projectID, sessionID, name, s.Now())
	if errors.Is(err, db.ErrNotFound) {
		return db.ProjectConversation{}, errNoConversation
	}
	if err != nil {
		return db.ProjectConversation{}, err
	}
	return s.Conversation(ctx, accountID, projectID, sessionID)
}

// DeleteConversation removes a conversation with everything that was said in it.
func (s *Service) DeleteConversation(ctx context.Context, accountID string, projectID int64, sessionID string) error {
	if _, err := s.Conversation(ctx, accountID, projectID, sessionID); err != nil {
		return err
	}
	return s.eraseConversations(ctx, db.Project{AccountID: accountID, ID: projectID}, sessionID)
}

// eraseConversations cancels what is being answered in conversations of a
// project, all of them for "", and removes them. An answer that another server
// goes on making keeps its conversation: that is an Unavailable fault.
func (s *Service) eraseConversations(ctx context.Context, p db.Project, sessionID string) error {
	running, err := s.DB.RunningProjectTurns(ctx, p.AccountID, p.ID, sessionID)
	if err != nil {
		return err
	}
	for _, turnID := range running {
		if _, err := s.Turns.Cancel(ctx, p.AccountID, turnID); err != nil {
			return err
		}
	}
	if err := s.report(ctx, p.AccountID); err != nil { // their figures stay
		return err
	}
	far := s.Now().AddDate(100, 0, 0)
	for n := int64(eraseBatch); n == eraseBatch; {
		if n, err = s.DB.EraseProjectConversations(ctx, p.AccountID, p.ID, sessionID, far, eraseBatch); err != nil {
			return err
		}
	}
	left, err := s.DB.RunningProjectTurns(ctx, p.AccountID, p.ID, sessionID)
	if err == nil && len(left) > 0 {
		return errBusy
	}
	return err
}

// errBusy says that the project or conversation was used while it was to be deleted.
var errBusy = func() error {
	f := fault.New(fault.Unavailable, "An answer is still being made; try again.")
	f.RetryAfter = time.Second
	return f
}()

// sweepKind is the kind of the job that removes conversations whose time is over.
const sweepKind = "project.sweep"

// Handle makes a runner do the jobs of projects.
func (s *Service) Handle(r *job.Runner) {
	r.Handle(sweepKind, job.Handler{Do: s.sweep, Slots: 1, Timeout: time.Hour})
	r.Every(sweepKind, time.Hour)
}

// sweep removes the conversations that projects keep no longer.
func (s *Service) sweep(ctx context.Context, _ job.Run) error {
	projects, err := s.DB.RetainingProjects(ctx)
	if err != nil {
		return err
	}
	for _, p := range projects {
		if err := s.report(ctx, p.AccountID); err != nil { // their figures stay
			return err
		}
		before := s.Now().AddDate(0, 0, -*p.RetentionDays)
		for n := int64(eraseBatch); n == eraseBatch; {
			if n, err = s.DB.EraseProjectConversations(ctx, p.AccountID, p.ID, "", before, eraseBatch); err != nil {
				return err
			}
		}
	}
	return nil
}
