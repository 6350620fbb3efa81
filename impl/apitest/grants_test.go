package apitest_test

import (
	"net/http"
	"testing"

	"parley/impl/core/key"
	"parley/impl/testkit"
)

// Who is limited to agents makes and changes nothing that is not.
func TestNobodyGrantsMoreAgentsThanTheirs(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	other, free := x.Agent(t).ID, x.Key(t).ID
	x.prepare(t)
	x.key = x.Key(t, testkit.Scopes("admin"), func(in *key.CreateInput) { in.Agents = []string{x.id(t, "agent_id")} })
	for _, r := range []struct {
		method, path string
		body         any
		status       int
	}{
		{http.MethodPost, "/api/v1/admin/oauth-clients", map[string]any{"name": "n", "scopes": []string{"webchat"}}, http.StatusForbidden},
		{http.MethodPatch, "/api/v1/admin/oauth-clients/" + x.id(t, "client_id"), map[string]any{"name": "n"}, http.StatusForbidden},
		{http.MethodPost, "/api/v1/admin/oauth-clients/" + x.id(t, "client_id") + "/rotate", map[string]any{}, http.StatusForbidden},
		{http.MethodPost, "/api/v1/admin/users", map[string]any{"email": testkit.Canary() + "@example.com", "role": "member"}, http.StatusForbidden},
		{http.MethodPost, "/api/v1/keys", map[string]any{"name": "n"}, http.StatusForbidden},
		{http.MethodPost, "/api/v1/keys", map[string]any{"name": "n", "agents": []string{other}}, http.StatusForbidden},
		{http.MethodPost, "/api/v1/keys/" + free + "/rotate", map[string]any{}, http.StatusForbidden},
		{http.MethodPatch, "/api/v1/keys/" + x.key.ID, map[string]any{"agents": []string{}}, http.StatusForbidden},
		{http.MethodPost, "/api/v1/keys", map[string]any{"name": "n", "agents": []string{x.id(t, "agent_id")}}, http.StatusCreated},
	} {
		if got := x.do(t, testkit.Request{Method: r.method, Path: r.path, Body: r.body}); got.Status != r.status {
			t.Errorf("%s %s %v: %d %s, want %d", r.method, r.path, r.body, got.Status, got.Body, r.status)
		}
	}
}
