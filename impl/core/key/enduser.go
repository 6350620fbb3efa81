package key

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"parley/db"
	"parley/impl/core/credential"
	"parley/impl/core/fault"
	"parley/impl/core/id"
)

const (
	// EndUserLife bounds the life of a token that a secret key asks for.
	EndUserLife = 24 * time.Hour
	// visitorLife is that of an anonymous visitor's token, which every answer renews.
	visitorLife = 30 * 24 * time.Hour
	// webchat is the surface that end users reach, by its scope's name.
	webchat = "webchat"
)

var (
	errEndUser = fault.New(fault.Unauthenticated, "The end-user token is unknown, expired, revoked or of another app.")
	errMinter  = fault.New(fault.Forbidden, "Only a secret key makes end-user tokens, or an OAuth client that holds webchat.")
)

// pass is what an end-user token carries. It is signed and not stored: it ends
// with its time, or with the key that made it.
type pass struct {
	AccountID string `json:"a"`
	KeyID     string `json:"k"`           // that made it, or the OAuth client
	Client    bool   `json:"c,omitempty"` // KeyID is a client's
	AppID     string `json:"p"`
	EndUser   string `json:"u"`
	SessionID string `json:"s,omitempty"` // "": all sessions of the end user
	SecretID  string `json:"r,omitempty"` // of an ephemeral secret
	Expires   int64  `json:"x"`           // Unix seconds
}

// EndUserInput describes an end-user token to make.
type EndUserInput struct {
	EndUser   string // the app's own name of the person
	SessionID string // the only session that it reaches; "" is all of the end user
	Life      time.Duration
}

// EndUserToken is a token for an end user.
type EndUserToken struct {
	Text      string
	ExpiresAt time.Time
}

// NewEndUserToken makes a token of the caller's app. Only secret keys may; a
// session that the app does not have is a NotFound fault, a name of anonymous
// visitors an Invalid one.
func (s *Service) NewEndUserToken(ctx context.Context, c Caller, in EndUserInput) (EndUserToken, error) {
	if !c.makesEndUsers() {
		return EndUserToken{}, errMinter
	}
	if strings.HasPrefix(in.EndUser, id.Visitor) {
		return EndUserToken{}, fault.New(fault.Invalid, "Names that begin with %s are those of anonymous visitors.", id.Visitor)
	}
	if in.SessionID != "" {
		row, err := s.DB.Conversation(ctx, c.AccountID, webchat, in.SessionID)
		if errors.Is(err, db.ErrNotFound) || (err == nil && row.AppID != c.AppID) {
			return EndUserToken{}, fault.New(fault.NotFound, "Session not found")
		}
		if err != nil {
			return EndUserToken{}, err
		}
	}
	ends := s.Now().Add(in.Life).Truncate(time.Second)
	return EndUserToken{Text: s.sign(c, in.EndUser, in.SessionID, ends), ExpiresAt: ends}, nil
}

// makesEndUsers tells whether the caller may make tokens: secret keys, and OAuth
// clients, whose token may hold less than the client that the end user's would have.
func (c Caller) makesEndUsers() bool {
	return c.Kind == Secret && (c.By == "key" || c.By == "client" && c.May(webchat+verbRead) && c.May(webchat+verbWrite))
}

// VisitorToken is what a page sends back to be the same visitor: for an
// anonymous end user of a publishable key; "" for everybody else, who has a token already or needs none.
func (s *Service) VisitorToken(c Caller, endUser string) string {
	if c.Kind != Publishable || c.ByToken || !strings.HasPrefix(endUser, id.Visitor) {
		return ""
	}
	return s.sign(c, endUser, "", s.Now().Add(visitorLife))
}

func (s *Service) sign(c Caller, endUser, sessionID string, ends time.Time) string {
	return s.signPass(credential.EndUser, c, pass{EndUser: endUser, SessionID: sessionID, Expires: ends.Unix()})
}

// open reads a token that was signed here and has not expired.
func (s *Service) open(kind credential.Kind, text string) (pass, bool) {
	payload, ok := s.Credentials.Payload(kind, text)
	var p pass
	if !ok || json.Unmarshal(payload, &p) != nil {
		return pass{}, false
	}
	return p, s.Now().Unix() < p.Expires
}

// authenticateEndUser returns the caller that a token stands for: its key in
// the hands of the end user.
func (s *Service) authenticateEndUser(ctx context.Context, text string) (Caller, error) {
	p, ok := s.open(credential.EndUser, text)
	if !ok {
		return Caller{}, ErrUnknown
	}
	c, err := s.holder(ctx, p, text)
	c.Scopes = c.visitorScopes()
	return c, err
}

// holder returns the key that made a token in the hands of whom it was made for.
func (s *Service) holder(ctx context.Context, p pass, text string) (Caller, error) {
	kind := credential.EndUser
	if p.Client {
		kind = credential.AccessToken
	}
	c, err := s.caller(ctx, kind, text, func(ctx context.Context, _ []byte) (db.Caller, error) {
		if p.Client {
			return s.DB.CallerByClient(ctx, p.AccountID, p.KeyID)
		}
		return s.DB.CallerByKey(ctx, p.AccountID, p.KeyID)
	})
	if err == nil && c.AppID != p.AppID {
		err = ErrUnknown
	}
	if err != nil {
		return Caller{}, err
	}
	c.FromSecret, c.Kind, c.ByToken = c.Kind == Secret, Publishable, true
	c.EndUser, c.SessionID, c.SecretID = p.EndUser, p.SessionID, p.SecretID
	return c, nil
}

// visitorScopes are what of the caller's scopes reaches an end user.
func (c Caller) visitorScopes() []string {
	scopes := []string{}
	for _, scope := range []string{webchat + verbRead, webchat + verbWrite} {
		if c.May(scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// For returns the caller as acting for the end user whom a token names beside
// the caller's own credential. A token that is not good, or not of the caller's
// app, is an Unauthenticated fault. The key that made it is asked for only when it is another.
func (s *Service) For(ctx context.Context, c Caller, text string) (Caller, error) {
	p, ok := s.open(credential.EndUser, text)
	if !ok || p.AccountID != c.AccountID || p.AppID != c.AppID || c.ByToken {
		return Caller{}, errEndUser
	}
	if p.KeyID != c.KeyID {
		_, err := s.authenticateEndUser(ctx, text)
		if err != nil && fault.KindOf(err) == fault.Unauthenticated {
			err = errEndUser
		}
		if err != nil {
			return Caller{}, err
		}
	}
	c.EndUser, c.SessionID = p.EndUser, p.SessionID
	return c, nil
}

// Reaches tells whether the caller may see a session of its app: a secret key
// all of them, a publishable one those of its end user, or the one that its token names.
func (c Caller) Reaches(sessionID string, endUser *string) bool {
	switch {
	case c.Kind != Publishable:
		return true
	case c.SessionID != "":
		return sessionID == c.SessionID
	}
	return c.EndUser != "" && endUser != nil && *endUser == c.EndUser
}
