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

const (
	// SessionLife is how long a session lives however much it is used.
	SessionLife = 7 * 24 * time.Hour
	// guessCount are the sign-ins that one address may try in guessWindow, right or wrong.
	guessCount  = 20
	guessWindow = 15 * time.Minute
)

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

// SignIn begins a session. Unknown addresses, wrong passwords and people who
// are inactive are the same Unauthenticated fault after the same work; too many
// attempts on one address are RateLimited, whether there is such a person or not.
func (s *Service) SignIn(ctx context.Context, email, password string) (Session, error) {
	u, err := s.recognise(ctx, email, password)
	if err != nil {
		return Session{}, err
	}
	return s.begin(ctx, s.DB.Queries, u)
}

// recognise returns the person whom address and password name.
func (s *Service) recognise(ctx context.Context, email, password string) (db.User, error) {
	email = normal(email)
	if wait := s.guesses.Take(email, s.Now()); wait > 0 {
		f := fault.New(fault.RateLimited, "Too many attempts to sign in with this address.")
		f.RetryAfter = wait
		return db.User{}, f
	}
	u, err := s.DB.UserByEmail(ctx, email)
	if errors.Is(err, db.ErrNotFound) {
		u, err = db.User{}, nil // nobody, whose password takes as long to compare
	}
	if err != nil {
		return db.User{}, err
	}
	matches, err := s.hasher.matches(ctx, password, u.PasswordHash)
	if err != nil {
		return db.User{}, err
	}
	if !matches || !u.Active {
		return db.User{}, errSignIn
	}
	return u, nil
}

// begin stores a session of a person.
func (s *Service) begin(ctx context.Context, q *db.Queries, u db.User) (Session, error) {
	now := s.Now()
	made := Session{Text: s.Credentials.Mint(credential.UserSession), User: u, Life: SessionLife}
	digest := credential.Digest(made.Text)
	err := q.InsertUserSession(ctx, db.UserSession{
		AccountID: u.AccountID, UserID: u.ID, CreatedAt: now, IdleUntil: now.Add(key.SessionIdle), ExpiresAt: now.Add(SessionLife),
	}, digest[:])
	if errors.Is(err, db.ErrNotFound) {
		return Session{}, errSignIn // deactivated or deleted since they were recognised
	}
	made.User.LastSignInAt = &now
	return made, err
}

// ChangePassword sets a new password for who knows the present one, ends all
// sessions of the person and begins one.
func (s *Service) ChangePassword(ctx context.Context, email, password, newPassword string) (Session, error) {
	u, err := s.recognise(ctx, email, password)
	if err != nil {
		return Session{}, err
	}
	hash, err := s.hasher.hash(ctx, newPassword)
	if err != nil {
		return Session{}, err
	}
	var made Session
	err = s.DB.InTx(ctx, func(q *db.Queries) error {
		made, err = s.setPassword(ctx, q, u, hash)
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
		made, err = s.setPassword(ctx, q, u, hash)
		return err
	})
	return made, err
}

func (s *Service) setPassword(ctx context.Context, q *db.Queries, u db.User, hash string) (Session, error) {
	if err := q.SetPassword(ctx, u.AccountID, u.ID, hash); err != nil {
		return Session{}, err
	}
	ctx = audit.WithActor(ctx, audit.Actor{Kind: "user", ID: u.ID})
	if err := record(ctx, q, u, "user.password_set"); err != nil {
		return Session{}, err
	}
	return s.begin(ctx, q, u)
}

// SignOut ends a session. Any other text is left alone, without a word.
func (s *Service) SignOut(ctx context.Context, text string) error {
	if kind, genuine := s.Credentials.Genuine(text); !genuine || kind != credential.UserSession {
		return nil
	}
	digest := credential.Digest(text)
	return s.DB.DeleteUserSession(ctx, digest[:])
}
