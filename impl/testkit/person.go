package testkit

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"parley/db"
	"parley/impl/core/account"
	"parley/impl/core/credential"
	"parley/impl/core/key"
	"parley/impl/core/user"
)

// Person is somebody of an account with every way to sign in.
type Person struct {
	db.User
	Password, Session, Link string
}

// password is everybody's; its digest is made once, and cheaply.
const password = "correct horse battery staple"

var passwordHash = sync.OnceValues(func() (string, error) {
	return argon2id.CreateHash(password, &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
})

// Person makes a person with a password, a session and a one-time token.
func (a Account) Person(t testing.TB, role key.Role) Person {
	t.Helper()
	ctx, people := t.Context(), a.server.App.Users
	made, err := people.Create(ctx, user.CreateInput{AccountID: a.ID, Email: Canary() + "@example.com", Name: "Grace", Role: role})
	if err != nil {
		t.Fatal(err)
	}
	p := Person{User: made.User, Password: password, Session: people.Credentials.Mint(credential.UserSession)}
	hash, err := passwordHash()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.server.DB.SetPassword(ctx, a.ID, p.ID, hash); err != nil {
		t.Fatal(err)
	}
	digest := credential.Digest(p.Session)
	session := db.UserSession{AccountID: a.ID, UserID: p.ID, CreatedAt: now(), IdleUntil: now().Add(time.Hour), ExpiresAt: now().Add(time.Hour)}
	if err := a.server.DB.InsertUserSession(ctx, session, digest[:]); err != nil {
		t.Fatal(err)
	}
	again, err := people.Link(ctx, a.ID, nil, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	p.Link, p.Email = again.Link, strings.ToLower(p.Email)
	return p
}

// Operates says whether the account's owners, signed in, operate the server.
func (a Account) Operates(t testing.TB, operates bool) {
	t.Helper()
	if _, err := a.server.App.Accounts.Update(t.Context(), a.ID, account.UpdateInput{Operates: &operates}); err != nil {
		t.Fatal(err)
	}
}
