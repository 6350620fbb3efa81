package db

import (
	"cmp"
	"context"
	"time"

	"github.com/lib/pq"
)

// App is what a key stands for: a product of the account and the agent that
// answers for it. It outlives its keys.
type App struct {
	AccountID string    `db:"account_id"`
	ID        string    `db:"app_id"`
	Name      string    `db:"name"`
	AgentID   *string   `db:"agent_id"`
	ProjectID *int64    `db:"project_id"` // that it answers from
	CreatedAt time.Time `db:"created_at"`
}

// Key is a credential without its secret.
type Key struct {
	AccountID   string         `db:"account_id"`
	ID          string         `db:"key_id"`
	AppID       string         `db:"app_id"`
	Name        string         `db:"name"`
	Kind        string         `db:"kind"` // "secret" or "publishable"
	Prefix      string         `db:"prefix"`
	Scopes      pq.StringArray `db:"scopes"`
	Origins     pq.StringArray `db:"origins"`
	Agents      pq.StringArray `db:"agents"` // that may answer through it; empty: all
	Plan        *string        `db:"plan"`   // nil: the account's, shared with its other keys
	Environment string         `db:"environment"`
	Active      bool           `db:"active"`
	ExpiresAt   *time.Time     `db:"expires_at"`
	LastUsedAt  *time.Time     `db:"last_used_at"`
	CreatedAt   time.Time      `db:"created_at"`
	// PublishedText is the text of a publishable key, for embed codes; nil for a secret one, whose text is nowhere.
	PublishedText *string `db:"published_text"`
}

// Caller is what admission needs to know about a presented key; of the key
// itself it lacks name, prefix, environment and creation.
type Caller struct {
	Key
	ReplacedUntil     *time.Time `db:"replaced_until"` // of a text that was rotated away
	AgentID           *string    `db:"agent_id"`
	AppKnows          bool       `db:"app_knows"`  // its app answers from knowledge
	ProjectID         *int64     `db:"project_id"` // that its app answers from
	PlanName          string     `db:"plan_name"`
	RequestsPerMinute *int       `db:"requests_per_minute"` // nil: not limited
	Role              string     `db:"role"`                // of a person; "" for everything else
	Operates          bool       `db:"operates"`            // the person's account operates the server
	ConcurrentStreams *int       `db:"concurrent_streams"`
	TokensPerMinute   *int       `db:"tokens_per_minute"`
	CatalogVersion    int64      `db:"catalog_version"` // of what the account is offered, as the look-up saw it
	// HolderScopes are those of the client that a token was issued to, beyond which its own do not reach; nil for everything else.
	HolderScopes pq.StringArray `db:"holder_scopes"`
}

// KeysAppKey is the constraint that an unknown app breaks.
const KeysAppKey = "keys_app_fkey"

const keyColumns = `account_id, key_id, app_id, name, kind, prefix, scopes, origins, agents, plan, environment, active,
	expires_at, last_used_at, created_at, published_text`

// InsertApp stores an app.
func (q *Queries) InsertApp(ctx context.Context, a App) error {
	_, err := q.exec(ctx, `
		insert into apps (account_id, app_id, name, agent_id, project_id, created_at)
		values ($1, $2, $3, $4, $5, $6)`,
		a.AccountID, a.ID, a.Name, a.AgentID, a.ProjectID, a.CreatedAt)
	return err
}

// InsertKey stores a key and the digest by which it is found.
func (q *Queries) InsertKey(ctx context.Context, k Key, hash []byte) error {
	_, err := q.exec(ctx, `
		with inserted as (
			insert into keys (account_id, key_id, app_id, name, kind, prefix, scopes, origins, plan,
				environment, expires_at, created_at, agents, published_text)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, coalesce($14::text[], '{}'), $15)
			returning account_id, key_id
		)
		insert into key_hashes (key_hash, account_id, key_id)
		select $13, account_id, key_id
		from inserted`,
		k.AccountID, k.ID, k.AppID, k.Name, k.Kind, k.Prefix, k.Scopes, k.Origins, k.Plan,
		k.Environment, k.ExpiresAt, k.CreatedAt, hash, k.Agents, k.PublishedText)
	return err
}

// CallerByHash finds the key with the digest, whatever its state. It is the
// one read that starts without an account. Those of requests that arrive
// together share a statement, which is sent after they arrived: what was
// revoked before is seen.
func (d *DB) CallerByHash(ctx context.Context, hash []byte) (Caller, error) {
	span := spanOf(ctx, together+"keys")
	c, err := d.callers.do(ctx, string(hash))
	endSpan(span, err)
	if err != nil || c == nil {
		return Caller{}, cmp.Or(err, ErrNotFound)
	}
	return *c, nil
}

// callersByHash finds keys by their digests; nil where there is none.
func (q *Queries) callersByHash(ctx context.Context, hashes []string) ([]*Caller, error) {
	digests := make(pq.ByteaArray, len(hashes))
	for i, hash := range hashes {
		digests[i] = []byte(hash)
	}
	var rows []struct {
		Hash []byte `db:"key_hash"`
		Caller
	}
	err := q.list(ctx, &rows, `
		select h.key_hash, k.account_id, k.key_id, k.app_id, k.kind, k.scopes, k.origins, k.agents, k.plan, k.active, k.expires_at, k.last_used_at,
			h.replaced_until, app.agent_id, app.knows as app_knows, app.project_id, p.name as plan_name, p.requests_per_minute, p.concurrent_streams, p.tokens_per_minute,
			`+catalogVersion("h.account_id")+`
		from key_hashes h
		join keys k on k.account_id = h.account_id and k.key_id = h.key_id
		join accounts a on a.account_id = h.account_id
		join apps app on app.account_id = h.account_id and app.app_id = k.app_id
		join plans p on p.name = coalesce(k.plan, a.plan)
		where h.key_hash = any($1)`,
		digests)
	found := make(map[string]*Caller, len(rows))
	for i := range rows {
		found[string(rows[i].Hash)] = &rows[i].Caller
	}
	callers := make([]*Caller, len(hashes))
	for i, hash := range hashes {
		callers[i] = found[hash]
	}
	return callers, err
}

// TouchKey records a use, unless one after since is stored already: of many
// requests that find an old one together, one writes.
func (q *Queries) TouchKey(ctx context.Context, accountID, keyID string, at, since time.Time) error {
	_, err := q.exec(ctx, `
		update keys
		set last_used_at = $3
		where account_id = $1 and key_id = $2 and (last_used_at is null or last_used_at < $4)`,
		accountID, keyID, at, since)
	return err
}

// Keys lists the account's keys, the newest first, from before an id; "" starts with the newest.
func (q *Queries) Keys(ctx context.Context, accountID, beforeID string, limit int) ([]Key, error) {
	keys := []Key{}
	err := q.list(ctx, &keys, `
		select `+keyColumns+`
		from keys
		where account_id = $1 and ($2 = '' or key_id < $2)
		order by key_id desc
		limit $3`,
		accountID, beforeID, limit)
	return keys, err
}

// Key returns one key of the account.
func (q *Queries) Key(ctx context.Context, accountID, keyID string) (Key, error) {
	var k Key
	err := q.get(ctx, &k, `
		select `+keyColumns+`
		from keys
		where account_id = $1 and key_id = $2`,
		accountID, keyID)
	return k, err
}

// LockKey returns one key and keeps others from changing it until the transaction ends.
func (q *Queries) LockKey(ctx context.Context, accountID, keyID string) (Key, error) {
	var k Key
	err := q.get(ctx, &k, `
		select `+keyColumns+`
		from keys
		where account_id = $1 and key_id = $2
		for update`,
		accountID, keyID)
	return k, err
}

// UpdateKey stores a key's name, scopes, origins, agents, state, prefix and expiry.
func (q *Queries) UpdateKey(ctx context.Context, k Key) error {
	return q.execOne(ctx, `
		update keys
		set name = $3, scopes = $4, origins = $5, active = $6, expires_at = $7, prefix = $8, agents = $9, published_text = $10
		where account_id = $1 and key_id = $2`,
		k.AccountID, k.ID, k.Name, k.Scopes, k.Origins, k.Active, k.ExpiresAt, k.Prefix, k.Agents, k.PublishedText)
}

// PublishedKey is the publishable key that a page embeds a project with.
type PublishedKey struct {
	ProjectID int64  `db:"project_id"`
	Text      string `db:"published_text"`
}

// PublishedKeys returns, for those of some projects that have one, the newest
// publishable key that is in use and whose app answers from the project.
func (q *Queries) PublishedKeys(ctx context.Context, accountID string, projectIDs []int64, now time.Time) ([]PublishedKey, error) {
	keys := []PublishedKey{}
	err := q.list(ctx, &keys, `
		select distinct on (a.project_id) a.project_id, k.published_text
		from apps a
		join keys k on k.account_id = a.account_id and k.app_id = a.app_id
		where a.account_id = $1 and a.project_id = any($2) and k.published_text is not null and k.active
			and (k.expires_at is null or k.expires_at > $3)
		order by a.project_id, k.created_at desc, k.key_id`,
		accountID, pq.Array(projectIDs), now)
	return keys, err
}

// ReplaceHash gives a key a new digest. Its present one works until a time; of
// those replaced earlier, what has lapsed by now is removed.
func (q *Queries) ReplaceHash(ctx context.Context, accountID, keyID string, hash []byte, now, until time.Time) error {
	if _, err := q.exec(ctx, `
		delete from key_hashes
		where account_id = $1 and key_id = $2 and replaced_until <= $3`,
		accountID, keyID, now); err != nil {
		return err
	}
	_, err := q.exec(ctx, `
		with replaced as (
			update key_hashes
			set replaced_until = $4
			where account_id = $1 and key_id = $2 and (replaced_until is null or replaced_until > $4)
		)
		insert into key_hashes (key_hash, account_id, key_id)
		values ($3, $1, $2)`,
		accountID, keyID, hash, until)
	return err
}

// DeleteKey removes a key and its digests; its app stays.
func (q *Queries) DeleteKey(ctx context.Context, accountID, keyID string) error {
	return q.execOne(ctx, `
		with hashes as (
			delete from key_hashes where account_id = $1 and key_id = $2
		)
		delete from keys
		where account_id = $1 and key_id = $2`,
		accountID, keyID)
}

// KeyAccount returns the account of a key. For operators, who name a key by its id alone.
func (q *Queries) KeyAccount(ctx context.Context, keyID string) (string, error) {
	var accountID string
	err := q.get(ctx, &accountID, `select account_id from keys where key_id = $1`, keyID)
	return accountID, err
}

// RevokeKey makes a key invalid for good.
func (q *Queries) RevokeKey(ctx context.Context, accountID, keyID string) error {
	return q.execOne(ctx, `
		update keys
		set active = false
		where account_id = $1 and key_id = $2`,
		accountID, keyID)
}
