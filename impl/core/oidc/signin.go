package oidc

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"parley/impl/core/fault"
	"parley/impl/core/secret"
	"parley/impl/core/user"
)

// PendingLife is how long somebody may take to sign in at the issuer.
const PendingLife = 10 * time.Minute

// sealContext binds what a browser keeps to its use.
const sealContext = "sign-in at the issuer"

// Question is what the issuer is asked with.
type Question struct {
	State     string
	Nonce     string
	Challenge string // of the verifier, by S256
}

// SignIn signs people in at the issuer by the authorization code flow with PKCE.
// What a return must match is kept by the browser, sealed, so that any server can
// finish what another began, and no other browser can.
type SignIn struct {
	Box    *secret.Box
	Now    func() time.Time
	People *user.Service
	Issuer string // its URL
	// Ask returns the issuer's address for a question.
	Ask func(ctx context.Context, q Question) (string, error)
	// Exchange returns the checked claims of the ID token that a code stands for.
	Exchange func(ctx context.Context, code, verifier string) (Claims, error)
}

// pending is a sign-in that was begun.
type pending struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	ReturnTo string    `json:"return_to"`
	Until    time.Time `json:"until"`
}

// Begun is where a browser goes, and what it keeps meanwhile.
type Begun struct{ URL, Kept string }

// Begin begins a sign-in that ends at a path of this server; anything else is
// an Invalid fault.
func (s *SignIn) Begin(ctx context.Context, returnTo string) (Begun, error) {
	if !ownPath(returnTo) {
		return Begun{}, fault.New(fault.Invalid, "The return is to a path of this server.")
	}
	p := pending{
		State: rand.Text(), Nonce: rand.Text(), Verifier: rand.Text() + rand.Text(), ReturnTo: returnTo, Until: s.Now().Add(PendingLife),
	}
	challenge := sha256.Sum256([]byte(p.Verifier))
	url, err := s.Ask(ctx, Question{State: p.State, Nonce: p.Nonce, Challenge: base64.RawURLEncoding.EncodeToString(challenge[:])})
	if err != nil {
		return Begun{}, err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return Begun{}, fmt.Errorf("encode sign-in: %w", err)
	}
	return Begun{URL: url, Kept: base64.RawURLEncoding.EncodeToString(s.Box.Seal(string(text), sealContext))}, nil
}

// ownPath tells whether a browser that is sent there stays on this server: it
// reads // and a backslash as the beginning of a host, and drops control characters.
func ownPath(path string) bool {
	outside := func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }
	return strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") && !strings.ContainsFunc(path, outside)
}

// Return is how a browser comes back from the issuer.
type Return struct {
	Kept   string // what Begin gave it; "" when it has none
	State  string
	Code   string // "" when the issuer refused
	Issuer string // as the return names it; "" when it does not
}

var (
	errReturn  = fault.New(fault.Unauthenticated, "This sign-in did not begin in this browser, or took too long. Begin again.")
	errRefused = fault.New(fault.Unauthenticated, "The issuer did not sign you in.")
)

// Finish ends a sign-in and returns the session and where the browser goes. A
// return that does not fit its beginning, or whom the issuer does not vouch for, is an
// Unauthenticated fault; whom nobody here knows is Forbidden.
func (s *SignIn) Finish(ctx context.Context, r Return) (user.Session, string, error) {
	p, err := s.open(r.Kept)
	if err != nil || !same(p.State, r.State) || !s.Now().Before(p.Until) {
		return user.Session{}, "", errReturn.Because(err)
	}
	if r.Code == "" || (r.Issuer != "" && r.Issuer != s.Issuer) {
		return user.Session{}, "", errRefused
	}
	claims, err := s.Exchange(ctx, r.Code, p.Verifier)
	if err != nil {
		return user.Session{}, "", err
	}
	if nonce, _ := claims.All["nonce"].(string); !same(p.Nonce, nonce) {
		return user.Session{}, "", errRefused
	}
	made, err := s.People.SignInAs(ctx, s.identityOf(claims))
	return made, p.ReturnTo, err
}

func (s *SignIn) open(kept string) (p pending, err error) {
	sealed, err := base64.RawURLEncoding.DecodeString(kept)
	if err != nil {
		return p, fmt.Errorf("decode what the browser kept: %w", err)
	}
	text, err := s.Box.Open(sealed, sealContext)
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal([]byte(text), &p)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// identityOf reads who somebody is. Some issuers write "true" as a text.
func (s *SignIn) identityOf(c Claims) user.Identity {
	var who user.Identity
	if c.Subject != "" {
		who.Subject = s.Issuer + " " + c.Subject
	}
	who.Email, _ = c.All["email"].(string)
	who.Name, _ = c.All["name"].(string)
	verified := c.All["email_verified"]
	who.Verified = verified == true || verified == "true"
	return who
}
