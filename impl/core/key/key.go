// Package key makes, finds and revokes credentials. Only a digest of a key is
// stored; its text is shown once, when it is made.
package key

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"parley/db"
	"parley/impl/core/audit"
	"parley/impl/core/credential"
	"parley/impl/core/event"
	"parley/impl/core/fault"
	"parley/impl/core/id"
)

// Kind says where a key may live.
type Kind string

// Secret keys live on servers, publishable ones in web pages of listed origins.
const (
	Secret      Kind = "secret"
	Publishable Kind = "publishable"
)

// Caller is who sends a request, with a credential of an account that is good at this moment.
type Caller struct {
	AccountID         string
	By                string // "key", "client" or "user": whose id KeyID is
	KeyID             string // the key, the OAuth client of a token, or the person
	Role              Role   // of a person; "" for everything else
	AppID             string
	AgentID           string // of the app; "" when it names none
	ProjectID         int64  // that the app answers from; 0 when it names none
	AppKnows          bool   // the app has knowledge of its own
	Kind              Kind
	Scopes            []string
	Origins           []string
	Agents            []string // that may answer; none: all, and the bare models
	Plan              string
	EndUser           string // whom the credential was made for; "" when it names nobody
	SessionID         string // the only session that an end user's token reaches; "" is all of the end user
	ByToken           bool   // an end user's token, or an ephemeral secret, was presented instead of a key
	SecretID          string // of the ephemeral secret; ""
	FromSecret        bool   // the token was made by a secret key, whose rule for origins holds
	RequestsPerMinute int    // 0: not limited, as in the next two
	ConcurrentStreams int    // answers of the key that may run at once
	TokensPerMinute   int    // of all keys that share Bucket
	Bucket            string // what the plan counts: the account, or the key when it has a plan of its own
}

// AdmitsOrigin tells whether a request with this Origin header may use the key:
// a publishable key needs a listed origin; a secret key with a list refuses
// other origins and accepts none sent.
func (c Caller) AdmitsOrigin(origin string) bool {
	secret := c.Kind == Secret || c.FromSecret
	if origin == "" {
		return secret
	}
	if secret && len(c.Origins) == 0 {
		return true
	}
	return slices.Contains(c.Origins, strings.ToLower(origin))
}

// AdmitsAgent tells whether the agent ("" for a bare model) may answer the caller.
func (c Caller) AdmitsAgent(agentID string) bool {
	return len(c.Agents) == 0 || slices.Contains(c.Agents, agentID)
}

// Service makes and checks keys.
type Service struct {
	DB          *db.DB
	Credentials *credential.Minter
	Now         func() time.Time
	// Confirm is told which version of an account's offer of models a look-up saw; nil when nobody keeps any.
	Confirm func(accountID string, version int64)

	refused refusals
}

// ErrUnknown is what every bad credential gets, whatever is bad about it.
var ErrUnknown = fault.New(fault.Unauthenticated, "The API key is missing, unknown, revoked or expired.")

// lastUsedGrain is how exact "last used" is; a use within it costs no write.
const lastUsedGrain = time.Minute

// Authenticate returns the caller that text identifies. Every key that is not
// good is the same Unauthenticated fault. What was never minted here is refused
// without a statement; unknown, revoked and expired keys take one and the same.
func (s *Service) Authenticate(ctx context.Context, text string) (Caller, error) {
	if strings.HasPrefix(text, string(credential.EndUser)) {
		return s.authenticateEndUser(ctx, text)
	}
	if strings.HasPrefix(text, string(credential.Ephemeral)) {
		return s.authenticateEphemeral(ctx, text)
	}
	if isTicket(text) {
		return s.authenticateTicket(ctx, text)
	}
	kind, genuine := s.Credentials.Genuine(text)
	find := s.finder(kind)
	if !genuine || find == nil {
		return Caller{}, ErrUnknown
	}
	return s.caller(ctx, kind, text, find)
}

// caller looks a genuine credential up.
func (s *Service) caller(ctx context.Context, kind credential.Kind, text string, find func(context.Context, []byte) (db.Caller, error)) (Caller, error) {
	digest, now := credential.Digest(text), s.Now()
	if s.refused.has(digest, now) {
		return Caller{}, ErrUnknown
	}
	row, err := find(ctx, digest[:])
	if errors.Is(err, db.ErrNotFound) {
		s.refused.add(digest, now.Add(goneFor))
		return Caller{}, ErrUnknown
	}
	if err != nil {
		return Caller{}, err
	}
	if !row.Active || over(row.ExpiresAt, now) || over(row.ReplacedUntil, now) {
		s.refused.add(digest, now.Add(endedFor))
		return Caller{}, ErrUnknown
	}
	if since := now.Add(-lastUsedGrain); row.LastUsedAt == nil || row.LastUsedAt.Before(since) {
		if err := s.touch(ctx, kind, row, digest[:], now, since); err != nil {
			return Caller{}, err
		}
	}
	if s.Confirm != nil {
		s.Confirm(row.AccountID, row.CatalogVersion)
	}
	c := CallerOf(row)
	c.By = actors[kind]
	return c, nil
}

// SessionIdle is how long the session of a person lives without being used.
const SessionIdle = 12 * time.Hour

// touch notes a use. A token's is noted when it is issued.
func (s *Service) touch(ctx context.Context, kind credential.Kind, row db.Caller, digest []byte, now, since time.Time) error {
	switch kind {
	case credential.SecretKey, credential.PublishableKey, credential.EndUser:
		return s.DB.TouchKey(ctx, row.AccountID, row.ID, now, since)
	case credential.UserSession:
		return s.DB.TouchUserSession(ctx, row.AccountID, digest, now, now.Add(SessionIdle), since)
	}
	return nil
}

// finder returns the look-up for a kind of credential; nil when it is none that a request is sent with.
func (s *Service) finder(kind credential.Kind) func(context.Context, []byte) (db.Caller, error) {
	switch kind {
	case credential.SecretKey, credential.PublishableKey:
		return s.DB.CallerByHash
	case credential.AccessToken:
		return s.DB.CallerByToken
	case credential.UserSession:
		return s.DB.CallerBySession
	}
	return nil
}

// actors are the words for who holds a kind of credential, as the audit log has them.
var actors = map[credential.Kind]string{
	credential.SecretKey: "key", credential.PublishableKey: "key", credential.AccessToken: "client",
	credential.UserSession: "user", credential.EndUser: "key",
}

func over(end *time.Time, now time.Time) bool { return end != nil && !now.Before(*end) }

// CallerOf is the caller of a row that a look-up found.
func CallerOf(row db.Caller) Caller {
	c := Caller{
		AccountID: row.AccountID, KeyID: row.ID, AppID: row.AppID, Kind: Kind(row.Kind),
		Scopes: row.Scopes, Origins: row.Origins, Agents: row.Agents, AppKnows: row.AppKnows, Plan: row.PlanName, Bucket: "account",
	}
	if row.Role != "" {
		c.Role, c.AppID, c.AppKnows, c.Scopes = Role(row.Role), PeoplesApp, false, Role(row.Role).scopesIn(row.Operates)
	}
	if row.HolderScopes != nil {
		c.Scopes = Within(row.Scopes, row.HolderScopes)
	}
	if row.AgentID != nil {
		c.AgentID = *row.AgentID
	}
	if row.ProjectID != nil {
		c.ProjectID = *row.ProjectID
	}
	if row.Plan != nil {
		c.Bucket = row.ID
	}
	c.RequestsPerMinute, c.ConcurrentStreams, c.TokensPerMinute = ceiling(row.RequestsPerMinute), ceiling(row.ConcurrentStreams), ceiling(row.TokensPerMinute)
	return c
}

// ceiling is 0 for a plan without it.
func ceiling(limit *int) int {
	if limit == nil {
		return 0
	}
	return *limit
}

// CreateInput describes a key to make. Zero values mean: secret, every
// surface's scope, no origins, the account's plan, development, no expiry, an app of its own.
type CreateInput struct {
	AccountID   string
	By          *Caller // whose request it is; nil for the operator's command line
	Name        string
	Kind        Kind
	Scopes      []string
	Origins     []string
	Agents      []string // that may answer through it; none: all
	Plan        string
	Environment string
	ExpiresAt   *time.Time
	AppID       string // an existing app; "" makes one
	AgentID     string // the agent of a new app
	ProjectID   int64  // the project that a new app answers from; not beside an agent
}

// Created is a new key with its text, which is never available again, but for a publishable one's in embed codes.
type Created struct {
	db.Key
	Text string
}

// Create stores a key. Bad names, kinds, scopes or origins are Invalid faults,
// an app, agent or project that does not exist is NotFound, a publishable key with an
// administrative scope is a Conflict, more than the
// caller's own rights is Forbidden.
func (s *Service) Create(ctx context.Context, in CreateInput) (Created, error) {
	k, err := s.newKey(in)
	if err == nil && in.By != nil {
		err = in.By.checkCreate(k)
	}
	if err != nil {
		return Created{}, err
	}
	text, digest := s.mint(&k)
	err = s.DB.InTx(ctx, func(q *db.Queries) error {
		if in.AppID == "" {
			if err := s.insertApp(ctx, q, k, in); err != nil {
				return err
			}
		}
		if err := checkAgents(ctx, q, k); err != nil {
			return err
		}
		if err := q.InsertKey(ctx, k, digest); err != nil {
			return err
		}
		return recordKey(ctx, q, k, "key.created")
	})
	var conflict *db.ConflictError
	if errors.As(err, &conflict) && conflict.Constraint == db.KeysAppKey {
		return Created{}, fault.New(fault.NotFound, "App not found").Because(err)
	}
	if errors.As(err, &conflict) {
		return Created{}, fault.New(fault.NotFound, "Account or plan not found").Because(err)
	}
	return Created{Key: k, Text: text}, err
}

// mint makes the key's text and the digest that is stored of it.
func (s *Service) mint(k *db.Key) (text string, digest []byte) {
	kind := credential.SecretKey
	if k.Kind == string(Publishable) {
		kind = credential.PublishableKey
	}
	text = s.Credentials.Mint(kind)
	k.Prefix = text[:credential.ShownChars]
	if kind == credential.PublishableKey {
		k.PublishedText = &text
	}
	sum := credential.Digest(text)
	return text, sum[:]
}

// told are the events by which webhooks learn of acts.
var told = map[string]string{
	"key.created": event.KeyCreated, "key.rotated": event.KeyRotated, "key.deleted": event.KeyRevoked, "key.revoked": event.KeyRevoked,
}

// tell lets webhooks know what was done to a key.
func tell(ctx context.Context, q *db.Queries, k db.Key, action string) error {
	if told[action] == "" {
		return nil
	}
	return event.Record(ctx, q, k.AccountID, told[action], time.Now().UTC().Truncate(time.Microsecond), event.Key{KeyID: k.ID})
}

// recordKey books what was done to a key.
func recordKey(ctx context.Context, q *db.Queries, k db.Key, action string) error {
	if err := tell(ctx, q, k, action); err != nil {
		return err
	}
	return audit.Record(ctx, q, audit.Event{AccountID: k.AccountID, Action: action, Target: k.ID, Details: map[string]any{
		"name": k.Name, "kind": k.Kind, "prefix": k.Prefix, "scopes": k.Scopes, "origins": k.Origins, "agents": k.Agents, "active": k.Active, "expires_at": k.ExpiresAt,
	}})
}

func (s *Service) insertApp(ctx context.Context, q *db.Queries, k db.Key, in CreateInput) error {
	app := db.App{AccountID: k.AccountID, ID: k.AppID, Name: k.Name, CreatedAt: k.CreatedAt}
	if in.AgentID != "" {
		if err := findAgent(ctx, q, k.AccountID, in.AgentID); err != nil {
			return err
		}
		app.AgentID = &in.AgentID
	}
	if in.ProjectID != 0 {
		if err := findProject(ctx, q, k.AccountID, in.ProjectID); err != nil {
			return err
		}
		app.ProjectID = &in.ProjectID
	}
	if app.AgentID != nil && app.ProjectID != nil {
		return fault.New(fault.Invalid, "An app answers as an agent or from a project, not both.")
	}
	return q.InsertApp(ctx, app)
}

// checkAgents is a NotFound fault when the key lists an agent that the account does not have.
func checkAgents(ctx context.Context, q *db.Queries, k db.Key) error {
	for _, agentID := range k.Agents {
		if err := findAgent(ctx, q, k.AccountID, agentID); err != nil {
			return err
		}
	}
	return nil
}

func findAgent(ctx context.Context, q *db.Queries, accountID, agentID string) error {
	_, err := q.Agent(ctx, accountID, agentID)
	if errors.Is(err, db.ErrNotFound) {
		return fault.New(fault.NotFound, "Agent not found")
	}
	return err
}

func findProject(ctx context.Context, q *db.Queries, accountID string, projectID int64) error {
	_, err := q.Project(ctx, accountID, projectID)
	if errors.Is(err, db.ErrNotFound) {
		return fault.New(fault.NotFound, "Project not found")
	}
	return err
}

func (s *Service) newKey(in CreateInput) (db.Key, error) {
	k := db.Key{
		AccountID: in.AccountID, ID: id.New(id.Key), AppID: in.AppID, Name: strings.TrimSpace(in.Name),
		Kind: string(in.Kind), Scopes: in.Scopes, Origins: []string{}, Agents: append([]string{}, in.Agents...), Environment: in.Environment,
		ExpiresAt: in.ExpiresAt, CreatedAt: s.Now(), Active: true,
	}
	if k.AppID == "" {
		k.AppID = id.New(id.App)
	}
	if k.Kind == "" {
		k.Kind = string(Secret)
	}
	if k.Environment == "" {
		k.Environment = "development"
	}
	if len(k.Scopes) == 0 {
		k.Scopes = SurfaceScopes
		if k.Kind == string(Publishable) {
			k.Scopes = pageScopes
		}
	}
	if in.Plan != "" {
		k.Plan = &in.Plan
	}
	var err error
	if k.Origins, err = normalOrigins(in.Origins); err != nil {
		return db.Key{}, err
	}
	return k, checkKey(k)
}

func normalOrigins(texts []string) ([]string, error) {
	origins := make([]string, len(texts))
	for i, text := range texts {
		var err error
		if origins[i], err = normalOrigin(text); err != nil {
			return nil, err
		}
	}
	return origins, nil
}

func checkKey(k db.Key) error {
	if k.Name == "" || utf8.RuneCountInString(k.Name) > 200 {
		return fault.New(fault.Invalid, "The name of a key has 1 to 200 characters.")
	}
	if k.Kind != string(Secret) && k.Kind != string(Publishable) {
		return fault.New(fault.Invalid, "The kind of a key is secret or publishable.")
	}
	if k.Environment != "development" && k.Environment != "production" {
		return fault.New(fault.Invalid, "The environment of a key is development or production.")
	}
	return CheckScopes(Kind(k.Kind), k.Scopes)
}

// normalOrigin returns scheme://host[:port] in lower case, as browsers send it.
func normalOrigin(text string) (string, error) {
	u, err := url.Parse(strings.ToLower(strings.TrimSpace(text)))
	bad := err != nil || (u.Scheme != "http" && u.Scheme != "https") || !originHost.MatchString(u.Host) ||
		(u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" || u.User != nil
	if bad {
		return "", fault.New(fault.Invalid, "An allowed origin reads scheme://host or scheme://host:port; %q does not.", text)
	}
	return u.Scheme + "://" + strings.TrimSuffix(u.Host, defaultPorts[u.Scheme]), nil
}

// originHost is what browsers can send as the host of an origin: a name in
// ASCII (punycode for others) or an address, never a wildcard.
var originHost = regexp.MustCompile(`^([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$`)

// defaultPorts are the ports that browsers leave out.
var defaultPorts = map[string]string{"http": ":80", "https": ":443"}
