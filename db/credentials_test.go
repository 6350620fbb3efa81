package db_test

import (
	"context"
	"testing"
	"time"

	"github.com/lib/pq"

	"parley/db"
)

// storeCredentials gives the tenant one of each credential that is no key.
func (n tenant) storeCredentials(t testing.TB, d *db.DB) {
	t.Helper()
	for _, store := range []func(context.Context) error{
		func(ctx context.Context) error { return d.InsertOauthClient(ctx, n.clientRow(), n.hash) },
		func(ctx context.Context) error { return d.InsertOauthToken(ctx, n.tokenRow(), n.hash) },
		func(ctx context.Context) error { return d.InsertUser(ctx, n.userRow()) },
		func(ctx context.Context) error { return d.InsertUserSession(ctx, n.sessionRow(), n.hash) },
		func(ctx context.Context) error {
			return d.InsertUserLink(ctx, n.account, n.user, n.hash, now().Add(time.Hour))
		},
	} {
		if err := store(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func (n tenant) clientRow() db.OauthClient {
	return db.OauthClient{AccountID: n.account, ID: n.client, AppID: n.app, Name: "client", Scopes: pq.StringArray{"webchat"}, Active: true, CreatedAt: now()}
}

func (n tenant) tokenRow() db.OauthToken {
	return db.OauthToken{AccountID: n.account, ClientID: n.client, Scopes: pq.StringArray{"webchat"}, CreatedAt: now(), ExpiresAt: now().Add(time.Hour)}
}

func (n tenant) userRow() db.User {
	return db.User{AccountID: n.account, ID: n.user, Email: n.user + "@example.com", Role: "owner", Active: true, CreatedAt: now()}
}

func (n tenant) sessionRow() db.UserSession {
	return db.UserSession{AccountID: n.account, UserID: n.user, CreatedAt: now(), IdleUntil: now().Add(time.Hour), ExpiresAt: now().Add(time.Hour)}
}

// credentialCalls are calls on credentials that are no keys.
func (n tenant) credentialCalls() []call {
	client := func(a string) db.OauthClient { c := n.clientRow(); c.AccountID = a; return c }
	token := func(a string) db.OauthToken { t := n.tokenRow(); t.AccountID = a; return t }
	return []call{
		{"User", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.User(ctx, a, n.user) }},
		{"Users", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Users(ctx, a, "", 10) }},
		{"LockUsers", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.LockUsers(ctx, a, n.user) }},
		{"UpdateUser", func(ctx context.Context, d *db.DB, a string) (any, error) {
			u := n.userRow()
			u.AccountID = a
			return did(d.UpdateUser(ctx, u))
		}},
		{"PinSubject", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.PinSubject(ctx, a, n.user, "https://issuer.example ada"))
		}},
		{"InsertUserSession", func(ctx context.Context, d *db.DB, a string) (any, error) {
			s := n.sessionRow()
			s.AccountID = a
			return did(d.InsertUserSession(ctx, s, []byte(unique(""))))
		}},
		{"TouchUserSession", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.TouchUserSession(ctx, a, n.hash, now(), now(), now().Add(time.Hour)))
		}},
		{"SetPassword", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.SetPassword(ctx, a, n.user, "hash"))
		}},
		{"DeleteUserSessions", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.DeleteUserSessions(ctx, a, n.user))
		}},
		{"DeleteUser", func(ctx context.Context, d *db.DB, a string) (any, error) { return did(d.DeleteUser(ctx, a, n.user)) }},
		{"AccountCaller", func(ctx context.Context, d *db.DB, _ string) (any, error) {
			return d.AccountCaller(ctx, unique("acct_"), n.app)
		}},
		{"OauthClient", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.OauthClient(ctx, a, n.client) }},
		{"OauthClients", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.OauthClients(ctx, a, "", 10) }},
		{"CallerByClient", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.CallerByClient(ctx, a, n.client) }},
		{"CallerByUser", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.CallerByUser(ctx, a, n.user) }},
		{"LockOauthClient", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.LockOauthClient(ctx, a, n.client) }},
		{"UpdateOauthClient", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.UpdateOauthClient(ctx, client(a)))
		}},
		{"InsertOauthToken", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.InsertOauthToken(ctx, token(a), []byte(unique(""))))
		}},
		{"OauthToken", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.OauthToken(ctx, a, n.hash) }},
		{"DeleteOauthToken", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.DeleteOauthToken(ctx, a, n.client, n.hash))
		}},
		{"DeleteOauthClient", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.DeleteOauthClient(ctx, a, n.client))
		}},
	}
}

// credentialsApart are the methods on credentials that no account could abuse, with the reason.
var credentialsApart = map[string]string{
	"ServerSecret": "of the installation", "InsertServerSecret": "of the installation",
	"CallerBySession": "starts from a secret", "EndUserSession": "starts from a secret", "TakeUserLink": "starts from a secret",
	"UserByEmail": "signing in knows no account", "GuessesFull": "signing in knows no account", "TakeGuess": "signing in knows no account",
	"DeleteFullGuesses": "housekeeping without an account", "InsertUser": "makes a row of the account", "InsertUserLink": "follows LockUsers in one transaction",
	"CallerByToken": "starts from a secret", "OauthClientBySecret": "starts from a secret",
	"InsertOauthClient": "makes a row of the account", "ReplaceOauthSecret": "follows LockOauthClient in one transaction",
}

// credentialLookups are the hot methods that start from a secret.
func (n tenant) credentialLookups() []call {
	return []call{
		{"CallerByToken", func(ctx context.Context, d *db.DB, _ string) (any, error) { return d.CallerByToken(ctx, n.hash) }},
		{"CallerBySession", func(ctx context.Context, d *db.DB, _ string) (any, error) { return d.CallerBySession(ctx, n.hash) }},
		{"UserByEmail", func(ctx context.Context, d *db.DB, _ string) (any, error) {
			return d.UserByEmail(ctx, n.user+"@example.com")
		}},
		{"TakeUserLink", func(ctx context.Context, d *db.DB, _ string) (any, error) { return d.TakeUserLink(ctx, n.hash, now()) }},
		{"EndUserSession", func(ctx context.Context, d *db.DB, _ string) (any, error) {
			return d.EndUserSession(ctx, []byte(unique("")))
		}},
		{"OauthClientBySecret", func(ctx context.Context, d *db.DB, _ string) (any, error) { return d.OauthClientBySecret(ctx, n.hash) }},
	}
}

// credentialFills store rows for the plans of those statements.
var credentialFills = []string{
	`insert into oauth_clients select account, 'client_' || i, 'app_' || i, 'c', '{}', true, null, now()`,
	`insert into oauth_secrets select ('hash' || i)::bytea, account, 'client_' || i`,
	`insert into users select account, 'user_' || i, i || '@example.com', '', 'member', true, null, null, now()`,
	`insert into user_emails select i || '@example.com', account, 'user_' || i`,
	`insert into user_sessions select ('hash' || i)::bytea, account, 'user_' || i % 50, now(), now(), now(), now()`,
	`insert into user_links select ('hash' || i)::bytea, account, 'user_' || i, now()`,
	`insert into oauth_tokens select ('hash' || i)::bytea, account, 'client_' || i % 50, '{}', now(), now() + interval '1 hour'`,
}
