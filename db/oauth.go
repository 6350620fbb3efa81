package db

import (
	"context"
	"time"

	"github.com/lib/pq"
)

// OauthClient is a client of the client credentials grant, without its secret.
type OauthClient struct {
	AccountID  string         `db:"account_id"`
	ID         string         `db:"client_id"`
	AppID      string         `db:"app_id"`
	Name       string         `db:"name"`
	Scopes     pq.StringArray `db:"scopes"`
	Active     bool           `db:"active"`
	LastUsedAt *time.Time     `db:"last_used_at"`
	CreatedAt  time.Time      `db:"created_at"`
}

// OauthSecret is a client as its secret finds it.
type OauthSecret struct {
	OauthClient
	ReplacedUntil *time.Time `db:"replaced_until"`
}

// OauthToken is an access token without its text.
type OauthToken struct {
	AccountID string         `db:"account_id"`
	ClientID  string         `db:"client_id"`
	Active    bool           `db:"active"` // whether its client is; only read
	Scopes    pq.StringArray `db:"scopes"`
	CreatedAt time.Time      `db:"created_at"`
	ExpiresAt time.Time      `db:"expires_at"`
	// HolderScopes are its client's, beyond which its own do not reach; only read.
	HolderScopes pq.StringArray `db:"holder_scopes"`
}

// OauthClientsAppKey is the constraint that an unknown app breaks.
const OauthClientsAppKey = "oauth_clients_app_fkey"

const oauthClientColumns = `account_id, client_id, app_id, name, scopes, active, last_used_at, created_at`

// InsertOauthClient stores a client and the digest of its secret.
func (q *Queries) InsertOauthClient(ctx context.Context, c OauthClient, hash []byte) error {
	_, err := q.exec(ctx, `
		with inserted as (
			insert into oauth_clients (account_id, client_id, app_id, name, scopes, active, created_at)
			values ($1, $2, $3, $4, $5, $6, $7)
			returning account_id, client_id
		)
		insert into oauth_secrets (secret_hash, account_id, client_id)
		select $8, account_id, client_id
		from inserted`,
		c.AccountID, c.ID, c.AppID, c.Name, c.Scopes, c.Active, c.CreatedAt, hash)
	return err
}

// OauthClients lists the account's clients, the newest first, from before an id; "" starts with the newest.
func (q *Queries) OauthClients(ctx context.Context, accountID, beforeID string, limit int) ([]OauthClient, error) {
	clients := []OauthClient{}
	err := q.list(ctx, &clients, `
		select `+oauthClientColumns+`
		from oauth_clients
		where account_id = $1 and ($2 = '' or client_id < $2)
		order by client_id desc
		limit $3`,
		accountID, beforeID, limit)
	return clients, err
}

// OauthClient returns one client of the account.
func (q *Queries) OauthClient(ctx context.Context, accountID, clientID string) (OauthClient, error) {
	var c OauthClient
	err := q.get(ctx, &c, `
		select `+oauthClientColumns+`
		from oauth_clients
		where account_id = $1 and client_id = $2`,
		accountID, clientID)
	return c, err
}

// LockOauthClient is OauthClient for a transaction that changes it.
func (q *Queries) LockOauthClient(ctx context.Context, accountID, clientID string) (OauthClient, error) {
	var c OauthClient
	err := q.get(ctx, &c, `
		select `+oauthClientColumns+`
		from oauth_clients
		where account_id = $1 and client_id = $2
		for update`,
		accountID, clientID)
	return c, err
}

// UpdateOauthClient stores a client's name, scopes and state.
func (q *Queries) UpdateOauthClient(ctx context.Context, c OauthClient) error {
	return q.execOne(ctx, `
		update oauth_clients
		set name = $3, scopes = $4, active = $5
		where account_id = $1 and client_id = $2`,
		c.AccountID, c.ID, c.Name, c.Scopes, c.Active)
}

// DeleteOauthClient removes a client with its secrets and tokens; its app stays.
func (q *Queries) DeleteOauthClient(ctx context.Context, accountID, clientID string) error {
	return q.execOne(ctx, `
		with secrets as (
			delete from oauth_secrets where account_id = $1 and client_id = $2
		), tokens as (
			delete from oauth_tokens where account_id = $1 and client_id = $2
		)
		delete from oauth_clients
		where account_id = $1 and client_id = $2`,
		accountID, clientID)
}

// ReplaceOauthSecret gives a client a new secret. Its present one works until
// a time; of those replaced earlier, what has lapsed by now is removed.
func (q *Queries) ReplaceOauthSecret(ctx context.Context, accountID, clientID string, hash []byte, now, until time.Time) error {
	if _, err := q.exec(ctx, `
		delete from oauth_secrets
		where account_id = $1 and client_id = $2 and replaced_until <= $3`,
		accountID, clientID, now); err != nil {
		return err
	}
	_, err := q.exec(ctx, `
		with replaced as (
			update oauth_secrets
			set replaced_until = $4
			where account_id = $1 and client_id = $2 and (replaced_until is null or replaced_until > $4)
		)
		insert into oauth_secrets (secret_hash, account_id, client_id)
		values ($3, $1, $2)`,
		accountID, clientID, hash, until)
	return err
}

// OauthClientBySecret finds the client whose secret has the digest, whatever
// its state. It starts from a secret, without an account.
func (q *Queries) OauthClientBySecret(ctx context.Context, hash []byte) (OauthSecret, error) {
	var s OauthSecret
	err := q.get(ctx, &s, `
		select c.account_id, c.client_id, c.app_id, c.name, c.scopes, c.active, c.last_used_at, c.created_at, s.replaced_until
		from oauth_secrets s
		join oauth_clients c on c.account_id = s.account_id and c.client_id = s.client_id
		where s.secret_hash = $1`,
		hash)
	return s, err
}

// InsertOauthToken stores a token of an active client, notes the client's use
// and removes those of its tokens that have expired. A client that is gone or
// inactive is ErrNotFound.
func (q *Queries) InsertOauthToken(ctx context.Context, t OauthToken, hash []byte) error {
	return q.execOne(ctx, `
		with used as (
			update oauth_clients
			set last_used_at = $6
			where account_id = $2 and client_id = $3 and active
			returning account_id, client_id
		), expired as (
			delete from oauth_tokens where account_id = $2 and client_id = $3 and expires_at <= $6
		)
		insert into oauth_tokens (token_hash, account_id, client_id, scopes, created_at, expires_at)
		select $1, account_id, client_id, $4, $6, $5
		from used
		on conflict (token_hash) do update set expires_at = excluded.expires_at`,
		hash, t.AccountID, t.ClientID, t.Scopes, t.ExpiresAt, t.CreatedAt)
}

// OauthToken returns a token of the account.
func (q *Queries) OauthToken(ctx context.Context, accountID string, hash []byte) (OauthToken, error) {
	var t OauthToken
	err := q.get(ctx, &t, `
		select t.account_id, t.client_id, c.active, t.scopes, c.scopes as holder_scopes, t.created_at, t.expires_at
		from oauth_tokens t
		join oauth_clients c on c.account_id = t.account_id and c.client_id = t.client_id
		where t.account_id = $1 and t.token_hash = $2`,
		accountID, hash)
	return t, err
}

// DeleteOauthToken ends a token of a client.
func (q *Queries) DeleteOauthToken(ctx context.Context, accountID, clientID string, hash []byte) error {
	return q.execOne(ctx, `
		delete from oauth_tokens
		where account_id = $1 and client_id = $2 and token_hash = $3`,
		accountID, clientID, hash)
}

// CallerByToken finds the client that a token was issued to, whatever its
// state, as CallerByHash does for keys. The token's scopes count as far as the client's reach.
func (q *Queries) CallerByToken(ctx context.Context, hash []byte) (Caller, error) {
	var c Caller
	err := q.get(ctx, &c, `
		select c.account_id, c.client_id as key_id, c.app_id, 'secret' as kind, t.scopes, c.scopes as holder_scopes, '{}'::text[] as origins, c.active,
			t.expires_at, c.last_used_at, app.agent_id, coalesce(app.knows, false) as app_knows, p.name as plan_name, p.requests_per_minute,
			p.concurrent_streams, p.tokens_per_minute, `+catalogVersion("t.account_id")+`
		from oauth_tokens t
		join oauth_clients c on c.account_id = t.account_id and c.client_id = t.client_id
		join accounts a on a.account_id = t.account_id
		join apps app on app.account_id = t.account_id and app.app_id = c.app_id
		join plans p on p.name = a.plan
		where t.token_hash = $1`,
		hash)
	return c, err
}

// AccountCaller is what admission needs to know of an account whose caller is
// named elsewhere: its plan, and the app when the account has it ("" otherwise).
func (q *Queries) AccountCaller(ctx context.Context, accountID, appID string) (Caller, error) {
	var c Caller
	err := q.get(ctx, &c, `
		select a.account_id, coalesce(app.app_id, '') as app_id, app.agent_id, coalesce(app.knows, false) as app_knows, p.name as plan_name, p.requests_per_minute,
			p.concurrent_streams, p.tokens_per_minute, `+catalogVersion("a.account_id")+`
		from accounts a
		join plans p on p.name = a.plan
		left join apps app on app.account_id = a.account_id and app.app_id = $2
		where a.account_id = $1`,
		accountID, appID)
	return c, err
}
