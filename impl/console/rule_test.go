package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"parley/impl/core/key"
	"parley/impl/testkit"
)

// operator is an owner of an account that operates the server.
func operator(t *testing.T) (testkit.Account, *browser) {
	t.Helper()
	a, b, _ := account(t)
	a.Operates(t, true)
	return a, b
}

// rowOf is what follows a row's head in a page.
func rowOf(t *testing.T, p page, head string) string {
	t.Helper()
	_, after, found := strings.Cut(p.body, `<th scope="row">`+head)
	if !found {
		t.Fatalf("no row %q in %s", head, shorten(p.body))
	}
	row, _, _ := strings.Cut(after, "</tr>")
	return row
}

var operatorsPages = []string{"/console/accounts", "/console/plans", "/console/aliases"}

// What rules the server is shown to whoever operates it, and to nobody else who signed in.
func TestThePagesOfTheServerAreItsOperators(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t)
	a, b := operator(t)
	for _, path := range operatorsPages {
		b.get(path).want(t, http.StatusOK, `href="/console/aliases"`)
	}
	b.get("/console/accounts/"+a.ID).want(t, http.StatusOK, a.ID)
	ordinary := s.Account(t, testkit.Unlimited, 1_000_000)
	for name, p := range map[string]testkit.Person{
		"an admin of its account": a.Person(t, key.Admin), "another account's owner": ordinary.Person(t, key.Owner), "another account's member": ordinary.Person(t, key.Member),
	} {
		other := as(t, s, p)
		for _, path := range append([]string{"/console/accounts/" + a.ID}, operatorsPages...) {
			other.get(path).want(t, http.StatusForbidden, "You may not do this").lacks(t, `href="/console/aliases"`)
			got := other.post(path, "name", "mine", "alias", "mine", "model", "parley-builtin", "do", "put", "once", "o")
			if got.status != http.StatusForbidden {
				t.Errorf("%s changes %s: %d", name, path, got.status)
			}
		}
	}
}

func TestAliasesAreDefinedAndDeleted(t *testing.T) {
	t.Parallel()
	_, b := operator(t)
	name := "alias-" + strings.ToLower(testkit.Canary()) + "/x*"
	b.get("/console/aliases").want(t, http.StatusOK, `<option value="parley-builtin">`)
	b.post("/console/aliases", "do", "put", "alias", name, "model", "no-such-model").want(t, http.StatusNotFound, `role="alert"`, `value="`+name+`"`, `value="no-such-model"`)
	b.post("/console/aliases", "do", "put", "alias", "not a name", "model", "parley-builtin").want(t, http.StatusBadRequest, `role="alert"`)
	b.post("/console/aliases", "do", "put", "alias", name, "model", "parley-builtin").leads(t, "/console/aliases?done=saved")
	b.get("/console/aliases?done=saved").want(t, http.StatusOK, "It is saved.", "<code>"+name+"</code>")
	b.post("/console/aliases", "do", "delete", "alias", name).leads(t, "/console/aliases?done=deleted")
	b.get("/console/aliases").want(t, http.StatusOK).lacks(t, name)
	b.post("/console/aliases", "do", "delete", "alias", name).want(t, http.StatusNotFound, `role="alert"`)
}

func TestPlansAreDefinedAndDeleted(t *testing.T) {
	t.Parallel()
	_, b := operator(t)
	name := "plan-" + strings.ToLower(testkit.Canary())[:20]
	b.get("/console/plans").want(t, http.StatusOK, "unlimited", "not limited")
	b.post("/console/plans", "name", name, "requests", "many", "streams", "7").want(t, http.StatusBadRequest, "A limit is a whole number", `value="7"`, `value="`+name+`"`)
	b.post("/console/plans", "name", name, "requests", "0").want(t, http.StatusBadRequest, `role="alert"`)
	b.post("/console/plans", "name", name, "requests", "99999999999").want(t, http.StatusBadRequest, `role="alert"`)
	b.post("/console/plans", "name", name, "requests", "1250", "storage", "104857600").leads(t, "/console/plans?done=saved")
	row := rowOf(t, b.get("/console/plans").want(t, http.StatusOK), name)
	for _, want := range []string{"1\u202f250", "104\u202f857\u202f600", `name="requests" inputmode="numeric" value="1250"`, "not limited"} {
		if !strings.Contains(row, want) {
			t.Errorf("the row lacks %q: %s", want, row)
		}
	}
	b.post("/console/plans", "do", "delete", "name", "pro").want(t, http.StatusConflict, `role="alert"`)
	b.post("/console/plans", "do", "delete", "name", name).leads(t, "/console/plans?done=deleted")
}

func TestAccountsOfTheServer(t *testing.T) {
	t.Parallel()
	_, b := operator(t)
	b.get("/console/accounts").want(t, http.StatusOK, "New account", "<option>pro</option>")
	b.post("/console/accounts", "name", "", "plan", "free", "once", "a0").want(t, http.StatusBadRequest, `role="alert"`)
	made := b.post("/console/accounts", "name", "<i>Acme</i>", "plan", "free", "once", "a1")
	at := made.header.Get("Location")
	made.leads(t, at)
	path := strings.TrimSuffix(at, "?done=created")
	b.get(at).want(t, http.StatusOK, "It is created.", "&lt;i&gt;Acme").lacks(t, "<i>Acme")
	b.get("/console/accounts").want(t, http.StatusOK, `href="`+path+`"`)
	b.post(path, "do", "save", "name", "Acme", "plan", "pro").leads(t, path+"?done=saved")
	b.get(path).want(t, http.StatusOK, `<option selected>pro`)
	b.post(path, "do", "adjust", "amount", "12.5", "reason", "Invoice 7", "once", "a2").leads(t, path+"?done=saved")
	b.post(path, "do", "adjust", "amount", "12.5", "reason", "Invoice 7", "once", "a2").leads(t, path+"?done=saved")
	b.get(path).want(t, http.StatusOK, "Balance<b>12.50</b>")
	b.post(path, "do", "adjust", "amount", "-20", "reason", "Too much", "once", "a3").want(t, http.StatusConflict, `role="alert"`, `value="-20"`, `value="Too much"`)
	b.post(path, "do", "adjust", "amount", "lots", "reason", "x", "once", "a4").want(t, http.StatusBadRequest, "An amount is a number")
	b.post(path, "do", "key", "name", "Administration", "admin", "1", "once", "a5").want(t, http.StatusCreated, "parley_sk_", "Copy it now")
	b.post(path, "do", "key", "name", "", "once", "a6").want(t, http.StatusBadRequest, `role="alert"`)
	b.get("/console/accounts/none").want(t, http.StatusNotFound)
	b.post("/console/accounts/none", "do", "save", "name", "x", "plan", "pro").want(t, http.StatusNotFound)
}

func TestBudgetsAreKept(t *testing.T) {
	t.Parallel()
	a, b, _ := account(t)
	k := a.Key(t, func(in *key.CreateInput) { in.Name = "the <key>" })
	b.get("/console/budgets").want(t, http.StatusOK, "No budgets", `<option value="`+k.ID+`">the &lt;key&gt;`)
	b.post("/console/budgets", "kind", "key", "subject", k.ID, "period", "month", "amount", "2.5", "once", "b1").leads(t, "/console/budgets?done=created")
	b.post("/console/budgets", "kind", "end_user", "subject", "visitor <1>", "period", "day", "amount", "1", "once", "b2").leads(t, "/console/budgets?done=created")
	b.post("/console/budgets", "kind", "end_user", "subject", "visitor 2", "period", "day", "amount", "much", "once", "b3").want(t, http.StatusBadRequest, "An amount is a number", `value="visitor 2"`, `value="day" selected`)
	b.post("/console/budgets", "kind", "key", "subject", "no-such-key", "period", "month", "amount", "1", "once", "b4").want(t, http.StatusNotFound, `role="alert"`)
	spend(t, k.Text)
	list := b.get("/console/budgets").want(t, http.StatusOK, "visitor &lt;1&gt;", "the &lt;key&gt;<br>", "2.50", "<progress")
	path := between(t, rowOf(t, list, "the &lt;key&gt;"), `action="`, `"`)
	b.post(path, "amount", "7").leads(t, "/console/budgets?done=saved")
	b.post(path, "amount", "x").want(t, http.StatusBadRequest, "An amount is a number")
	b.get("/console/budgets").want(t, http.StatusOK, "7.00")
	b.post(path, "do", "delete").leads(t, "/console/budgets?done=deleted")
	b.post(path, "do", "delete").want(t, http.StatusNotFound, `role="alert"`)
}

func TestTheBalanceWarns(t *testing.T) {
	t.Parallel()
	_, b, _ := account(t)
	b.post("/console/balance", "amount", "2.5").leads(t, "/console/balance?done=saved")
	b.get("/console/balance").want(t, http.StatusOK, `value="2.50"`)
	for _, wrong := range []string{"", "-1", "much", "NaN"} {
		b.post("/console/balance", "amount", wrong).want(t, http.StatusBadRequest, "The balance to warn at is a number")
	}
}

func TestOAuthClientsFromNameToDeletion(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t)
	_, b, _ := account(t)
	b.get("/console/clients").want(t, http.StatusOK, "No OAuth clients", b.url+"/oauth/token").lacks(t, `value="operator"`)
	b.post("/console/clients", "name", "Nothing", "once", "c0").want(t, http.StatusBadRequest, `role="alert"`, `value="Nothing"`)
	b.post("/console/clients", "name", "Rules", "scopes", "operator", "once", "c1").want(t, http.StatusForbidden, `role="alert"`)
	made := b.post("/console/clients", "name", "<b>Billing</b>", "scopes", "webchat", "once", "c2").want(t, http.StatusCreated, "parley_cs_", "Copy it now", "&lt;b&gt;Billing").lacks(t, "<b>Billing")
	secret := between(t, made.body, `data-copy="`, `"`)
	list := b.get("/console/clients").want(t, http.StatusOK, "Never").lacks(t, secret)
	path := between(t, list.body, `<th scope="row"><a href="`, `"`)
	id := strings.TrimPrefix(path, "/console/clients/")
	token := func() int {
		return s.Do(t, testkit.Request{Method: http.MethodPost, Path: "/oauth/token", Body: url.Values{
			"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret},
		}}).Status
	}
	if got := token(); got != http.StatusOK {
		t.Errorf("the client gets %d for its secret", got)
	}
	b.get(path).want(t, http.StatusOK, `value="webchat" checked`).lacks(t, secret, "Never")
	b.post(path, "do", "save", "name", "Nightly", "scopes", "openai", "scopes", "characters:read").leads(t, path+"?done=saved")
	b.get(path).want(t, http.StatusOK, "Nightly", `value="openai" checked`, `value="characters:read" checked`)
	b.post(path, "do", "save", "name", "", "scopes", "openai").want(t, http.StatusBadRequest, `role="alert"`)
	b.post(path, "do", "rotate", "grace", "0", "once", "c3").want(t, http.StatusOK, "parley_cs_").lacks(t, secret)
	if got := token(); got != http.StatusUnauthorized {
		t.Errorf("the old secret gets %d", got)
	}
	b.post(path, "do", "rotate", "grace", "soon", "once", "c4").want(t, http.StatusBadRequest, `role="alert"`)
	b.post(path, "do", "deactivate").leads(t, path+"?done=saved")
	b.get(path).want(t, http.StatusOK, "inactive", "Activate")
	b.post(path, "do", "activate").leads(t, path+"?done=saved")
	b.post(path, "do", "delete").leads(t, "/console/clients?done=deleted")
	b.get(path).want(t, http.StatusNotFound)
}

func TestModelsAreOfferedByHand(t *testing.T) {
	t.Parallel()
	a, b, _ := account(t)
	upstream := a.Upstream(t)
	b.get("/console/models").want(t, http.StatusOK).lacks(t, "For all accounts of the server", "Disable for all")
	b.post("/console/providers", "name", "Mine", "kind", "openai", "base_url", upstream.URL, "once", "m0").leads(t, "/console/models?done=created")
	provider := strings.TrimPrefix(between(t, rowOf(t, b.get("/console/models"), "Mine"), `action="`, `"`), "/console/providers/")
	offer := []string{"provider_id", provider, "type", "llm", "upstream_name", "gpt-of-mine", "title", "By <hand>", "input", "0.5", "output", "1.25", "context", "4096"}
	b.post("/console/models", append(offer, "once", "m1")...).leads(t, "/console/models?done=created")
	row := rowOf(t, b.get("/console/models"), "By &lt;hand&gt;")
	for _, want := range []string{"0.50 / 1.25 per 1k", "4\u202f096", "Mine"} {
		if !strings.Contains(row, want) {
			t.Errorf("the row lacks %q: %s", want, row)
		}
	}
	b.post("/console/models", "provider_id", provider, "type", "llm", "upstream_name", "x", "input", "cheap", "once", "m2").want(t, http.StatusBadRequest, "A price is a number", `value="cheap"`, `<option selected="">llm`)
	b.post("/console/models", "provider_id", "none", "type", "llm", "upstream_name", "x", "once", "m3").want(t, http.StatusNotFound, `role="alert"`)
	b.post("/console/providers", "name", "All", "kind", "openai", "base_url", upstream.URL, "shared", "1", "once", "m4").want(t, http.StatusForbidden, `role="alert"`)
	model := between(t, row, `action="`, `"`)
	b.post(model, "do", "delete").leads(t, "/console/models?done=deleted")
	b.get("/console/models").want(t, http.StatusOK).lacks(t, "By &lt;hand&gt;")
	b.post(model, "do", "delete").want(t, http.StatusNotFound, `role="alert"`)
}

// What everybody shares is ruled on the pages of whoever operates the server.
func TestTheServersProvidersAreItsOperators(t *testing.T) {
	t.Parallel()
	a, b := operator(t)
	upstream := a.Upstream(t)
	name := "shared " + testkit.Canary()
	b.post("/console/providers", "name", name, "kind", "openai", "base_url", upstream.URL, "shared", "1", "once", "s0").leads(t, "/console/models?done=created")
	_, ordinary, _ := account(t)
	if row := rowOf(t, ordinary.get("/console/models"), name); strings.Contains(row, "Delete") {
		t.Errorf("everybody may delete it: %s", row)
	}
	at := between(t, rowOf(t, b.get("/console/models").want(t, http.StatusOK, "Disable for all"), name), `action="`, `"`)
	ordinary.post(at, "do", "delete").want(t, http.StatusForbidden, `role="alert"`)
	b.post(at, "do", "delete").leads(t, "/console/models?done=deleted")
	b.get("/console/audit?of=server").want(t, http.StatusOK, `value="server"`)
	ordinary.get("/console/audit?of=server").want(t, http.StatusForbidden)
}
