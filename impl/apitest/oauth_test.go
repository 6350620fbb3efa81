package apitest_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"parley/gen/client/oauth"
	"parley/gen/client/platform"
	"parley/impl/app"
	"parley/impl/core/key"
	"parley/impl/testkit"
)

// grant asks for a token with a form; edits set parameters, "" takes one out.
func (x tenant) grant(t *testing.T, edits map[string]string) testkit.Response {
	t.Helper()
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {x.prepare(t).secrets["client_id"]}, "client_secret": {x.prepare(t).secrets["client_secret"]},
	}
	for name, value := range edits {
		if form.Set(name, value); value == "" {
			form.Del(name)
		}
	}
	return x.server.Do(t, testkit.Request{Path: "/oauth/token", Body: form})
}

// token is a token of the tenant's client.
func (x tenant) token(t *testing.T, scope string) oauth.OauthToken {
	t.Helper()
	var token oauth.OauthToken
	x.grant(t, map[string]string{"scope": scope}).Want(t, http.StatusOK).JSON(t, &token)
	return token
}

func (x tenant) introspect(t *testing.T, token string) oauth.OauthIntrospection {
	t.Helper()
	var got oauth.OauthIntrospection
	form := url.Values{"token": {token}, "client_id": {x.prepare(t).secrets["client_id"]}, "client_secret": {x.prepare(t).secrets["client_secret"]}}
	x.server.Do(t, testkit.Request{Path: "/oauth/introspect", Body: form}).Want(t, http.StatusOK).JSON(t, &got)
	return got
}

func (x tenant) revoke(t *testing.T, token string) {
	t.Helper()
	form := url.Values{"token": {token}, "client_id": {x.prepare(t).secrets["client_id"]}, "client_secret": {x.prepare(t).secrets["client_secret"]}}
	x.server.Do(t, testkit.Request{Path: "/oauth/revoke", Body: form}).Want(t, http.StatusOK)
}

func (x tenant) sessionsStatus(t *testing.T, credential string) int {
	t.Helper()
	return x.server.Do(t, testkit.Request{Path: "/api/v1/sessions", Key: credential}).Status
}

func TestATokenThroughItsLife(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.prepare(t)
	token := x.token(t, "")
	if token.Scope != "webchat" || token.ExpiresIn != 3600 || token.TokenType != "Bearer" {
		t.Errorf("%+v", token)
	}
	if got := x.sessionsStatus(t, token.AccessToken); got != http.StatusOK {
		t.Errorf("a new token gets %d", got)
	}
	if got := x.status(t, token.AccessToken); got != http.StatusForbidden {
		t.Errorf("beyond its scopes a token gets %d", got)
	}
	if got := x.introspect(t, token.AccessToken); !got.Active || *got.ClientID != x.id(t, "client_id") || *got.Scope != "webchat" || *got.Exp-*got.Iat != 3600 {
		t.Errorf("introspected %+v", got)
	}
	x.revoke(t, token.AccessToken)
	if got := x.sessionsStatus(t, token.AccessToken); got != http.StatusUnauthorized {
		t.Errorf("a revoked token gets %d", got)
	}
	if x.introspect(t, token.AccessToken).Active {
		t.Error("a revoked token is active")
	}
	x.revoke(t, token.AccessToken) // again: the same answer
}

func TestATokenEndsWithItsTimeAndItsClient(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.prepare(t)
	path := "/api/v1/admin/oauth-clients/" + x.id(t, "client_id")
	late := x.token(t, "")
	if _, err := sql(t, x.server).Exec(`update oauth_tokens set expires_at = now() - interval '1 second' where account_id = $1`, x.ID); err != nil {
		t.Fatal(err)
	}
	if x.sessionsStatus(t, late.AccessToken) != http.StatusUnauthorized || x.introspect(t, late.AccessToken).Active {
		t.Error("an expired token works")
	}
	token := x.token(t, "")
	for _, step := range []struct {
		body string
		want int
	}{{`{"status":"inactive"}`, http.StatusUnauthorized}, {`{"status":"active"}`, http.StatusOK}} {
		x.do(t, testkit.Request{Method: http.MethodPatch, Path: path, Body: step.body}).Want(t, http.StatusOK)
		text := token.AccessToken
		if step.want == http.StatusOK { // what was refused may be refused for another second
			text = x.token(t, "").AccessToken
		} else {
			x.grant(t, nil).Want(t, http.StatusUnauthorized)
		}
		if got := x.sessionsStatus(t, text); got != step.want {
			t.Errorf("after %s: %d, want %d", step.body, got, step.want)
		}
	}
	token = x.token(t, "")
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: path}).Want(t, http.StatusNoContent)
	x.grant(t, nil).Want(t, http.StatusUnauthorized)
	if got := x.sessionsStatus(t, token.AccessToken); got != http.StatusUnauthorized {
		t.Errorf("a token of a deleted client gets %d", got)
	}
}

// A right that a client loses is gone from the tokens it has, on the next
// request; one that it gains is for new tokens.
func TestATokenReachesNoFurtherThanItsClient(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.prepare(t)
	path := "/api/v1/admin/oauth-clients/" + x.id(t, "client_id")
	scopes := func(list ...string) {
		t.Helper()
		x.do(t, testkit.Request{Method: http.MethodPatch, Path: path, Body: map[string]any{"scopes": list}}).Want(t, http.StatusOK)
	}
	token := x.token(t, "").AccessToken
	send := testkit.Request{Path: "/api/v1/chat", Key: token, Body: map[string]any{"message": "Hello!"}}
	x.server.Do(t, send).Want(t, http.StatusOK)
	scopes("webchat:read", "openai")
	if got := x.sessionsStatus(t, token); got != http.StatusOK {
		t.Errorf("what the client still holds: %d", got)
	}
	x.server.Do(t, send).Want(t, http.StatusForbidden)
	x.server.Do(t, testkit.Request{Path: "/v1/models", Key: token}).Want(t, http.StatusForbidden) // gained, and not granted
	if got := x.introspect(t, token); !got.Active || *got.Scope != "webchat:read" {
		t.Errorf("introspected %+v", got)
	}
	scopes("openai")
	if got := x.sessionsStatus(t, token); got != http.StatusForbidden || x.introspect(t, token).Active {
		t.Errorf("a token of which nothing is left gets %d", got)
	}
	scopes("webchat")
	x.server.Do(t, send).Want(t, http.StatusOK)
}

func TestARotatedSecretWorksForItsGrace(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.prepare(t)
	path := "/api/v1/admin/oauth-clients/" + x.id(t, "client_id") + "/rotate"
	var second, third platform.OauthClientWithSecret
	x.do(t, testkit.Request{Path: path, Body: `{"grace_seconds":60}`}).Want(t, http.StatusOK).JSON(t, &second)
	x.grant(t, nil).Want(t, http.StatusOK)
	x.grant(t, map[string]string{"client_secret": second.Secret}).Want(t, http.StatusOK)
	x.do(t, testkit.Request{Path: path, Body: `{}`}).Want(t, http.StatusOK).JSON(t, &third)
	x.grant(t, map[string]string{"client_secret": second.Secret}).Want(t, http.StatusUnauthorized)
	x.grant(t, map[string]string{"client_secret": third.Secret}).Want(t, http.StatusOK)
}

// The errors of RFC 6749, section 5.2, by their words.
func TestTokenErrors(t *testing.T) {
	t.Parallel()
	x, stranger := newTenant(t), newTenant(t)
	x.prepare(t)
	stranger.prepare(t)
	for name, c := range map[string]struct {
		edits  map[string]string
		status int
		word   string
	}{
		"no grant type":         {map[string]string{"grant_type": ""}, 400, "invalid_request"},
		"another grant type":    {map[string]string{"grant_type": "password"}, 400, "unsupported_grant_type"},
		"a scope too many":      {map[string]string{"scope": "webchat characters"}, 400, "invalid_scope"},
		"no such scope":         {map[string]string{"scope": "webchat:delete"}, 400, "invalid_scope"},
		"no client":             {map[string]string{"client_id": "", "client_secret": ""}, 401, "invalid_client"},
		"no secret":             {map[string]string{"client_secret": ""}, 401, "invalid_client"},
		"a key as secret":       {map[string]string{"client_secret": x.key.Text}, 401, "invalid_client"},
		"an invented secret":    {map[string]string{"client_secret": "hunter2"}, 401, "invalid_client"},
		"another's secret":      {map[string]string{"client_secret": stranger.prepare(t).secrets["client_secret"]}, 401, "invalid_client"},
		"another's id":          {map[string]string{"client_id": stranger.prepare(t).secrets["client_id"]}, 401, "invalid_client"},
		"a part of the scopes":  {map[string]string{"scope": "webchat:read"}, 200, ""},
		"an unknown parameter":  {map[string]string{"resource": "https://a.example"}, 200, ""},
		"a scope that is empty": {map[string]string{"scope": ""}, 200, ""},
	} {
		got := x.grant(t, c.edits)
		var body struct{ Error string }
		got.JSON(t, &body)
		if got.Status != c.status || body.Error != c.word {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
		if c.status == 401 && got.Header.Get("WWW-Authenticate") != `Basic realm="parley"` {
			t.Errorf("%s: challenged with %q", name, got.Header.Get("WWW-Authenticate"))
		}
		wantHeader(t, got, "Cache-Control", "no-store")
	}
}

func TestClientsMayUseBasic(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.prepare(t)
	id, secret := x.prepare(t).secrets["client_id"], x.prepare(t).secrets["client_secret"]
	send := func(path, credentials string, form url.Values) testkit.Response {
		t.Helper()
		header := map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))}
		return x.server.Do(t, testkit.Request{Path: path, Header: header, Body: form})
	}
	for _, path := range []string{"/oauth/token", "/oauth/introspect", "/oauth/revoke"} {
		form := url.Values{"grant_type": {"client_credentials"}, "token": {"unknown"}}
		send(path, id+":"+secret, form).Want(t, http.StatusOK)
		send(path, id+":wrong", form).Want(t, http.StatusUnauthorized)
		empty := url.Values{"client_id": {""}, "client_secret": {""}, "scope": {""}, "token_type_hint": {""}} // as none: RFC 6749, section 3.2
		empty["grant_type"], empty["token"] = form["grant_type"], form["token"]
		send(path, id+":"+secret, empty).Want(t, http.StatusOK)
		send(path, "%zz:"+secret, form).Want(t, http.StatusUnauthorized)
		form.Set("client_id", id)
		send(path, id+":"+secret, form).Want(t, http.StatusOK)
		form.Set("client_secret", secret)
		send(path, id+":"+secret, form).Want(t, http.StatusBadRequest)
	}
	x.server.Do(t, testkit.Request{Path: "/oauth/token", Key: x.key.Text, Body: url.Values{"grant_type": {"client_credentials"}}}).Want(t, http.StatusUnauthorized)
}

// Secrets do not belong into addresses, parameters stand once, and a form is no JSON.
func TestFormsAreValidated(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.prepare(t)
	good := url.Values{"grant_type": {"client_credentials"}, "client_id": {x.prepare(t).secrets["client_id"]}, "client_secret": {x.prepare(t).secrets["client_secret"]}}.Encode()
	for _, path := range []string{"/oauth/token", "/oauth/introspect", "/oauth/revoke"} {
		for body, want := range map[string]int{
			good + "&token=a&token=b&grant_type=client_credentials": http.StatusBadRequest,
			good + "&token=%00&scope=%ff":                           http.StatusBadRequest,
			good + "&token=%zz":                                     http.StatusBadRequest,
			"":                                                      http.StatusBadRequest,
			good + "&token=a&x=" + strings.Repeat("a", 17_000): http.StatusRequestEntityTooLarge,
		} {
			form := testkit.Request{Path: path, Body: body, Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}
			x.server.Do(t, form).Want(t, want)
		}
		x.server.Do(t, testkit.Request{Path: path, Body: `{"grant_type":"client_credentials"}`}).Want(t, http.StatusUnsupportedMediaType)
		inQuery := url.Values{"grant_type": {"client_credentials"}, "token": {"a"}}
		x.server.Do(t, testkit.Request{Path: path + "?" + good, Body: inQuery}).Want(t, http.StatusUnauthorized)
	}
}

// Tokens of other clients of the account can be looked up but not ended; those of other accounts are nothing.
func TestTokensOfOthers(t *testing.T) {
	t.Parallel()
	x, stranger := newTenant(t), newTenant(t)
	x.prepare(t)
	stranger.prepare(t)
	_, colleague := x.OauthClient(t, "", "characters")
	if !x.introspect(t, colleague.Text).Active || x.introspect(t, stranger.prepare(t).secrets["token"]).Active || x.introspect(t, x.key.Text).Active {
		t.Error("the account is not the border of introspection")
	}
	x.revoke(t, colleague.Text)
	x.revoke(t, stranger.prepare(t).secrets["token"])
	if x.status(t, colleague.Text) != http.StatusOK || stranger.sessionsStatus(t, stranger.prepare(t).secrets["token"]) != http.StatusOK {
		t.Error("a client ended another's token")
	}
}

func TestAClientHoldsNoMoreThanItsMaker(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.prepare(t)
	admin := x.Key(t, testkit.Scopes("admin")).Text
	for body, want := range map[string]int{
		`{"name":"n","scopes":["operator"]}`:                      http.StatusForbidden,
		`{"name":"n","scopes":["admin"]}`:                         http.StatusCreated,
		`{"name":"n","scopes":["webchat"],"app_id":"app_none"}`:   http.StatusNotFound,
		`{"name":"n","scopes":["webchat"],"unknown":1}`:           http.StatusBadRequest,
		`{"name":"n","scopes":["webchat","characters","openai"]}`: http.StatusCreated,
	} {
		x.server.Do(t, testkit.Request{Path: "/api/v1/admin/oauth-clients", Key: admin, Body: body}).Want(t, want)
	}
	listed := x.do(t, testkit.Request{Path: "/api/v1/admin/oauth-clients?limit=1"}).Want(t, http.StatusOK)
	if listed.Header.Get("Link") == "" {
		t.Error("a page of one of three clients names no next")
	}
}

// One address cannot keep the server busy; whoever waits is let in.
func TestAddressesAreLimited(t *testing.T) {
	t.Parallel()
	s := testkit.New(t, func(c *app.Config) { c.AddressRate = 60 })
	x := tenantOf(t, s, testkit.Unlimited, plenty)
	for _, path := range []string{"/oauth/token", "/oauth/introspect", "/oauth/revoke"} {
		var refused testkit.Response
		for range 200 {
			if refused = s.Do(t, testkit.Request{Path: path, Body: url.Values{}}); refused.Status == http.StatusTooManyRequests {
				break
			}
		}
		refused.Want(t, http.StatusTooManyRequests)
		if seconds, err := strconv.Atoi(refused.Header.Get("Retry-After")); err != nil || seconds != 1 {
			t.Errorf("Retry-After is %q, want 1 at one request a second", refused.Header.Get("Retry-After"))
		}
	}
	x.do(t, testkit.Request{Path: "/api/v1/agents"}).Want(t, http.StatusOK) // with a key it is the plan that counts
}

func TestMetadataNamesTheEndpoints(t *testing.T) {
	t.Parallel()
	s := testkit.New(t, func(c *app.Config) { c.PublicURL = "https://parley.example/" })
	for server, want := range map[*testkit.Server]string{s: "https://parley.example", testkit.Shared(t): testkit.Shared(t).URL} {
		var got oauth.OauthMetadata
		server.Do(t, testkit.Request{Path: "/.well-known/oauth-authorization-server"}).Want(t, http.StatusOK).JSON(t, &got)
		if got.Issuer != want || got.TokenEndpoint != want+"/oauth/token" {
			t.Errorf("%+v", got)
		}
	}
}

// The document names the scopes for tokens as it does for keys, and every scope there is.
func TestTheDocumentNamesEveryScope(t *testing.T) {
	t.Parallel()
	var listed []string
	for scope := range testkit.Document().Components.SecuritySchemes["oauth2"].Value.Flows.ClientCredentials.Scopes {
		listed = append(listed, scope)
	}
	if slices.Sort(listed); !slices.Equal(listed, key.Scopes()) {
		t.Errorf("the document lists the scopes %v, the server knows %v", listed, key.Scopes())
	}
	eachOperation(t, func(t *testing.T, op *testkit.Operation) {
		var wanted []string
		for _, alternative := range *op.Security {
			wanted = append(wanted, alternative["oauth2"]...)
		}
		if required := scopesOf(t, op); !slices.Equal(wanted, required) {
			t.Errorf("tokens need %v, keys %v", wanted, required)
		}
	})
}
