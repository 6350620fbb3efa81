package db

import (
	"context"
	"time"
)

// User is a person of an account.
type User struct {
	AccountID    string     `db:"account_id"`
	ID           string     `db:"user_id"`
	Email        string     `db:"email"` // in lower case
	Name         string     `db:"name"`
	Role         string     `db:"role"` // "owner", "admin" or "member"
	Active       bool       `db:"active"`
	PasswordHash *string    `db:"password_hash"` // argon2id; nil until it is set
	LastSignInAt *time.Time `db:"last_sign_in_at"`
	CreatedAt    time.Time  `db:"created_at"`
	Subject      *string    `db:"subject"` // who they are to an issuer, and to which; nil until they sign in there
}

// UserEmailsKey is the constraint that an address in use breaks.
const UserEmailsKey = "user_emails_pkey"

const userColumns = `account_id, user_id, email, name, role, active, password_hash, last_sign_in_at, created_at, subject`

// InsertUser stores a user and claims the address.
func (q *Queries) InsertUser(ctx context.Context, u User) error {
	_, err := q.exec(ctx, `
		with inserted as (
			insert into users (account_id, user_id, email, name, role, active, created_at)
			values ($1, $2, $3, $4, $5, $6, $7)
			returning account_id, user_id, email
		)
		insert into user_emails (email, account_id, user_id)
		select email, account_id, user_id
		from inserted`,
		u.AccountID, u.ID, u.Email, u.Name, u.Role, u.Active, u.CreatedAt)
	return err
}

// Users lists the account's people, the newest first, from before an id; "" starts with the newest.
func (q *Queries) Users(ctx context.Context, accountID, beforeID string, limit int) ([]User, error) {
	users := []User{}
	err := q.list(ctx, &users, `
		select `+userColumns+`
		from users
		where account_id = $1 and ($2 = '' or user_id < $2)
		order by user_id desc
		limit $3`,
		accountID, beforeID, limit)
	return users, err
}

// User returns one person of the account.
func (q *Queries) User(ctx context.Context, accountID, userID string) (User, error) {
	var u User
	err := q.get(ctx, &u, `
		select `+userColumns+`
		from users
		where account_id = $1 and user_id = $2`,
		accountID, userID)
	return u, err
}

// LockUsers locks a person and the account's active owners, in one order for
// everybody, and returns them: who may go depends on who stays.
func (q *Queries) LockUsers(ctx context.Context, accountID, userID string) ([]User, error) {
	users := []User{}
	err := q.list(ctx, &users, `
		select `+userColumns+`
		from users
		where account_id = $1 and (user_id = $2 or (role = 'owner' and active))
		order by user_id
		for update`,
		accountID, userID)
	return users, err
}

// UserByEmail finds a person by address. It starts without an account.
func (q *Queries) UserByEmail(ctx context.Context, email string) (User, error) {
	var u User
	err := q.get(ctx, &u, `
		select u.account_id, u.user_id, u.email, u.name, u.role, u.active, u.password_hash, u.last_sign_in_at, u.created_at, u.subject
		from user_emails e
		join users u on u.account_id = e.account_id and u.user_id = e.user_id
		where e.email = $1`,
		email)
	return u, err
}

// UpdateUser stores a person's name, role and state.
func (q *Queries) UpdateUser(ctx context.Context, u User) error {
	return q.execOne(ctx, `
		update users
		set name = $3, role = $4, active = $5
		where account_id = $1 and user_id = $2`,
		u.AccountID, u.ID, u.Name, u.Role, u.Active)
}

// PinSubject stores who a person is to an issuer. It is ErrNotFound when they are somebody else there already.
func (q *Queries) PinSubject(ctx context.Context, accountID, userID, subject string) error {
	return q.execOne(ctx, `
		update users
		set subject = $3
		where account_id = $1 and user_id = $2 and coalesce(subject, $3) = $3`,
		accountID, userID, subject)
}

// SetPassword stores the digest of a person's password and ends all their sessions and links.
func (q *Queries) SetPassword(ctx context.Context, accountID, userID, hash string) error {
	return q.execOne(ctx, `
		with sessions as (
			delete from user_sessions where account_id = $1 and user_id = $2
		), links as (
			delete from user_links where account_id = $1 and user_id = $2
		)
		update users
		set password_hash = $3
		where account_id = $1 and user_id = $2`,
		accountID, userID, hash)
}

// DeleteUser removes a person with their sessions and links and frees the address.
func (q *Queries) DeleteUser(ctx context.Context, accountID, userID string) error {
	return q.execOne(ctx, `
		with sessions as (
			delete from user_sessions where account_id = $1 and user_id = $2
		), links as (
			delete from user_links where account_id = $1 and user_id = $2
		), emails as (
			delete from user_emails where account_id = $1 and user_id = $2
		)
		delete from users
		where account_id = $1 and user_id = $2`,
		accountID, userID)
}

// UserSession is a session of a person who signed in.
type UserSession struct {
	AccountID string    `db:"account_id"`
	UserID    string    `db:"user_id"`
	CreatedAt time.Time `db:"created_at"`
	IdleUntil time.Time `db:"idle_until"` // it ends when it is not used until then
	ExpiresAt time.Time `db:"expires_at"` // and then in any case
}

// InsertUserSession stores a session of an active person, notes the sign-in and
// removes those of their sessions that have ended. A person who is gone or
// inactive is ErrNotFound.
func (q *Queries) InsertUserSession(ctx context.Context, s UserSession, hash []byte) error {
	return q.execOne(ctx, `
		with signed_in as (
			update users
			set last_sign_in_at = $4
			where account_id = $2 and user_id = $3 and active
			returning account_id, user_id
		), ended as (
			delete from user_sessions where account_id = $2 and user_id = $3 and (expires_at <= $4 or idle_until <= $4)
		)
		insert into user_sessions (session_hash, account_id, user_id, created_at, seen_at, idle_until, expires_at)
		select $1, account_id, user_id, $4, $4, $5, $6
		from signed_in
		on conflict (session_hash) do update set idle_until = excluded.idle_until`,
		hash, s.AccountID, s.UserID, s.CreatedAt, s.IdleUntil, s.ExpiresAt)
}

// TouchUserSession notes that a session is used and lives on until idleUntil,
// unless that was noted after since.
func (q *Queries) TouchUserSession(ctx context.Context, accountID string, hash []byte, at, idleUntil, since time.Time) error {
	_, err := q.exec(ctx, `
		update user_sessions
		set seen_at = $3, idle_until = $4
		where account_id = $1 and session_hash = $2 and seen_at < $5`,
		accountID, hash, at, idleUntil, since)
	return err
}

// EndUserSession ends a session and returns whose it was; one that there is
// not is ErrNotFound. It starts from a secret, without an account; call it in a transaction.
func (q *Queries) EndUserSession(ctx context.Context, hash []byte) (UserSession, error) {
	var s UserSession
	err := q.get(ctx, &s, `
		delete from user_sessions
		where session_hash = $1
		returning account_id, user_id, created_at, idle_until, expires_at`,
		hash)
	return s, err
}

// DeleteUserSessions ends all sessions of a person.
func (q *Queries) DeleteUserSessions(ctx context.Context, accountID, userID string) error {
	_, err := q.exec(ctx, `delete from user_sessions where account_id = $1 and user_id = $2`, accountID, userID)
	return err
}

// InsertUserLink stores a one-time link of a person; one that they had before ends.
func (q *Queries) InsertUserLink(ctx context.Context, accountID, userID string, hash []byte, until time.Time) error {
	_, err := q.exec(ctx, `
		with former as (
			delete from user_links where account_id = $2 and user_id = $3 and link_hash <> $1
		)
		insert into user_links (link_hash, account_id, user_id, expires_at)
		values ($1, $2, $3, $4)
		on conflict (link_hash) do nothing`,
		hash, accountID, userID, until)
	return err
}

// TakeUserLink uses up a one-time link that has not ended and returns its
// person. It starts from a secret, without an account; call it in a transaction.
func (q *Queries) TakeUserLink(ctx context.Context, hash []byte, at time.Time) (User, error) {
	var u User
	err := q.get(ctx, &u, `
		with taken as (
			delete from user_links
			where link_hash = $1 and expires_at > $2
			returning account_id, user_id
		)
		select u.account_id, u.user_id, u.email, u.name, u.role, u.active, u.password_hash, u.last_sign_in_at, u.created_at, u.subject
		from taken t
		join users u on u.account_id = t.account_id and u.user_id = t.user_id`,
		hash, at)
	return u, err
}

// CallerByUser is CallerByKey for a person of the account, signed in or not.
func (q *Queries) CallerByUser(ctx context.Context, accountID, userID string) (Caller, error) {
	var c Caller
	err := q.get(ctx, &c, `
		select u.account_id, u.user_id as key_id, 'secret' as kind, u.role, a.operates, u.active, p.name as plan_name, p.requests_per_minute,
			p.concurrent_streams, p.tokens_per_minute, `+catalogVersion("u.account_id")+`
		from users u
		join accounts a on a.account_id = u.account_id
		join plans p on p.name = a.plan
		where u.account_id = $1 and u.user_id = $2`,
		accountID, userID)
	return c, err
}

// CallerBySession finds the person whose session has the digest, whatever
// their state, as CallerByHash does for keys. Scopes follow from the role.
func (q *Queries) CallerBySession(ctx context.Context, hash []byte) (Caller, error) {
	var c Caller
	err := q.get(ctx, &c, `
		select u.account_id, u.user_id as key_id, 'secret' as kind, u.role, a.operates, u.active, s.seen_at as last_used_at,
			least(s.idle_until, s.expires_at) as expires_at, p.name as plan_name, p.requests_per_minute,
			p.concurrent_streams, p.tokens_per_minute, `+catalogVersion("s.account_id")+`
		from user_sessions s
		join users u on u.account_id = s.account_id and u.user_id = s.user_id
		join accounts a on a.account_id = s.account_id
		join plans p on p.name = a.plan
		where s.session_hash = $1`,
		hash)
	return c, err
}
