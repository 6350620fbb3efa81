package user

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode"

	"parley/db"
	"parley/impl/core/audit"
	"parley/impl/core/fault"
	"parley/impl/core/key"
)

// Admission admits people who sign in through an issuer and were not invited.
type Admission struct {
	Domains   []string // of their e-mail addresses, in lower case; none: nobody
	AccountID string   // that they become people of
	Role      key.Role // that they get there; never an owner's
}

func (a Admission) admits(email string) bool {
	return slices.Contains(a.Domains, email[strings.LastIndexByte(email, '@')+1:])
}

// Identity is who somebody is to an issuer that the operator trusts.
type Identity struct {
	Subject  string // the issuer and its lasting name of the person, which addresses are not
	Email    string
	Verified bool // the issuer has verified the address
	Name     string
}

var (
	errStranger   = fault.New(fault.Forbidden, "Nobody with this e-mail address may sign in here.")
	errUnverified = fault.New(fault.Unauthenticated, "The issuer has not verified the e-mail address.")
)

// SignInAs begins a session of the person who has the address of the identity:
// one who was invited or whose domain is admitted. The first sign-in binds the
// person to the identity's subject: whoever gets the address later is somebody
// else. An address that is not verified is an Unauthenticated fault; whoever may not sign in is Forbidden.
func (s *Service) SignInAs(ctx context.Context, who Identity) (Session, error) {
	email := normal(who.Email)
	u, err := s.DB.UserByEmail(ctx, email)
	unknown := errors.Is(err, db.ErrNotFound)
	if err != nil && !unknown {
		return Session{}, err
	}
	switch {
	case !who.Verified || who.Subject == "" || disguised(who.Email) || !emailForm.MatchString(email):
		return Session{}, s.refuse(ctx, u, email, byIssuer, "unverified", errUnverified)
	case unknown && s.Admission.admits(email):
		return s.admit(ctx, who)
	case unknown || !u.Active:
		return Session{}, s.refuse(ctx, u, email, byIssuer, "inactive", errStranger)
	}
	return s.enter(ctx, u, who, false)
}

// disguised tells whether an address becomes another one in lower case: some
// letters beyond ASCII have an ASCII one as theirs, and another mailbox would pass for somebody's.
func disguised(email string) bool {
	for _, r := range email {
		if r > unicode.MaxASCII && unicode.ToLower(r) <= unicode.MaxASCII {
			return true
		}
	}
	return false
}

// admit makes a person of an admitted domain and signs them in.
func (s *Service) admit(ctx context.Context, who Identity) (Session, error) {
	name := []rune(who.Name)
	u := s.newUser(CreateInput{
		AccountID: s.Admission.AccountID, Email: who.Email, Name: string(name[:min(len(name), nameMax)]), Role: s.Admission.Role,
	})
	if err := check(u); err != nil {
		return Session{}, err
	}
	made, err := s.enter(ctx, u, who, true)
	if taken(err) { // they come twice at the same time
		if u, err = s.DB.UserByEmail(ctx, u.Email); err == nil {
			return s.enter(ctx, u, who, false)
		}
	}
	return made, err
}

// enter begins a session of a person, who may have to be made first, and who is
// the identity's subject from then on.
func (s *Service) enter(ctx context.Context, u db.User, who Identity, fresh bool) (Session, error) {
	if u.Subject != nil && *u.Subject != who.Subject {
		return Session{}, s.refuse(ctx, u, u.Email, byIssuer, "another subject", errStranger)
	}
	var made Session
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		if fresh {
			err := q.InsertUser(ctx, u)
			if err == nil {
				err = record(audit.AsUser(ctx, u.ID), q, u, "user.created")
			}
			if err != nil {
				return err
			}
		}
		err := q.PinSubject(ctx, u.AccountID, u.ID, who.Subject)
		if errors.Is(err, db.ErrNotFound) {
			return errStranger // bound to another one, or deleted, since they were recognised
		}
		if err == nil {
			made, err = s.begin(ctx, q, u, byIssuer)
		}
		return err
	})
	return made, err
}
