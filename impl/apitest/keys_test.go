package apitest_test

import (
	"net/http"
	"strings"
	"testing"

	"parley/gen/client/platform"
	"parley/impl/testkit"
)

func (x tenant) createKey(t *testing.T, body any) platform.KeyWithText {
	t.Helper()
	made := x.do(t, testkit.Request{Path: "/api/v1/keys", Body: body}).Want(t, http.StatusCreated)
	var k platform.KeyWithText
	made.JSON(t, &k)
	if made.Header.Get("Location") != "/api/v1/keys/"+k.ID {
		t.Errorf("key %s at %s", k.ID, made.Header.Get("Location"))
	}
	return k
}

// status is what a request with the key gets.
func (x tenant) status(t *testing.T, key string) int {
	t.Helper()
	return x.server.Do(t, testkit.Request{Path: "/api/v1/agents", Key: key}).Status
}

func TestAKeyThroughItsLife(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	made := x.createKey(t, `{"name":"Current"}`)
	if made.Kind != "secret" || made.Status != "active" || made.LastUsedAt != nil || !strings.HasPrefix(made.Key, made.Prefix) {
		t.Errorf("made %+v", made)
	}
	if got := x.status(t, made.Key); got != http.StatusOK {
		t.Errorf("a new key gets %d", got)
	}
	path := "/api/v1/keys/" + made.ID
	var used platform.Key
	if x.get(t, path, &used); used.LastUsedAt == nil {
		t.Error("the use is not shown")
	}
	listed := x.do(t, testkit.Request{Path: "/api/v1/keys?limit=1"}).Want(t, http.StatusOK)
	if strings.Contains(string(listed.Body), made.Key) || !strings.Contains(string(listed.Body), made.ID) || listed.Header.Get("Link") == "" {
		t.Errorf("listed %s, %v", listed.Body, listed.Header)
	}

	for _, step := range []struct {
		body string
		want int
	}{{`{"status":"inactive"}`, 401}, {`{"status":"active","name":"Old"}`, 200}, {`{"scopes":["webchat"]}`, 403}, {`{"scopes":["characters"]}`, 200}, {`{"expires_at":"2020-01-01T00:00:00Z"}`, 401}, {`{"expires_at":"2100-01-01T00:00:00Z"}`, 200}} {
		x.do(t, testkit.Request{Method: http.MethodPatch, Path: path, Body: step.body}).Want(t, http.StatusOK)
		if got := x.status(t, made.Key); got != step.want {
			t.Errorf("after %s: %d, want %d", step.body, got, step.want)
		}
	}

	var rotated platform.KeyWithText
	x.do(t, testkit.Request{Path: path + "/rotate", Body: `{"grace_seconds":60}`}).Want(t, http.StatusOK).JSON(t, &rotated)
	if x.status(t, made.Key) != 200 || x.status(t, rotated.Key) != 200 || rotated.ID != made.ID || rotated.Name != "Old" {
		t.Errorf("within the grace: %+v", rotated)
	}
	x.do(t, testkit.Request{Path: path + "/rotate", Body: `{}`}).Want(t, http.StatusOK).JSON(t, &rotated)
	if x.status(t, made.Key) != 401 || x.status(t, rotated.Key) != 200 {
		t.Error("a rotation without grace leaves the old text")
	}
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: path}).Want(t, http.StatusNoContent)
	if got := x.status(t, rotated.Key); got != http.StatusUnauthorized {
		t.Errorf("a deleted key gets %d", got)
	}
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: path}).Want(t, http.StatusNotFound)
}

func TestAKeyCannotGiveMoreThanTheDocumentAllows(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	for _, body := range []string{
		`{"name":"n","plan":"Unlimited"}`, `{"name":"n","scopes":[]}`,
		`{"name":"n","origins":["https://a.example/path"]}`, `{"name":"n","unknown":1}`, `{"name":" "}`, `{}`,
	} {
		x.do(t, testkit.Request{Path: "/api/v1/keys", Body: body}).Want(t, http.StatusBadRequest)
	}
	x.want(t, http.MethodPost, "/api/v1/keys", `{"name":"n","plan":"no-such-plan"}`, http.StatusNotFound, nil)
	page := x.createKey(t, `{"name":"n","kind":"publishable","origins":["https://A.example"]}`)
	if page.Origins[0] != "https://a.example" || !strings.HasPrefix(page.Key, "parley_pk_") {
		t.Errorf("%+v", page)
	}
	x.do(t, testkit.Request{Method: http.MethodPatch, Path: "/api/v1/keys/" + page.ID, Body: `{"scopes":["admin"]}`}).Want(t, http.StatusConflict)
	x.do(t, testkit.Request{Path: "/api/v1/keys", Body: `{"name":"n","kind":"publishable","scopes":["admin"]}`}).Want(t, http.StatusConflict)
}

func TestAKeyWithoutAdminCannotMakeKeys(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	admin := x.Key(t, testkit.Scopes("admin")).Text
	for _, body := range []string{`{"name":"n","plan":"pro"}`, `{"name":"n","scopes":["operator:read"]}`} {
		x.server.Do(t, testkit.Request{Path: "/api/v1/keys", Key: admin, Body: body}).Want(t, http.StatusForbidden)
	}
	for _, scopes := range [][]string{{"webchat"}, {"characters"}} {
		request := testkit.Request{Path: "/api/v1/keys", Key: x.Key(t, testkit.Scopes(scopes...)).Text, Body: `{"name":"n"}`}
		x.server.Do(t, request).Want(t, http.StatusForbidden)
	}
}

func TestAKeyIsAnsweredByItsAgentsOnly(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	listed, other := x.Agent(t).ID, x.Agent(t).ID
	k := x.createKey(t, map[string]any{"name": "n", "agents": []string{listed}, "expires_at": "2100-01-01T00:00:00Z"})
	completion := func(agent, model string) testkit.Request {
		return testkit.Request{Path: "/v1/chat/completions", Key: k.Key, Body: map[string]any{
			"model": agent + model, "messages": []map[string]string{{"role": "user", "content": "Hi"}},
		}}
	}
	x.server.Do(t, completion(listed, "")).Want(t, http.StatusOK)
	x.server.Do(t, completion(other, "")).Want(t, http.StatusForbidden)
	x.server.Do(t, completion("", "parley-builtin")).Want(t, http.StatusForbidden)
	x.server.Do(t, testkit.Request{Path: "/api/v1/chat", Key: k.Key, Body: `{"message":"Hi"}`}).Want(t, http.StatusForbidden)

	path := "/api/v1/keys/" + k.ID
	foreign := newTenant(t).id(t, "agent_id")
	x.do(t, testkit.Request{Method: http.MethodPatch, Path: path, Body: map[string]any{"agents": []string{foreign}}}).Want(t, http.StatusNotFound)
	x.do(t, testkit.Request{Path: "/api/v1/keys", Body: map[string]any{"name": "n", "agents": []string{foreign}}}).Want(t, http.StatusNotFound)
	var changed platform.Key
	x.want(t, http.MethodPatch, path, `{"never_expires":true,"expires_at":"2100-01-01T00:00:00Z"}`, http.StatusConflict, nil)
	x.want(t, http.MethodPatch, path, `{"expires_at":"2100-03-11T07:19:29.5788-22:41"}`, http.StatusOK, nil)
	x.want(t, http.MethodPatch, path, `{"never_expires":true,"agents":[]}`, http.StatusOK, &changed)
	if changed.ExpiresAt != nil || len(changed.Agents) != 0 {
		t.Errorf("changed %+v", changed)
	}
	x.server.Do(t, completion(other, "")).Want(t, http.StatusOK)
}
