package httpd

import (
	"context"
	"net/http"
	"strings"

	"parley/impl/core/credential"
	"parley/impl/core/fault"
	"parley/impl/core/key"
)

type contextKey int

const (
	callerKey contextKey = iota
	noteKey
	afterwardsKey
	mountKey
	socketsKey
	pageKey
)

// Caller returns who sent the request. Only operations without a credential
// have none, and their handlers must not ask.
func Caller(ctx context.Context) key.Caller { return ctx.Value(callerKey).(key.Caller) }

var errNoKey = fault.New(fault.Unauthenticated, "The API key is missing, unknown, revoked or expired.")

// authenticate finds the key where the operation takes one and returns its
// caller. A header or query key wins over the body, which is then not read;
// two different keys are refused.
func (e *Edge) authenticate(w http.ResponseWriter, r *http.Request, o *operation) (key.Caller, error) {
	found, err := o.presentedKeys(r)
	if err != nil {
		return key.Caller{}, err
	}
	if len(found) == 0 && o.body {
		if found, err = bodyKeys(w, r); err != nil {
			return key.Caller{}, err
		}
	}
	if len(found) == 0 {
		found = o.sessionCookies(r)
	}
	if len(found) == 0 {
		return key.Caller{}, errNoKey
	}
	for _, other := range found[1:] {
		if other != found[0] {
			return key.Caller{}, fault.New(fault.Unauthenticated, "The request presents two different API keys.")
		}
	}
	if o.socket {
		noteOf(r.Context()).again = e.again(r, o, found[0])
	}
	c, err := e.keys.Authenticate(r.Context(), found[0])
	if err != nil || !o.visited {
		return c, err
	}
	return e.visit(r, c, found[0])
}

// again checks a credential once more as the request's gates did. It holds on to
// the request only where that names an end user.
func (e *Edge) again(r *http.Request, o *operation, credentialText string) func(context.Context) (key.Caller, error) {
	origin := r.Header.Get("Origin")
	find := e.keys.Authenticate
	if o.visited {
		find = func(ctx context.Context, text string) (key.Caller, error) {
			c, err := e.keys.Authenticate(ctx, text)
			if err != nil {
				return c, err
			}
			return e.visit(r, c, text)
		}
	}
	return func(ctx context.Context) (key.Caller, error) {
		c, err := find(ctx, credentialText)
		if err != nil {
			return key.Caller{}, err
		}
		if !c.May(o.scopes...) || !c.AdmitsOrigin(origin) {
			return key.Caller{}, errNoKey
		}
		return c, nil
	}
}

// EndUserHeader carries the token of the end user for whom a request is sent,
// and that of a new visitor with the answer.
const EndUserHeader = "Parley-End-User"

// visit returns the caller as acting for the end user whom the header names.
// What does not look like a token is left to validation.
func (e *Edge) visit(r *http.Request, c key.Caller, credentialText string) (key.Caller, error) {
	values := r.Header.Values(EndUserHeader)
	if len(values) == 0 || !strings.HasPrefix(values[0], string(credential.EndUser)) || len(values[0]) > endUserTokenMax {
		return c, nil
	}
	if len(values) > 1 || (c.ByToken && values[0] != credentialText) {
		return key.Caller{}, fault.New(fault.Unauthenticated, "The request presents two different end-user tokens.")
	}
	if c.ByToken {
		return c, nil
	}
	return e.endUsers.For(r.Context(), c, values[0])
}

// endUserTokenMax is the ceiling of a token in bytes, as the document has it.
const endUserTokenMax = 4096

// sessionCookies returns the sessions in the operation's cookie.
func (o *operation) sessionCookies(r *http.Request) []string {
	if o.cookie == "" {
		return nil
	}
	var found []string
	for _, c := range r.CookiesNamed(o.cookie) {
		if strings.HasPrefix(c.Value, string(credential.UserSession)) { // no key belongs into a cookie
			found = append(found, c.Value)
		}
	}
	return found
}

var ownOrigin = http.NewCrossOriginProtection()

// checkOwnOrigin is a Forbidden fault for a request that a browser sends for a
// page of another origin and that may change something. A handshake counts as
// one: what follows it is not checked again.
func checkOwnOrigin(r *http.Request) error {
	if r.Header.Get("Upgrade") != "" {
		upgrade := *r
		upgrade.Method = http.MethodPost
		r = &upgrade
	}
	if err := ownOrigin.Check(r); err != nil {
		return fault.New(fault.Forbidden, "The request comes from a page of another origin.").Because(err)
	}
	return nil
}

// presentedKeys returns the keys in the headers and the query.
func (o *operation) presentedKeys(r *http.Request) ([]string, error) {
	var found []string
	if o.bearer {
		for _, value := range r.Header.Values("Authorization") {
			if value == "" {
				continue
			}
			scheme, text, _ := strings.Cut(value, " ")
			if !strings.EqualFold(scheme, "Bearer") {
				return nil, errNoKey
			}
			found = append(found, strings.TrimSpace(text))
		}
	}
	if o.header != "" {
		found = append(found, r.Header.Values(o.header)...)
	}
	if o.protocol != "" {
		for _, p := range OfferedProtocols(r) {
			if text, ok := strings.CutPrefix(p, o.protocol); ok {
				found = append(found, text)
			}
		}
	}
	if o.query != "" {
		found = append(found, r.URL.Query()[o.query]...)
	}
	return found, nil
}

// bodyKeys returns the top-level member api_key of a JSON body of at most
// bodyKeyLimit bytes. The bytes are handed on to validation.
func bodyKeys(w http.ResponseWriter, r *http.Request) ([]string, error) {
	if mediaType(r) != "application/json" {
		return nil, errNoKey
	}
	b, err := readBody(w, r, bodyKeyLimit)
	if err != nil {
		return nil, errNoKey.Because(err)
	}
	value, err := decodeJSON(b.raw)
	if err != nil {
		return nil, errNoKey.Because(err)
	}
	return bodyKey(value), nil
}

func bodyKey(value any) []string {
	members, _ := value.(map[string]any)
	if text, ok := members["api_key"].(string); ok {
		return []string{text}
	}
	return nil
}

// checkBodyKey refuses a validated body whose api_key differs from the key in
// the header or the query.
func (o *operation) checkBodyKey(r *http.Request) error {
	b, ok := r.Body.(*body)
	if !o.body || !ok {
		return nil
	}
	presented, err := o.presentedKeys(r)
	if err != nil || len(presented) == 0 {
		return err
	}
	for _, text := range bodyKey(b.value) {
		if text != presented[0] {
			return fault.New(fault.Unauthenticated, "The request presents two different API keys.")
		}
	}
	return nil
}

// permit checks what the key may do: the operation's scopes and the request's origin.
func permit(r *http.Request, o *operation, c key.Caller) error {
	if !c.May(o.scopes...) {
		return fault.New(fault.Forbidden, "The API key lacks the scope %s.", strings.Join(o.scopes, " or "))
	}
	if !c.AdmitsOrigin(r.Header.Get("Origin")) {
		return fault.New(fault.Forbidden, "The API key may not be used from this origin.")
	}
	if c.By == "user" && r.Header.Get("Authorization") == "" {
		return checkOwnOrigin(r) // browsers send cookies unasked
	}
	return nil
}
