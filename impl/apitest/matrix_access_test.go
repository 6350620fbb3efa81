package apitest_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"parley/impl/core/credential"
	"parley/impl/core/key"
	"parley/impl/testkit"
)

func TestEveryOperationSucceedsWithEveryCredential(t *testing.T) {
	t.Parallel()
	eachOperation(t, func(t *testing.T, op *testkit.Operation) {
		for _, credential := range credentials(op) {
			x := newTenant(t)
			good := x.key.Text
			switch credential {
			case "oauth2":
				good = x.prepare(t).bearer
			case "sessionCookie":
				good = x.prepare(t).owner.Session
			}
			r := present(x.sample(t, op), credential, good)
			if got := x.server.Do(t, r); got.Status >= 300 {
				t.Errorf("with %s: status %d: %s", credential, got.Status, got.Body)
			}
			if !streams(op) {
				continue
			}
			r.Header = maps.Clone(r.Header)
			if r.Header == nil {
				r.Header = map[string]string{}
			}
			r.Header["Accept"] = "text/event-stream"
			if got := x.server.Do(t, r); got.Header.Get("Content-Type") != "text/event-stream" {
				t.Errorf("with %s: no stream but %d %s", credential, got.Status, got.Header.Get("Content-Type"))
			}
		}
	})
}

func TestPublicOperationsNeedNoKey(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t)
	for _, path := range []string{"/healthz", "/readyz", "/status", "/openapi.json", "/openapi.yaml", "/asyncapi.yaml", "/.well-known/oauth-authorization-server"} {
		s.Do(t, testkit.Request{Path: path}).Want(t, http.StatusOK)
		if got := s.Do(t, testkit.Request{Method: http.MethodHead, Path: path}); got.Status != http.StatusOK || len(got.Body) > 0 {
			t.Errorf("HEAD %s: status %d with %d bytes", path, got.Status, len(got.Body))
		}
	}
}

// badKeys are keys that all get the same answer, so that it tells nothing.
func badKeys(t *testing.T, x tenant) map[string]string {
	t.Helper()
	revoked, unknown := x.Key(t), x.Key(t)
	x.Revoke(t, revoked.ID)
	if _, err := sql(t, x.server).ExecContext(t.Context(), `delete from key_hashes where key_id = $1`, unknown.ID); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"malformed":      "your_api_key",
		"wrong checksum": x.key.Text[:len(x.key.Text)-1] + "_",
		"unknown":        unknown.Text,
		"invented":       credential.NewMinter([]byte("a guess")).Mint(credential.SecretKey),
		"revoked":        revoked.Text,
		"expired":        x.Key(t, testkit.Expires(time.Now().Add(-time.Second))).Text,
	}
}

func TestEveryOperationRefusesBadKeysAlike(t *testing.T) {
	t.Parallel()
	eachOperation(t, func(t *testing.T, op *testkit.Operation) {
		x := newTenant(t)
		none := x.server.Do(t, x.sample(t, op)).Want(t, http.StatusUnauthorized)
		for name, text := range badKeys(t, x) {
			for _, credential := range credentials(op) {
				got := x.server.Do(t, present(x.sample(t, op), credential, text))
				if got.Status != http.StatusUnauthorized || !bytes.Equal(got.Body, none.Body) {
					t.Errorf("%s key in %s: %d %s, without a key %s", name, credential, got.Status, got.Body, none.Body)
				}
				if got.Header.Get("X-RateLimit-Limit") != "" {
					t.Errorf("%s key in %s: a stranger sees a rate limit", name, credential)
				}
			}
		}
		for _, value := range []string{"Basic " + x.key.Text, x.key.Text, "Bearer", "Bearer  "} {
			r := x.sample(t, op)
			r.Header = map[string]string{"Authorization": value}
			x.server.Do(t, r).Want(t, http.StatusUnauthorized)
		}
	})
}

// A stranger must not learn from a 400 what an operation expects.
func TestAuthenticationComesBeforeValidation(t *testing.T) {
	t.Parallel()
	eachOperation(t, func(t *testing.T, op *testkit.Operation) {
		x := newTenant(t)
		r := x.sample(t, op)
		if r.Body != nil {
			r.Body = `{"message": 5, "broken"`
		}
		r.Path = withQuery(r.Path, url.Values{"limit": {"none"}, "page": {"none"}})
		x.server.Do(t, r).Want(t, http.StatusUnauthorized)
	})
}

// scopesOf lists the scopes of which the operation wants one.
func scopesOf(t *testing.T, op *testkit.Operation) []string {
	t.Helper()
	listed, _ := op.Extensions["x-required-scopes"].([]any)
	var scopes []string
	for _, scope := range listed {
		scopes = append(scopes, scope.(string))
	}
	if len(scopes) == 0 {
		t.Fatalf("%s names no x-required-scopes", op.OperationID)
	}
	return scopes
}

// without lists the surfaces of which no wanted scope is one.
func without(surfaces, wanted []string) []string {
	return slices.DeleteFunc(slices.Clone(surfaces), func(surface string) bool {
		return slices.ContainsFunc(wanted, func(scope string) bool { return area(scope) == surface })
	})
}

// otherVerb turns the wanted scopes' verbs around.
func otherVerb(wanted []string) []string {
	var others []string
	for _, scope := range wanted {
		verb := ":read"
		if strings.HasSuffix(scope, verb) {
			verb = ":write"
		}
		others = append(others, area(scope)+verb)
	}
	return others
}

// enough lists scopes each of which suffices: the wanted ones, their surfaces
// alone, and the administrator's.
func enough(wanted []string) []string {
	all := slices.Clone(wanted)
	for _, scope := range wanted {
		all = append(all, area(scope))
	}
	if area(wanted[0]) != key.ScopeOperator {
		all = append(all, key.ScopeAdmin)
	}
	return all
}

// isExcused tells whether a refusal is one of those that some paths have for a
// scope that is enough: by path prefix, and where credentials are managed for a scope of one verb alone.
func isExcused(statuses map[string]int, path, scope string, status int) bool {
	for prefix, excused := range statuses {
		if strings.HasPrefix(path, prefix) && status == excused {
			return status != http.StatusForbidden || strings.Contains(scope, ":")
		}
	}
	return false
}

func area(scope string) string {
	area, _, _ := strings.Cut(scope, ":")
	return area
}

func TestEveryOperationWantsItsScope(t *testing.T) {
	t.Parallel()
	eachOperation(t, func(t *testing.T, op *testkit.Operation) {
		x, wanted := newTenant(t), scopesOf(t, op)
		for _, r := range []struct {
			name   string
			scopes []string
		}{{"every other surface", without(key.SurfaceScopes, wanted)}, {"the other verb", otherVerb(wanted)}} {
			if len(r.scopes) == 0 {
				continue
			}
			request := x.sample(t, op)
			request.Key = x.Key(t, testkit.Scopes(r.scopes...)).Text
			if got := x.server.Do(t, request); got.Status != http.StatusForbidden {
				t.Errorf("a key with %s gets %d", r.name, got.Status)
			}
		}
		for _, scope := range enough(wanted) {
			y := newTenant(t)
			r := y.sample(t, op)
			r.Key = y.Key(t, testkit.Scopes(scope), testkit.App(y.key.AppID)).Text
			// A turn of another surface than the key's is none for it. A key cannot rule over keys with more rights than its own.
			excused := map[string]int{
				"/api/v1/turns/": http.StatusNotFound, "/api/v1/keys": http.StatusForbidden, "/api/v1/admin/oauth-clients": http.StatusForbidden,
				"/api/v1/admin/users": http.StatusForbidden,
			}
			if got := y.server.Do(t, r); got.Status >= 300 && !isExcused(excused, op.Path, scope, got.Status) {
				t.Errorf("with the scope %s: %d %s", scope, got.Status, got.Body)
			}
		}
	})
}

func TestEveryOperationRefusesOtherOrigins(t *testing.T) {
	t.Parallel()
	eachOperation(t, func(t *testing.T, op *testkit.Operation) {
		x := newTenant(t)
		r := x.sample(t, op)
		r.Key = x.Key(t, testkit.Publishable(site), testkit.App(x.key.AppID)).Text
		x.server.Do(t, r).Want(t, http.StatusForbidden)
		r.Header = map[string]string{"Origin": "https://elsewhere.example"}
		x.server.Do(t, r).Want(t, http.StatusForbidden)
	})
}

// Foreign ids and missing ones get the same answer, in the path and in the body.
func TestForeignIdsLookMissing(t *testing.T) {
	t.Parallel()
	eachOperation(t, func(t *testing.T, op *testkit.Operation) {
		x, stranger := newTenant(t), newTenant(t)
		deleted := false
		for _, name := range named(op) {
			if op.Method == http.MethodPut { // which makes what is missing
				continue
			}
			foreignID, missingID := stranger.id(t, name), missing(x.id(t, name))
			own := x.naming(t, op, name, x.id(t, name)) // names all else that is there before a deletion
			f, m := x.do(t, x.naming(t, op, name, foreignID)), x.do(t, x.naming(t, op, name, missingID))
			want := http.StatusNotFound
			if op.OperationID == "getProject" || op.OperationID == "deleteProject" {
				want = http.StatusForbidden // as clients of that API expect
			}
			if name == "llm_id" || name == "sd_model_id" {
				want = http.StatusBadRequest // models are not resources of the account
			}
			if rulesOverAll(t, op) {
				f = m // everybody's things are the operator's
			} else if !bytes.Equal(masked(f.Body, foreignID), masked(m.Body, missingID)) || f.Status != m.Status {
				t.Errorf("%s: foreign %d %s, missing %d %s", name, f.Status, f.Body, m.Status, m.Body)
			}
			if f.Status != want {
				t.Errorf("%s: status %d, want %d", name, f.Status, want)
			}
			if deleted {
				continue
			}
			deleted = op.Method == http.MethodDelete
			if got := x.do(t, own); got.Status >= 300 {
				t.Errorf("%s of one's own: %d %s", name, got.Status, got.Body)
			}
		}
	})
}

// masked is an answer without the id that it repeats, as those of projects do.
func masked(body []byte, id string) []byte { return bytes.ReplaceAll(body, []byte(id), []byte("(id)")) }

// rulesOverAll tells whether the operation is the server's operator's.
func rulesOverAll(t *testing.T, op *testkit.Operation) bool {
	t.Helper()
	return area(scopesOf(t, op)[0]) == key.ScopeOperator
}

// missing is an id of the same form that nothing has.
func missing(id string) string {
	if other := id[:len(id)-4] + "0000"; other != id {
		return other
	}
	return id[:len(id)-4] + "0001"
}

// named lists what requests to the operation name, in the path and in the body.
func named(op *testkit.Operation) []string {
	var names []string
	for name := range makers() {
		inBody := namesInBody(op, name)
		if inBody || slices.ContainsFunc(op.Params, func(p *openapi3.ParameterRef) bool { return p.Value.In == "path" && idName(op, p.Value.Name) == name }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func namesInBody(op *testkit.Operation, name string) bool {
	schema := op.JSONBody()
	return schema != nil && schema.Properties[name] != nil && name != "end_user" && !isOwnName(op, name) // which a body chooses
}

// inItsType is an id as the body's schema wants it: some are integers.
func inItsType(op *testkit.Operation, name, id string) any {
	if op.JSONBody().Properties[name].Value.Type.Is("integer") {
		return json.Number(id)
	}
	return id
}

// naming returns a request that names something by an id.
func (x tenant) naming(t *testing.T, op *testkit.Operation, name, id string) testkit.Request {
	t.Helper()
	r := x.choosing(name, id).sample(t, op)
	if namesInBody(op, name) {
		r.Body.(map[string]any)[name] = inItsType(op, name, id)
	}
	return r
}

// A session belongs to an app: another app of the same account does not see it.
func TestOtherAppsSessionsLookMissing(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	other := x.Key(t)
	for _, id := range []string{"getSession", "deleteSession"} {
		r := x.sample(t, testkit.OperationOf(id))
		r.Key = other.Text
		x.server.Do(t, r).Want(t, http.StatusNotFound)
	}
	r := x.naming(t, testkit.OperationOf("sendWebchatMessage"), "session_id", x.id(t, "session_id"))
	r.Key = other.Text
	x.server.Do(t, r).Want(t, http.StatusNotFound)
}
