package apitest_test

import (
	"net/http"
	"strings"
	"testing"

	"parley/gen/client/platform"
	"parley/impl/testkit"
)

// want is a request with the tenant's key whose answer must have the status and is read into an object.
func (x tenant) want(t *testing.T, method, path, body string, status int, into any) {
	t.Helper()
	r := testkit.Request{Method: method, Path: path}
	if body != "" {
		r.Body = body
	}
	got := x.do(t, r).Want(t, status)
	if into != nil {
		got.JSON(t, into)
	}
}

func TestAnOperatorMakesATenant(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	var tenantAccount platform.Account
	x.want(t, http.MethodPost, "/api/v1/admin/accounts", `{"name":"Acme"}`, http.StatusCreated, &tenantAccount)
	if tenantAccount.Plan != "free" || tenantAccount.BalanceMicros != 0 {
		t.Errorf("made %+v", tenantAccount)
	}
	path := "/api/v1/admin/accounts/" + tenantAccount.ID
	var first platform.KeyWithText
	x.want(t, http.MethodPost, path+"/keys", `{"name":"first","scopes":["admin"]}`, http.StatusCreated, &first)
	x.want(t, http.MethodPost, path+"/keys", `{"name":"page","kind":"publishable","scopes":["admin"]}`, http.StatusConflict, nil)
	own := func() (a platform.Account) {
		got := x.server.Do(t, testkit.Request{Path: "/api/v1/admin/account", Key: first.Key}).Want(t, http.StatusOK)
		got.JSON(t, &a)
		return a
	}
	if a := own(); a.ID != tenantAccount.ID || a.Name != "Acme" {
		t.Errorf("the key's own account is %+v", a)
	}
	var adjusted platform.Adjustment
	x.want(t, http.MethodPost, path+"/adjustments", `{"amount_micros":500,"reason":"Invoice"}`, http.StatusCreated, &adjusted)
	x.want(t, http.MethodPost, path+"/adjustments", `{"amount_micros":-501,"reason":"Refund"}`, http.StatusConflict, nil)
	x.want(t, http.MethodPost, path+"/adjustments", `{"amount_micros":0,"reason":"Nothing"}`, http.StatusConflict, nil)
	x.want(t, http.MethodPost, path+"/adjustments", `{"amount_micros":-100,"reason":"Refund"}`, http.StatusCreated, &adjusted)
	if a := own(); a.BalanceMicros != 400 || a.GrantedMicros != 400 || adjusted.BalanceMicros != 400 || adjusted.AmountMicros != -100 {
		t.Errorf("account %+v after %+v", a, adjusted)
	}
	x.want(t, http.MethodPatch, path, `{"plan":"gold"}`, http.StatusNotFound, nil)
	x.want(t, http.MethodPost, "/api/v1/admin/accounts", `{"name":"n","plan":"gold"}`, http.StatusNotFound, nil)
	x.want(t, http.MethodPatch, path, `{"plan":"pro","name":"Acme Ltd"}`, http.StatusOK, &tenantAccount)
	got := x.server.Do(t, testkit.Request{Path: "/api/v1/admin/account", Key: first.Key})
	if limit := got.Header.Get("X-RateLimit-Limit"); tenantAccount.Name != "Acme Ltd" || limit != "100" {
		t.Errorf("account %+v, limit %s after the change of plan", tenantAccount, limit)
	}
}

func TestATenantIsNoOperator(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	admin := x.Key(t, testkit.Scopes("admin")).Text
	for _, r := range []testkit.Request{
		{Path: "/api/v1/admin/accounts", Method: http.MethodGet},
		{Path: "/api/v1/admin/accounts", Body: `{"name":"mine"}`},
		{Path: "/api/v1/admin/accounts/" + x.ID, Method: http.MethodGet},
		{Path: "/api/v1/admin/accounts/" + x.ID + "/adjustments", Body: `{"amount_micros":500,"reason":"Gift"}`},
		{Path: "/api/v1/admin/plans/mine", Method: http.MethodPut, Body: `{}`},
		{Path: "/api/v1/admin/audit-events?of=server", Method: http.MethodGet},
		{Path: "/api/v1/admin/audit-events?of=" + newTenant(t).ID, Method: http.MethodGet},
	} {
		r.Key = admin
		x.server.Do(t, r).Want(t, http.StatusForbidden)
	}
	// An operator of one account can give a tenant no more than it holds.
	operator := x.Key(t, testkit.Scopes("operator:write")).Text
	path := "/api/v1/admin/accounts/" + newTenant(t).ID + "/keys"
	x.server.Do(t, testkit.Request{Path: path, Key: operator, Body: `{"name":"n","scopes":["operator"]}`}).Want(t, http.StatusForbidden)
}

func TestPlansHoldFromTheNextRequest(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.prepare(t)
	path := "/api/v1/admin/plans/" + "new" + x.id(t, "plan_name")[4:]
	var plan platform.Plan
	x.want(t, http.MethodPut, path, `{"requests_per_minute":2}`, http.StatusCreated, &plan)
	k := x.createKey(t, `{"name":"n","plan":"`+plan.Name+`"}`)
	x.want(t, http.MethodDelete, path, "", http.StatusConflict, nil)
	limit := func() string {
		return x.server.Do(t, testkit.Request{Path: "/api/v1/agents", Key: k.Key}).Header.Get("X-RateLimit-Limit")
	}
	if got := limit(); got != "2" {
		t.Errorf("limit %s", got)
	}
	x.want(t, http.MethodPut, path, `{"requests_per_minute":null}`, http.StatusOK, &plan)
	if got := limit(); len(got) < 10 || plan.RequestsPerMinute != nil {
		t.Errorf("limit %s of %+v", got, plan)
	}
	x.want(t, http.MethodPut, path, `{"requests_per_minute":0}`, http.StatusBadRequest, nil)
	x.want(t, http.MethodDelete, "/api/v1/keys/"+k.ID, "", http.StatusNoContent, nil)
	x.want(t, http.MethodDelete, path, "", http.StatusNoContent, nil)
	x.want(t, http.MethodGet, path, "", http.StatusNotFound, nil)
	var all platform.PlanList
	x.get(t, "/api/v1/admin/plans?limit=2", &all)
	if len(all) != 2 {
		t.Errorf("a page of two holds %d plans", len(all))
	}
	x.get(t, "/api/v1/admin/plans?limit=1000&cursor=plan-zz", &all)
	if len(all) < 2 || all[0].Name <= "plan-zz" {
		t.Errorf("the plans after plan-zz are %+v", all)
	}
	for i, p := range all {
		if p.Name == plan.Name || (i > 0 && all[i-1].Name >= p.Name) {
			t.Errorf("plan %d of the list is %s", i, p.Name)
		}
	}
}

func TestWhatAdministratorsDoIsBooked(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	made := x.createKey(t, `{"name":"Current"}`)
	x.want(t, http.MethodPatch, "/api/v1/keys/"+made.ID, `{"name":"Old"}`, http.StatusOK, nil)
	var rotated platform.KeyWithText
	x.want(t, http.MethodPost, "/api/v1/keys/"+made.ID+"/rotate", `{}`, http.StatusOK, &rotated)
	x.want(t, http.MethodDelete, "/api/v1/keys/"+made.ID, "", http.StatusNoContent, nil)
	x.want(t, http.MethodPost, "/api/v1/admin/accounts/"+x.ID+"/adjustments", `{"amount_micros":7,"reason":"Gift"}`, http.StatusCreated, nil)
	want := []string{"balance.adjusted", "key.deleted", "key.rotated", "key.updated", "key.created"}
	var events platform.AuditEventList
	got := x.do(t, testkit.Request{Path: "/api/v1/admin/audit-events?limit=5"}).Want(t, http.StatusOK)
	got.JSON(t, &events)
	for i, e := range events {
		if e.Action != want[i] || e.Actor.Kind != "key" || *e.Actor.ID != x.key.ID || e.RequestID == nil || e.Address == nil {
			t.Errorf("event %d is %+v, want %s", i, e, want[i])
		}
	}
	if text := string(got.Body); strings.Contains(text, made.Key[20:]) || strings.Contains(text, rotated.Key[20:]) || !strings.Contains(got.Header.Get("Link"), events[4].ID) {
		t.Errorf("events %s, link %s", text, got.Header.Get("Link"))
	}
	x.get(t, "/api/v1/admin/audit-events?action=key.rotated&from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z&limit=1000", &events)
	if len(events) != 1 || events[0].Target != made.ID {
		t.Errorf("rotations %+v", events)
	}
	x.get(t, "/api/v1/admin/audit-events?to=2020-01-01T00:00:00Z", &events)
	if len(events) != 0 {
		t.Errorf("before everything: %+v", events)
	}
	x.prepare(t)
	x.want(t, http.MethodPut, "/api/v1/admin/plans/"+x.id(t, "plan_name"), `{}`, http.StatusOK, nil)
	x.get(t, "/api/v1/admin/audit-events?of=server&action=plan.defined", &events)
	if len(events) == 0 || events[0].Actor.Kind == "command" {
		t.Errorf("the server's records: %+v", events)
	}
	x.get(t, "/api/v1/admin/audit-events?of="+newTenant(t).ID, &events)
	for _, e := range events {
		if e.Actor.ID != nil && *e.Actor.ID == x.key.ID {
			t.Errorf("another account's records hold %+v", e)
		}
	}
}

// Every operation that changes what administrators rule leaves a record.
func TestEveryAdministrativeActIsBooked(t *testing.T) {
	t.Parallel()
	eachOperation(t, func(t *testing.T, op *testkit.Operation) {
		scopes := scopesOf(t, op)
		if administrative := area(scopes[0]) == "admin" || area(scopes[0]) == "operator"; !administrative || !strings.HasSuffix(scopes[0], ":write") {
			return
		}
		x := newTenant(t)
		x.key = x.Key(t, testkit.Scopes("webchat", "characters", "openai", "admin", "operator"), testkit.App(x.key.AppID))
		before := x.acts(t)
		got := x.do(t, x.sample(t, op))
		if after := x.acts(t); got.Status < 300 && after <= before {
			t.Errorf("%s %s answers %d and leaves no record", op.Method, op.Path, got.Status)
		}
	})
}

// acts counts the records that the tenant's key left, in any account's books.
func (x tenant) acts(t *testing.T) (n int) {
	t.Helper()
	if err := sql(t, x.server).Get(&n, `select count(*) from audit_events where actor_id = $1`, x.key.ID); err != nil {
		t.Fatal(err)
	}
	return n
}
