package user

import (
	"context"
	"errors"
	"time"

	"parley/db"
	"parley/impl/core/audit"
	"parley/impl/core/credential"
	"parley/impl/core/fault"
	"parley/impl/core/key"
)

// SessionLife is how long a session lives however much it is used.
const SessionLife = 7 * 24 * time.Hour

var (
	errSignIn = fault.New(fault.Unauthenticated, "The address or the password is wrong.")
	errLink   = fault.New(fault.Unauthenticated, "The link is unknown, was used or has ended.")
)

// Session is a new session with its text, which is never available again.
type Session struct {
	Text string
	User db.User
	Life time.Duration
}

// SignInInput is an attempt to sign in with a password.
type SignInInput struct {
	Email, Password string
	// Network is where the attempt comes from, to count by; "" is not counted.
	Network string
}

// SignIn begins a session. Unknown addresses, wrong passwords and people who
// are inactive are the same Unauthenticated fault after the same work; too many
// attempts on one address or from one network are RateLimited, whether there is such a person or not.
func (s *Service) SignIn(ctx context.Context, in SignInInput) (Session, error) {
	u, err := s.recognise(ctx, in)
	if err != nil {
		return Session{}, err
	}
	var made Session
	err = s.DB.InTx(ctx, func(q *db.Queries) error {
		made, err = s.begin(ctx, q, u, byPassword)
		return err
	})
	return made, err
}

// recognise returns the person whom address and password name. It books a
// refusal, whoever is refused and why.
func (s *Service) recognise(ctx context.Context, in SignInInput) (db.User, error) {
	email := normal(in.Email)
	if err := s.allow(ctx, email, in.Network); err != nil {
		return db.User{}, err
	}
	u, err := s.DB.UserByEmail(ctx, email)
	if errors.Is(err, db.ErrNotFound) {
		u, err = db.User{}, nil // nobody, whose password takes as long to compare
	}
	if err != nil {
		return db.User{}, err
	}
	matches, err := s.hasher.matches(ctx, in.Password, u.PasswordHash)
	if err != nil {
		return db.User{}, err
	}
	if matches && u.Active {
		return u, nil
	}
	reason := "wrong_password"
	if matches {
		reason = "inactive"
	}
	return db.User{}, s.refuse(ctx, u, email, byPassword, reason, errSignIn)
}

// begin stores a session of a person and books how it came about.
func (s *Service) begin(ctx context.Context, q *db.Queries, u db.User, by method) (Session, error) {
	now := s.Now()
	made := Session{Text: s.Credentials.Mint(credential.UserSession), User: u, Life: SessionLife}
	digest := credential.Digest(made.Text)
	err := q.InsertUserSession(ctx, db.UserSession{
		AccountID: u.AccountID, UserID: u.ID, CreatedAt: now, IdleUntil: now.Add(key.SessionIdle), ExpiresAt: now.Add(SessionLife),
	}, digest[:])
	if errors.Is(err, db.ErrNotFound) {
		return Session{}, errSignIn // deactivated or deleted since they were recognised
	}
	if err != nil {
		return Session{}, err
	}
	made.User.LastSignInAt = &now
	return made, recordSignIn(audit.AsUser(ctx, u.ID), q, u, "user.signed_in", map[string]any{"method": by})
}

// ChangePassword sets a new password for who knows the present one, ends all
// sessions of the person and begins one.
func (s *Service) ChangePassword(ctx context.Context, in SignInInput, newPassword string) (Session, error) {
	u, err := s.recognise(ctx, in)
	if err != nil {
		return Session{}, err
	}
	hash, err := s.hasher.hash(ctx, newPassword)
	if err != nil {
		return Session{}, err
	}
	var made Session
	err = s.DB.InTx(ctx, func(q *db.Queries) error {
		made, err = s.setPassword(ctx, q, u, hash, byPassword)
		return err
	})
	return made, err
}

// RedeemLink sets a password with a one-time link, ends all sessions of the
// person and begins one. Any link that does not work is the same Unauthenticated fault.
func (s *Service) RedeemLink(ctx context.Context, link, newPassword string) (Session, error) {
	if kind, genuine := s.Credentials.Genuine(link); !genuine || kind != credential.OneTimeLink {
		return Session{}, errLink
	}
	hash, err := s.hasher.hash(ctx, newPassword)
	if err != nil {
		return Session{}, err
	}
	digest := credential.Digest(link)
	var made Session
	err = s.DB.InTx(ctx, func(q *db.Queries) error {
		u, err := q.TakeUserLink(ctx, digest[:], s.Now())
		if errors.Is(err, db.ErrNotFound) || (err == nil && !u.Active) {
			return errLink
		}
		if err != nil {
			return err
		}
		made, err = s.setPassword(ctx, q, u, hash, byLink)
		return err
	})
	return made, err
}

func (s *Service) setPassword(ctx context.Context, q *db.Queries, u db.User, hash string, by method) (Session, error) {
	if err := q.SetPassword(ctx, u.AccountID, u.ID, hash); err != nil {
		return Session{}, err
	}
	if err := record(audit.AsUser(ctx, u.ID), q, u, "user.password_set"); err != nil {
		return Session{}, err
	}
	return s.begin(ctx, q, u, by)
}

// SignOut ends a session, and with everywhere all sessions of its person. Any
// other text is left alone, without a word.
func (s *Service) SignOut(ctx context.Context, text string, everywhere bool) error {
	if kind, genuine := s.Credentials.Genuine(text); !genuine || kind != credential.UserSession {
		return nil
	}
	digest := credential.Digest(text)
	return s.DB.InTx(ctx, func(q *db.Queries) error {
		ended, err := q.EndUserSession(ctx, digest[:])
		if errors.Is(err, db.ErrNotFound) {
			return nil
		}
		if now := s.Now(); err != nil || !now.Before(ended.IdleUntil) || !now.Before(ended.ExpiresAt) {
			return err // one that had ended by itself speaks for nobody
		}
		if everywhere {
			if err := q.DeleteUserSessions(ctx, ended.AccountID, ended.UserID); err != nil {
				return err
			}
		}
		u := db.User{AccountID: ended.AccountID, ID: ended.UserID}
		return recordSignIn(audit.AsUser(ctx, u.ID), q, u, "user.signed_out", map[string]any{"everywhere": everywhere})
	})
}
