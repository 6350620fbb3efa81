package console_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"parley/db"
	"parley/impl/core/key"
	"parley/impl/testkit"
)

func TestUsageIsDrawnAndTabled(t *testing.T) {
	t.Parallel()
	a, b, p := account(t)
	b.get("/console/usage").want(t, http.StatusOK, "No answers in these days")
	k := a.Key(t, func(in *key.CreateInput) { in.Name = "the <key>" })
	spend(t, k.Text)
	spend(t, p.Session)
	b.get("/console/usage").want(t, http.StatusOK, "<svg", `role="img"`, "The numbers", "Model")
	b.get("/console/usage?measure=tokens&days=7&by=key").want(t, http.StatusOK, "Tokens a day", "the &lt;key&gt;", `aria-current="true">7 days`).lacks(t, p.ID)
	b.get("/console/usage?measure=nonsense&days=1000000&by=<script>").want(t, http.StatusOK, "Answers a day").lacks(t, "nonsense", "<script>")
	b.get("/console/balance").want(t, http.StatusOK, "usage · webchat", "grant")
	b.get("/console/balance?cursor=none").want(t, http.StatusBadRequest)
}

// spend has an answer made with a key.
func spend(t *testing.T, text string) {
	t.Helper()
	testkit.Shared(t).Do(t, testkit.Request{Path: "/api/v1/chat", Key: text, Body: map[string]any{"message": "Hello!"}}).Want(t, http.StatusOK)
}

func TestProvidersAreTestedAndTheirModelsPriced(t *testing.T) {
	t.Parallel()
	a, b, _ := account(t)
	upstream := a.Upstream(t)
	b.get("/console/models").want(t, http.StatusOK, "Upstream", testkit.UpstreamModel, "Built-in")
	b.post("/console/providers", "name", "Mine", "kind", "openai", "base_url", upstream.URL, "key", "a-secret-of-mine", "once", "p1").leads(t, "/console/models?done=created")
	list := b.get("/console/models").want(t, http.StatusOK, "Mine", "stored").lacks(t, "a-secret-of-mine")
	_, after, _ := strings.Cut(list.body, `<th scope="row">Mine`)
	provider := between(t, after, `action="`, `"`)
	b.post(provider, "do", "test").want(t, http.StatusOK, "Mine answers", testkit.UpstreamModel)
	b.post(provider, "do", "offer").want(t, http.StatusOK, "which this server now offers too")
	b.post("/console/providers", "name", "Broken", "kind", "openai", "base_url", "http://127.0.0.1:1/v1", "once", "p2").leads(t, "/console/models?done=created")
	list = b.get("/console/models").want(t, http.StatusOK)
	_, after, _ = strings.Cut(list.body, `<th scope="row">Broken`)
	b.post(between(t, after, `action="`, `"`), "do", "test").want(t, http.StatusOK, "Broken does not answer")
	b.post("/console/providers", "name", "Bad", "kind", "openai", "base_url", "nonsense").want(t, http.StatusBadRequest, `role="alert"`, `value="Bad"`)
	_, after, _ = strings.Cut(list.body, "<summary class=\"button small\">Price")
	model := between(t, after, `action="`, `"`)
	b.post(model, "do", "price", "input", "0.5", "output", "1.25").leads(t, "/console/models?done=saved")
	b.get("/console/models").want(t, http.StatusOK, "0.50 / 1.25 per 1k")
	b.post(model, "do", "price", "input", "much", "output", "1").want(t, http.StatusBadRequest, "A price is a number")
	b.post(model, "do", "disable").leads(t, "/console/models?done=saved")
	b.get("/console/models").want(t, http.StatusOK, "inactive")
	b.post(provider, "do", "delete").leads(t, "/console/models?done=deleted")
	b.get("/console/models").want(t, http.StatusOK).lacks(t, "Mine")
}

func TestPeopleAreInvitedAndEnded(t *testing.T) {
	t.Parallel()
	_, b, owner := account(t)
	email := strings.ToLower(testkit.Canary()) + "@example.com"
	made := b.post("/console/people", "email", email, "name", "<i>Bob</i>", "role", "member", "once", "i1").want(t, http.StatusCreated, b.url+"/console/password?token=parley_ot_", "&lt;i&gt;Bob")
	invited := newBrowser(t, testkit.Shared(t))
	link := strings.TrimPrefix(between(t, made.body, `data-copy="`, `"`), b.url)
	invited.get(link).want(t, http.StatusOK, "Set your password")
	_, token, _ := strings.Cut(link, "token=")
	invited.post("/console/password", "token", token, "new_password", "a long password", "repeated", "a long password").leads(t, "/console/?done=password")
	list := b.get("/console/people").want(t, http.StatusOK, email, owner.Email)
	_, after, _ := strings.Cut(list.body, email)
	person := between(t, after, `action="`, `"`)
	b.post(person, "role", "admin").leads(t, "/console/people?done=saved")
	invited.get("/console/people").want(t, http.StatusOK)
	b.post(person, "do", "link", "once", "l1").want(t, http.StatusCreated, "/console/password?token=")
	b.post(person, "do", "deactivate").leads(t, "/console/people?done=saved")
	invited.get("/console/people").leads(t, "/console/sign-in?to=%2Fconsole%2Fpeople")
	b.post(person, "do", "activate").leads(t, "/console/people?done=saved")
	b.post(person, "do", "delete").leads(t, "/console/people?done=deleted")
	b.post("/console/people", "email", owner.Email, "role", "member", "once", "i2").want(t, http.StatusConflict, `role="alert"`)
	b.post("/console/people/"+owner.ID, "do", "delete").want(t, http.StatusConflict, "The last owner")
	b.get("/console/audit").want(t, http.StatusOK, "user.created", "user.deleted")
	b.get("/console/audit?action=user.deleted").want(t, http.StatusOK, "user.deleted").lacks(t, "<code>user.created</code>")
}

func TestWebhooksAndTheirDeliveries(t *testing.T) {
	t.Parallel()
	_, b, _ := account(t)
	b.get("/console/webhooks").want(t, http.StatusOK, "No webhooks")
	b.post("/console/webhooks", "url", "http://127.0.0.1:1/hook", "events", "key.created", "once", "w1").want(t, http.StatusCreated, "whsec_", "Copy it now")
	b.post("/console/webhooks", "url", "http://127.0.0.1:1/hook", "once", "w2").want(t, http.StatusBadRequest, `role="alert"`, `value="http://127.0.0.1:1/hook"`)
	list := b.get("/console/webhooks").want(t, http.StatusOK, "key.created").lacks(t, "whsec_")
	hook := between(t, list.body, `<th scope="row"><a href="`, `"`)
	b.get(hook).want(t, http.StatusOK, "Nothing was sent yet")
	b.post(hook, "do", "test", "once", "t1").leads(t, hook+"?done=sent")
	sent := b.get(hook).want(t, http.StatusOK, "webhook.test", "Send again")
	delivery := between(t, sent.body, `name="delivery" value="`, `"`)
	b.post(hook, "do", "redeliver", "delivery", delivery, "once", "t2").leads(t, hook+"?done=sent")
	b.post(hook, "do", "rotate", "once", "t3").want(t, http.StatusOK, "whsec_", "Former secret until")
	b.post(hook, "do", "disable").leads(t, hook+"?done=saved")
	b.get(hook).want(t, http.StatusOK, "disabled")
	b.post(hook, "do", "delete").leads(t, "/console/webhooks?done=deleted")
	b.get(hook).want(t, http.StatusNotFound)
}

func TestHealth(t *testing.T) {
	t.Parallel()
	_, b, _ := account(t)
	b.get("/console/health").want(t, http.StatusOK, "Ready", "unlimited")
}

// To look at pages takes nothing from the plan, which is for what programs ask; what a form does counts as its request.
func TestPagesTakeNothingFromThePlan(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t)
	a := s.Account(t, "free", 1_000_000)
	b := as(t, s, a.Person(t, key.Owner))
	for range 3 {
		for _, path := range []string{"/console/keys", "/console/usage", "/console/models", "/console/conversations"} {
			b.get(path).want(t, http.StatusOK)
		}
	}
	ask := testkit.Request{Path: "/api/v1/me", Key: a.Key(t).Text}
	for left := 4; left >= 2; left-- {
		if got := s.Do(t, ask).Want(t, http.StatusOK).Header.Get("X-RateLimit-Remaining"); got != strconv.Itoa(left) {
			t.Errorf("%s requests are left, want %d", got, left)
		}
	}
	b.get("/console/health").want(t, http.StatusOK, "requests a minute<b>5</b>", "Left in this minute<b>1</b>")
	b.post("/console/keys", "name", "counted", "once", "k1").want(t, http.StatusCreated)
	b.post("/console/keys", "name", "one too many", "once", "k2").want(t, http.StatusTooManyRequests, "Try again in", "plan free")
	b.get("/console/keys").want(t, http.StatusOK, "counted").lacks(t, "one too many")
}

// Whatever people name things, it is text; and none of it is another account's to see.
func TestPagesShowNothingOfOthers(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t)
	canary := testkit.Canary()
	hostile := canary + `<script>alert(1)</script>"'><img src=x onerror=alert(2)>`
	a, other := s.Account(t, testkit.Unlimited, 1_000_000), s.Account(t, testkit.Unlimited, 1_000_000)
	owner := as(t, s, a.Person(t, key.Owner))
	fill(t, a, owner, hostile)
	stranger := as(t, s, other.Person(t, key.Owner))
	for _, path := range pagePaths {
		mine := owner.get(path).want(t, http.StatusOK)
		if !strings.Contains(mine.body, canary) {
			t.Errorf("%s does not show what it should", path)
		}
		mine.lacks(t, "<script>alert", "<img src=x")
		if got := stranger.get(path); got.status >= 500 || strings.Contains(got.body, canary) {
			t.Errorf("%s shows another account's: %d", path, got.status)
		}
		newBrowser(t, s).get(path).leads(t, "/console/sign-in?to="+strings.NewReplacer("/", "%2F", "?", "%3F", "=", "%3D", "&", "%26").Replace(path))
	}
}

// pagePaths are the pages that show what fill makes.
var pagePaths = []string{
	"/console/keys", "/console/usage?by=key", "/console/models", "/console/people", "/console/audit", "/console/webhooks", "/console/projects", "/console/flows", "/console/agents",
	"/console/conversations", "/console/budgets", "/console/clients", "/console/privacy",
}

// fill makes one of everything that pages show, named so.
func fill(t *testing.T, a testkit.Account, b *browser, name string) {
	t.Helper()
	k := a.Key(t, func(in *key.CreateInput) { in.Name = name })
	spend(t, k.Text)
	a.Model(t, func(m *db.Model) { m.Name = name })
	b.post("/console/people", "email", testkit.Canary()+"@example.com", "name", name, "role", "member", "once", "f1").want(t, http.StatusCreated)
	b.post("/console/webhooks", "url", "http://127.0.0.1:1/"+name[:strings.Index(name, "<")], "events", "key.created", "once", "f2").want(t, http.StatusCreated)
	testkit.Shared(t).Do(t, testkit.Request{Path: "/api/v1/chat", Key: k.Text, Body: map[string]any{"message": name}}).Want(t, http.StatusOK)
	a.Agent(t, func(g *db.Agent) { g.Name = name })
	a.Conversation(t, func(c *db.Conversation) { c.Title = name })
	a.Project(t, func(p *db.Project) { p.Name = name })
	b.post("/console/flows", "name", name, "definition", testkit.Asking, "once", "f4").want(t, http.StatusSeeOther)
	b.post("/console/budgets", "kind", "end_user", "subject", name, "period", "day", "amount", "1", "once", "f5").want(t, http.StatusSeeOther)
	b.post("/console/clients", "name", name, "scopes", "webchat", "once", "f6").want(t, http.StatusCreated)
	b.post("/console/privacy", "do", "export", "scope", "end_user", "subject", name, "once", "f7").want(t, http.StatusSeeOther)
	b.post("/console/keys", "name", name, "once", "f3").want(t, http.StatusCreated)
}
