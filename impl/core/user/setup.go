package user

import (
	"context"

	"parley/db"
	"parley/impl/core/audit"
	"parley/impl/core/credential"
	"parley/impl/core/fault"
	"parley/impl/core/key"
)

// setUpSaid is what a set-up token says.
const setUpSaid = "set-up"

// SetUpToken is what makes the first person of a server: the operator reads it
// where the server tells it, and it works until somebody is there. "" when there is.
// It is stored nowhere: all servers of the installation sign the same text, and nobody else can.
func (s *Service) SetUpToken(ctx context.Context) (string, error) {
	account, err := s.firstAccount(ctx, s.DB.Queries)
	if err != nil || account == "" {
		return "", err
	}
	return s.Credentials.Sign(credential.SetUp, []byte(setUpSaid)), nil
}

// firstAccount is the account that is made with the server while nobody is in it; "" otherwise.
func (s *Service) firstAccount(ctx context.Context, q *db.Queries) (string, error) {
	accounts, err := q.Accounts(ctx)
	if err != nil || len(accounts) == 0 {
		return "", err
	}
	people, err := q.Users(ctx, accounts[0].ID, "", 1)
	if err != nil || len(people) > 0 {
		return "", err
	}
	return accounts[0].ID, nil
}

// SetUpInput makes the first person.
type SetUpInput struct{ Token, Email, Name, Password string }

// SetUp makes the first person of the server, the owner of its first account,
// which operates the server from then on, and signs them in. A wrong token, and any once somebody is there, is an
// Unauthenticated fault; an address in use is a Conflict.
func (s *Service) SetUp(ctx context.Context, in SetUpInput) (Session, error) {
	if said, genuine := s.Credentials.Payload(credential.SetUp, in.Token); !genuine || string(said) != setUpSaid {
		return Session{}, errLink
	}
	u := s.newUser(CreateInput{Email: in.Email, Name: in.Name, Role: key.Owner})
	if err := check(u); err != nil {
		return Session{}, err
	}
	hash, err := s.hasher.hash(ctx, in.Password)
	if err != nil {
		return Session{}, err
	}
	var made Session
	err = s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.LockFirstStart(ctx); err != nil { // of two at once, one is the first
			return err
		}
		if u.AccountID, err = s.firstAccount(ctx, q); err != nil {
			return err
		}
		if u.AccountID == "" {
			return errLink
		}
		if err := operate(ctx, q, u.AccountID); err != nil {
			return err
		}
		if err := q.InsertUser(ctx, u); err != nil {
			return err
		}
		if err := record(ctx, q, u, "user.created"); err != nil {
			return err
		}
		made, err = s.setPassword(ctx, q, u, hash, byLink)
		return err
	})
	if taken(err) {
		return Session{}, fault.New(fault.Conflict, "The address belongs to a person of this server already.").Because(err)
	}
	return made, err
}

// operate lets the owners of an account rule the server: whoever sets it up has read its log.
func operate(ctx context.Context, q *db.Queries, accountID string) error {
	a, err := q.LockAccount(ctx, accountID)
	if err != nil || a.Operates {
		return err
	}
	a.Operates = true
	if err := q.UpdateAccount(ctx, a); err != nil {
		return err
	}
	return audit.Record(ctx, q, audit.Event{AccountID: a.ID, Action: "account.updated", Target: a.ID, Details: map[string]any{"operates": true}})
}
