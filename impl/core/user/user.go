// Package user is the people of accounts: who they are, their passwords and
// their sessions. Package key admits sessions, with the scopes of the role.
package user

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"parley/db"
	"parley/impl/core/audit"
	"parley/impl/core/credential"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/key"
)

const (
	// nameMax bounds the characters of a name.
	nameMax = 200
	// emailMax bounds those of an address.
	emailMax = 254
)

// LinkLife is how long a one-time link sets a password.
const LinkLife = 72 * time.Hour

// Service makes people and signs them in.
type Service struct {
	DB          *db.DB
	Credentials *credential.Minter
	Now         func() time.Time
	// NetworkGuesses are the attempts to sign in that one network has in a quarter of an hour; 0: any number.
	NetworkGuesses int
	// Admission is who may sign in through an issuer without having been invited.
	Admission Admission

	hasher hasher
}

// New makes a Service.
func New(d *db.DB, c *credential.Minter, now func() time.Time) *Service {
	return &Service{DB: d, Credentials: c, Now: now, hasher: newHasher()}
}

// Invited is a person with the text of a one-time link, which is never available again.
type Invited struct {
	db.User
	Link      string
	ExpiresAt time.Time
}

// CreateInput describes a person to make.
type CreateInput struct {
	AccountID string
	By        *key.Caller // whose request it is; nil for the operator's command line
	Email     string
	Name      string
	Role      key.Role
}

var emailForm = regexp.MustCompile(`^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+$`)

// Create stores a person, who sets a password with the link. A bad address or
// role is an Invalid fault, an address in use a Conflict, a role with more
// rights than the caller's Forbidden.
func (s *Service) Create(ctx context.Context, in CreateInput) (Invited, error) {
	u := s.newUser(in)
	if err := errors.Join(check(u), mayRule(in.By, u)); err != nil {
		return Invited{}, err
	}
	var made Invited
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.InsertUser(ctx, u); err != nil {
			return err
		}
		var err error
		if made, err = s.link(ctx, q, u); err != nil {
			return err
		}
		return record(ctx, q, u, "user.created")
	})
	if taken(err) {
		return Invited{}, fault.New(fault.Conflict, "The address belongs to a person of this server already.").Because(err)
	}
	return made, err
}

// taken tells whether err says that the address is somebody's.
func taken(err error) bool {
	var conflict *db.ConflictError
	return errors.As(err, &conflict) && conflict.Constraint == db.UserEmailsKey
}

func (s *Service) newUser(in CreateInput) db.User {
	return db.User{
		AccountID: in.AccountID, ID: id.New(id.User), Email: normal(in.Email), Name: strings.TrimSpace(in.Name), Role: string(in.Role),
		Active: true, CreatedAt: s.Now(),
	}
}

// normal is the form in which an address is kept and compared. The spaces that people type around it are
// ASCII; others are the address's own, as the document admits them.
func normal(email string) string { return strings.ToLower(strings.Trim(email, " \t\r\n")) }

func check(u db.User) error {
	switch {
	case !emailForm.MatchString(u.Email) || utf8.RuneCountInString(u.Email) > emailMax:
		return fault.New(fault.Invalid, "An e-mail address reads name@host.")
	case utf8.RuneCountInString(u.Name) > nameMax:
		return fault.New(fault.Invalid, "A name has at most %d characters.", nameMax)
	case key.Role(u.Role).Scopes() == nil:
		return fault.New(fault.Invalid, "The roles are owner, admin and member.")
	}
	return nil
}

// mayRule is a Forbidden fault unless the caller may make, change or end the
// person: with no fewer rights than theirs, and an owner only as an owner who
// signed in, so that no key outlives its maker's rights.
func mayRule(by *key.Caller, u db.User) error {
	if by == nil {
		return nil
	}
	role := key.Role(u.Role)
	if role == key.Owner && by.Role != key.Owner {
		return fault.New(fault.Forbidden, "Only an owner who signed in rules over owners.")
	}
	return by.CheckGrant(role.Scopes(), nil)
}

// record books what was done to a person.
func record(ctx context.Context, q *db.Queries, u db.User, action string) error {
	return audit.Record(ctx, q, audit.Event{AccountID: u.AccountID, Action: action, Target: u.ID, Details: map[string]any{
		"email": u.Email, "role": u.Role, "active": u.Active,
	}})
}

// link gives a person a one-time link.
func (s *Service) link(ctx context.Context, q *db.Queries, u db.User) (Invited, error) {
	made := Invited{User: u, Link: s.Credentials.Mint(credential.OneTimeLink), ExpiresAt: s.Now().Add(LinkLife)}
	digest := credential.Digest(made.Link)
	return made, q.InsertUserLink(ctx, u.AccountID, u.ID, digest[:], made.ExpiresAt)
}

// List returns the account's people, the newest first, from before an id ("" from the newest).
func (s *Service) List(ctx context.Context, accountID, beforeID string, limit int) ([]db.User, error) {
	return s.DB.Users(ctx, accountID, beforeID, limit)
}

// Get returns a person of the account; any other is a NotFound fault.
func (s *Service) Get(ctx context.Context, accountID, userID string) (db.User, error) {
	u, err := s.DB.User(ctx, accountID, userID)
	if errors.Is(err, db.ErrNotFound) {
		return u, errMissing
	}
	return u, err
}

// Find returns the person with the address, whatever account they belong to:
// it is for operators. An unknown address is a NotFound fault.
func (s *Service) Find(ctx context.Context, email string) (db.User, error) {
	u, err := s.DB.UserByEmail(ctx, normal(email))
	if errors.Is(err, db.ErrNotFound) {
		return u, fault.New(fault.NotFound, "Nobody has the address %q.", email)
	}
	return u, err
}

var errMissing = fault.New(fault.NotFound, "User not found")

// UpdateInput is what to change of a person; nil leaves it.
type UpdateInput struct {
	Name   *string
	Role   *key.Role
	Active *bool
}

// Update changes a person of the account. It holds from the next request on; a
// person who is deactivated is signed out. The last owner must stay one.
func (s *Service) Update(ctx context.Context, accountID string, by *key.Caller, userID string, in UpdateInput) (db.User, error) {
	return s.change(ctx, accountID, by, userID, "user.updated", func(q *db.Queries, u *db.User) error {
		if in.Name != nil {
			u.Name = strings.TrimSpace(*in.Name)
		}
		if in.Role != nil {
			u.Role = string(*in.Role)
		}
		if in.Active != nil {
			u.Active = *in.Active
		}
		if err := errors.Join(check(*u), mayRule(by, *u)); err != nil {
			return err
		}
		if !u.Active {
			if err := q.DeleteUserSessions(ctx, u.AccountID, u.ID); err != nil {
				return err
			}
		}
		return q.UpdateUser(ctx, *u)
	})
}

// Delete ends a person and their sessions for good. The last owner must stay.
func (s *Service) Delete(ctx context.Context, accountID string, by *key.Caller, userID string) error {
	_, err := s.change(ctx, accountID, by, userID, "user.deleted", func(q *db.Queries, u *db.User) error {
		u.Active = false
		return q.DeleteUser(ctx, u.AccountID, u.ID)
	})
	return err
}

// Link gives a person a new one-time link to set a password with, for one who
// forgot theirs. The password they have works until then.
func (s *Service) Link(ctx context.Context, accountID string, by *key.Caller, userID string) (Invited, error) {
	var made Invited
	_, err := s.change(ctx, accountID, by, userID, "user.link_created", func(q *db.Queries, u *db.User) error {
		var err error
		made, err = s.link(ctx, q, *u)
		return err
	})
	return made, err
}

// change edits a locked person whom the caller may rule, stores and books it.
func (s *Service) change(ctx context.Context, accountID string, by *key.Caller, userID, action string, edit func(*db.Queries, *db.User) error) (db.User, error) {
	var u db.User
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		locked, err := q.LockUsers(ctx, accountID, userID)
		if err != nil {
			return err
		}
		owners, found := 0, false
		for _, l := range locked {
			if l.ID == userID {
				u, found = l, true
			} else {
				owners++ // beside this person
			}
		}
		if !found {
			return errMissing
		}
		if err := mayRule(by, u); err != nil {
			return err
		}
		wasOwner := u.Active && u.Role == string(key.Owner)
		if err := edit(q, &u); err != nil {
			return err
		}
		if isOwner := u.Active && u.Role == string(key.Owner); wasOwner && !isOwner && owners == 0 {
			return fault.New(fault.Conflict, "The last owner of an account must stay its owner.")
		}
		return record(ctx, q, u, action)
	})
	return u, err
}
