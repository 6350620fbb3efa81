package apitest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"parley/impl/core/key"
	"parley/impl/testkit"
)

// visitor is somebody in a browser: a key or a token as Bearer, and the token beside it.
type visitor struct{ bearer, endUser string }

// visits sends a request of a page of the site.
func (x tenant) visits(t *testing.T, v visitor, method, path string, body any) testkit.Response {
	t.Helper()
	r := testkit.Request{Method: method, Path: path, Key: v.bearer, Body: body, Header: map[string]string{"Origin": site}}
	if v.endUser != "" {
		r.Header["Parley-End-User"] = v.endUser
	}
	return x.server.Do(t, r)
}

// begin has a visitor begin a session and returns its id, its turn and the visitor's token, if one came.
func (x tenant) begin(t *testing.T, v visitor) (sessionID, turnID, token string) {
	t.Helper()
	got := x.visits(t, v, http.MethodPost, "/api/v1/chat", map[string]any{"message": "Hi"}).Want(t, http.StatusOK)
	var answer struct {
		SessionID string `json:"session_id"`
	}
	got.JSON(t, &answer)
	return answer.SessionID, got.Header.Get("Parley-Turn"), got.Header.Get("Parley-End-User")
}

// wantReach expects every way to a session and its turn to be open or shut for
// a visitor, the deletion last.
func (x tenant) wantReach(t *testing.T, who string, v visitor, sessionID, turnID string, status int) {
	t.Helper()
	for _, way := range []struct {
		method, path string
		body         any
	}{
		{http.MethodGet, "/api/v1/sessions/" + sessionID, nil},
		{http.MethodPost, "/api/v1/chat", map[string]any{"message": "And?", "session_id": sessionID}},
		{http.MethodGet, "/api/v1/turns/" + turnID, nil},
		{http.MethodGet, "/api/v1/turns/" + turnID + "/events", nil},
		{http.MethodPost, "/api/v1/turns/" + turnID + "/cancel", nil},
		{http.MethodDelete, "/api/v1/sessions/" + sessionID, nil},
	} {
		if got := x.visits(t, v, way.method, way.path, way.body); got.Status != status {
			t.Errorf("%s: %s %s: %d %s, want %d", who, way.method, way.path, got.Status, got.Body, status)
		}
	}
}

// endUserToken mints a token with a secret key and returns it.
func (x tenant) endUserToken(t *testing.T, secret string, body map[string]any) string {
	t.Helper()
	var made struct {
		Token string `json:"token"`
	}
	x.server.Do(t, testkit.Request{Path: "/api/v1/end-user-tokens", Key: secret, Body: body}).Want(t, http.StatusCreated).JSON(t, &made)
	return made.Token
}

func (x tenant) pageKey(t *testing.T, edits ...func(*key.CreateInput)) key.Created {
	t.Helper()
	return x.Key(t, append([]func(*key.CreateInput){testkit.Publishable(site), testkit.App(x.key.AppID), testkit.Scopes("webchat")}, edits...)...)
}

func TestAVisitorReachesTheirOwnSessionsAlone(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	page, other := x.pageKey(t).Text, x.pageKey(t).Text
	sessionID, turnID, token := x.begin(t, visitor{bearer: page})
	if token == "" {
		t.Fatal("a new visitor got no token")
	}
	elsewhere := x.Key(t, testkit.Publishable(site)).Text
	_, _, stranger := x.begin(t, visitor{bearer: page})
	_, _, foreign := x.begin(t, visitor{bearer: elsewhere})
	far := newTenant(t)
	_, _, farToken := far.begin(t, visitor{bearer: far.pageKey(t).Text})

	for name, v := range map[string]visitor{
		"nobody":                     {bearer: page},
		"another visitor":            {bearer: page, endUser: stranger},
		"another visitor, as Bearer": {bearer: stranger},
		"another app's key":          {bearer: elsewhere},
		"another app's visitor":      {bearer: elsewhere, endUser: foreign},
		"another account's visitor":  {bearer: farToken},
		"a customer of that name":    {bearer: x.endUserToken(t, x.key.Text, map[string]any{"end_user": "Ada"})},
		"the customer of a session":  {bearer: x.endUserToken(t, x.key.Text, map[string]any{"end_user": "Ada", "session_id": x.id(t, "session_id")})},
	} {
		x.wantReach(t, name, v, sessionID, turnID, http.StatusNotFound)
	}
	for name, v := range map[string]visitor{
		"another app's token":     {bearer: page, endUser: foreign},
		"another account's token": {bearer: page, endUser: farToken},
		"a token that was forged": {bearer: page, endUser: forged(token)},
		"a forged Bearer":         {bearer: forged(token)},
		"two tokens":              {bearer: token, endUser: stranger},
		"the wrong app's key":     {bearer: elsewhere, endUser: token},
	} {
		x.wantReach(t, name, v, sessionID, turnID, http.StatusUnauthorized)
	}
	if again, _, renewed := x.begin(t, visitor{bearer: page, endUser: token}); again == sessionID || renewed == "" {
		t.Errorf("a further session %s of the same visitor, token %q", again, renewed)
	}
	x.wantReach(t, "the visitor by another key of the app", visitor{bearer: other, endUser: token}, x.ownSession(t, page, token), turnID, http.StatusOK)
}

// ownSession begins a further session of a visitor.
func (x tenant) ownSession(t *testing.T, key, token string) string {
	t.Helper()
	sessionID, _, _ := x.begin(t, visitor{bearer: key, endUser: token})
	return sessionID
}

// forged is a token with another name in it.
func forged(token string) string {
	changed := []byte(token)
	changed[20] ^= 1
	return string(changed)
}

func TestAVisitorGoesOnWithTheirSession(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	page := x.pageKey(t).Text
	for name, as := range map[string]func(token string) visitor{
		"beside the key": func(token string) visitor { return visitor{bearer: page, endUser: token} },
		"as Bearer":      func(token string) visitor { return visitor{bearer: token} },
		"as both":        func(token string) visitor { return visitor{bearer: token, endUser: token} },
	} {
		sessionID, turnID, token := x.begin(t, visitor{bearer: page})
		x.wantReach(t, name, as(token), sessionID, turnID, http.StatusOK)
	}
	// A token of a publishable key works from its origins alone.
	_, _, token := x.begin(t, visitor{bearer: page})
	for _, origin := range []string{"", "https://evil.example"} {
		r := testkit.Request{Path: "/api/v1/chat", Key: token, Body: map[string]any{"message": "Hi"}, Header: map[string]string{"Origin": origin}}
		x.server.Do(t, r).Want(t, http.StatusForbidden)
	}
	for _, path := range []string{"/api/v1/usage", "/api/v1/sessions", "/api/v1/agents", "/api/v1/keys"} {
		x.visits(t, visitor{bearer: token}, http.MethodGet, path, nil).Want(t, http.StatusForbidden)
	}
}

func TestAStreamNamesTheVisitorToo(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	page := x.pageKey(t).Text
	got := x.visits(t, visitor{bearer: page}, http.MethodPost, "/api/v1/chat", map[string]any{"message": "Hi", "stream": true}).Want(t, http.StatusOK)
	token, turnID := got.Header.Get("Parley-End-User"), got.Header.Get("Parley-Turn")
	x.visits(t, visitor{bearer: page, endUser: token}, http.MethodGet, "/api/v1/turns/"+turnID+"/events", nil).Want(t, http.StatusOK)
	x.visits(t, visitor{bearer: page}, http.MethodGet, "/api/v1/turns/"+turnID+"/events", nil).Want(t, http.StatusNotFound)
}

// A first answer that got lost is given again with the visitor it was for, and to nobody else.
func TestARepeatedFirstMessageNamesTheSameVisitor(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	page := x.pageKey(t).Text
	send := func(endUser string) testkit.Response {
		r := testkit.Request{Path: "/api/v1/chat", Key: page, Body: map[string]any{"message": "Hi"}, Header: map[string]string{"Origin": site}}
		if endUser != "" {
			r.Header["Parley-End-User"] = endUser
		}
		return x.server.Do(t, keyed(r, "6f1b2c1e-8a52-4d0c-9d3c-0e2f6c1b7a90"))
	}
	first, again := send("").Want(t, http.StatusOK), send("").Want(t, http.StatusOK)
	var answer struct {
		SessionID string `json:"session_id"`
	}
	again.JSON(t, &answer)
	wantHeader(t, again, "Idempotency-Replayed", "true")
	if string(first.Body) != string(again.Body) {
		t.Errorf("answers differ: %s, %s", first.Body, again.Body)
	}
	path := "/api/v1/sessions/" + answer.SessionID
	x.visits(t, visitor{bearer: page, endUser: again.Header.Get("Parley-End-User")}, http.MethodGet, path, nil).Want(t, http.StatusOK)
	_, _, stranger := x.begin(t, visitor{bearer: page})
	send(stranger).Want(t, http.StatusUnprocessableEntity)
}

func TestATokenOfASecretKeyReachesOneEndUser(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	ada := x.endUserToken(t, x.key.Text, map[string]any{"end_user": "Ada ✓", "expires_in": 60})
	sessionID, turnID, renewed := x.begin(t, visitor{bearer: ada})
	if renewed != "" {
		t.Error("a token was renewed that a secret key bounds")
	}
	turn, err := x.server.DB.Turn(t.Context(), x.ID, turnID)
	if err != nil || turn.EndUser == nil || *turn.EndUser != "Ada ✓" || turn.KeyID != x.key.ID {
		t.Errorf("the turn is %+v, %v", turn, err)
	}
	// The app's server sees the session; the end user sees what it begins for them.
	x.do(t, testkit.Request{Path: "/api/v1/sessions/" + sessionID}).Want(t, http.StatusOK)
	theirs, _, _ := x.begin(t, visitor{bearer: x.key.Text, endUser: ada})
	x.visits(t, visitor{bearer: ada}, http.MethodGet, "/api/v1/sessions/"+theirs, nil).Want(t, http.StatusOK)
	x.wantReach(t, "the end user", visitor{bearer: x.pageKey(t).Text, endUser: ada}, sessionID, turnID, http.StatusOK)

	// A token for one session goes on with it, whoever began it.
	mine := x.id(t, "session_id")
	one := x.endUserToken(t, x.key.Text, map[string]any{"end_user": "Ada ✓", "session_id": mine})
	if got, _, _ := x.begin(t, visitor{bearer: one}); got != mine {
		t.Errorf("went on with %s instead of %s", got, mine)
	}
	x.visits(t, visitor{bearer: one}, http.MethodGet, "/api/v1/sessions/"+mine, nil).Want(t, http.StatusOK)
	x.visits(t, visitor{bearer: one}, http.MethodGet, "/api/v1/sessions/"+theirs, nil).Want(t, http.StatusNotFound)
}

func TestWhoMakesEndUserTokens(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	ask := func(bearer string, body map[string]any) testkit.Response {
		return x.server.Do(t, testkit.Request{Path: "/api/v1/end-user-tokens", Key: bearer, Body: body, Header: map[string]string{"Origin": site}})
	}
	ada := map[string]any{"end_user": "Ada"}
	_, narrow := x.OauthClient(t, x.key.AppID, "webchat:write")
	ask(narrow.Text, ada).Want(t, http.StatusForbidden)
	client, token := x.OauthClient(t, x.key.AppID, "webchat")
	byClient := x.endUserToken(t, token.Text, ada)
	sessionID, turnID, _ := x.begin(t, visitor{bearer: byClient})
	if turn, err := x.server.DB.Turn(t.Context(), x.ID, turnID); err != nil || turn.KeyID != client.ID {
		t.Errorf("the turn is %+v, %v", turn, err)
	}
	x.wantReach(t, "a client's end user", visitor{bearer: x.pageKey(t).Text, endUser: byClient}, sessionID, turnID, http.StatusOK)
	ask(x.pageKey(t).Text, ada).Want(t, http.StatusForbidden)
	ask(x.endUserToken(t, x.key.Text, ada), ada).Want(t, http.StatusForbidden)
	ask(x.Key(t, testkit.Scopes("webchat:read")).Text, ada).Want(t, http.StatusForbidden)
	ask(x.key.Text, map[string]any{"end_user": "anon_1"}).Want(t, http.StatusBadRequest)
	ask(x.key.Text, map[string]any{"end_user": "Ada", "expires_in": 86401}).Want(t, http.StatusBadRequest)
	elsewhere := x.session(t, x.Key(t).AppID)
	ask(x.key.Text, map[string]any{"end_user": "Ada", "session_id": elsewhere.ID}).Want(t, http.StatusNotFound)
	ask(x.key.Text, map[string]any{"end_user": "Ada", "session_id": newTenant(t).id(t, "session_id")}).Want(t, http.StatusNotFound)
}

func TestAnEndUserTokenEndsWithItsKey(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	secret, page := x.Key(t, testkit.App(x.key.AppID)), x.pageKey(t)
	ada := x.endUserToken(t, secret.Text, map[string]any{"end_user": "Ada"})
	_, _, anonymous := x.begin(t, visitor{bearer: page.Text})
	x.begin(t, visitor{bearer: page.Text, endUser: ada})
	x.Revoke(t, secret.ID)
	x.Revoke(t, page.ID)
	other := x.pageKey(t).Text
	for _, v := range []visitor{{bearer: ada}, {bearer: other, endUser: ada}, {bearer: anonymous}, {bearer: other, endUser: anonymous}, {bearer: page.Text}} {
		x.visits(t, v, http.MethodPost, "/api/v1/chat", map[string]any{"message": "Hi"}).Want(t, http.StatusUnauthorized)
	}
}

func TestAnEndUserTokenExpires(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	caller, err := x.server.App.Keys.Authenticate(t.Context(), x.key.Text)
	if err != nil {
		t.Fatal(err)
	}
	old, err := x.server.App.Keys.NewEndUserToken(t.Context(), caller, key.EndUserInput{EndUser: "Ada", Life: -time.Second})
	if err != nil || !strings.HasPrefix(old.Text, "parley_eu_") {
		t.Fatal(old, err)
	}
	for _, v := range []visitor{{bearer: old.Text}, {bearer: x.pageKey(t).Text, endUser: old.Text}} {
		x.visits(t, v, http.MethodPost, "/api/v1/chat", map[string]any{"message": "Hi"}).Want(t, http.StatusUnauthorized)
	}
}
