package apitest_test

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"parley/db"
	"parley/impl/core/id"
	"parley/impl/core/key"
	"parley/impl/core/knowledge"
	"parley/impl/core/model"
	"parley/impl/testkit"
)

// tenant is an account with a key and one of everything that requests name.
type tenant struct {
	testkit.Account
	server *testkit.Server
	key    key.Created
	people *people
	// ids and secrets by the names under which requests carry them
	ids, secrets map[string]string
}

// people are who may sign in to a tenant, and its OAuth clients.
type people struct {
	once          sync.Once
	owner, member testkit.Person
	bearer        string // an access token of the same app and with the same scopes as the tenant's key
}

// prepare makes the tenant's people, clients and plan, which few tests need.
func (x tenant) prepare(t *testing.T) *people {
	t.Helper()
	x.prepareProject(t)
	x.prepareKnowledge(t)
	x.people.once.Do(func() {
		client, token := x.OauthClient(t, "", "webchat")
		_, everything := x.OauthClient(t, x.key.AppID, x.key.Scopes...)
		x.people.bearer, x.people.owner, x.people.member = everything.Text, x.Person(t, key.Owner), x.Person(t, key.Member)
		x.ids["client_id"], x.ids["user_id"], x.ids["plan_name"] = client.ID, x.people.member.ID, x.Plan(t).Name
		x.ids["model_alias"], x.ids["response_id"] = testkit.Canary(), x.Response(t)
		if _, _, err := x.server.App.Models.PutAlias(t.Context(), db.Everyone, x.ids["model_alias"], model.BuiltInLLM); err != nil {
			t.Fatal(err)
		}
		x.secrets["client_id"], x.secrets["client_secret"], x.secrets["token"] = client.ID, client.Secret, token.Text
	})
	return x.people
}

// wantsPeople tells whether requests to the operation name what prepare makes.
func wantsPeople(op *testkit.Operation) bool {
	return op.Form() != nil || strings.Contains(op.Path, "{client_id}") || strings.Contains(op.Path, "{user_id}") ||
		strings.Contains(op.Path, "{plan_name}") || strings.Contains(op.Path, "{model_alias}") || strings.Contains(op.Path, "{response_id}") || strings.Contains(op.Path, "/sign-")
}

// prepareProject makes the tenant's project with what it holds, which only operations of projects name.
func (x tenant) prepareProject(t *testing.T) {
	t.Helper()
	if x.ids["project_id"] != "" {
		return
	}
	p := x.Project(t)
	c := x.ProjectConversation(t, p.ID)
	x.ids["project_id"], x.ids["project_session"] = strconv.FormatInt(p.ID, 10), c.SessionID
	x.ids["prompt_id"], x.ids["file_id"] = strconv.FormatInt(x.Prompt(t, c, "A question", "An answer"), 10), strconv.FormatInt(x.Picture(t), 10)
	page, source := x.ProjectPage(t, p, "hours.txt", "We open at nine."), x.ProjectSite(t, p, "http://127.0.0.1:9/")
	x.ids["page_id"], x.ids["citation_id"] = strconv.FormatInt(page.Number, 10), strconv.FormatInt(page.Number, 10)
	x.ids["source_id"] = strconv.FormatInt(source.Number, 10)
}

// prepareKnowledge makes the documents and sites of the tenant's app and agent, which few operations name.
func (x tenant) prepareKnowledge(t *testing.T) {
	t.Helper()
	if x.ids["document_id"] != "" {
		return
	}
	for prefix, holder := range map[string]knowledge.Holder{"": knowledge.App(x.key.AppID), "agent_": knowledge.Agent(x.ids["agent_id"])} {
		x.ids[prefix+"document_id"] = x.Document(t, holder, "hours.txt", "We open at nine.").ID
		x.ids[prefix+"site_id"] = x.Site(t, holder, "http://127.0.0.1:9/").ID
	}
}

// wantsKnowledge tells whether requests to the operation name what prepareKnowledge makes.
func wantsKnowledge(op *testkit.Operation) bool {
	return strings.Contains(op.Path, "{document_id}") || strings.Contains(op.Path, "{site_id}")
}

// wantsProject tells whether requests to the operation name what prepareProject makes.
func wantsProject(op *testkit.Operation) bool { return op.Surface() == "projects" }

// idName is what the tenant calls what a parameter of the operation names.
func idName(op *testkit.Operation, parameter string) string {
	switch {
	case parameter == "session_id" && wantsProject(op):
		return "project_session" // of another form than other sessions
	case (parameter == "document_id" || parameter == "site_id") && op.Surface() == "characters":
		return "agent_" + parameter
	}
	return parameter
}

const plenty = 1_000_000_000 // micro-units

// newTenant makes a tenant of the shared server, without a limit and with credit.
func newTenant(t *testing.T) tenant {
	t.Helper()
	return tenantOf(t, testkit.Shared(t), testkit.Unlimited, plenty)
}

func tenantOf(t *testing.T, s *testkit.Server, plan string, credit int64) tenant {
	t.Helper()
	x := tenant{Account: s.Account(t, plan, credit), server: s}
	x.key = x.Key(t, testkit.Scopes("webchat", "characters", "engagement", "projects", "admin", "operator"))
	session := x.session(t, x.key.AppID)
	hook := x.Webhook(t, "http://127.0.0.1:9/nobody")
	x.people, x.secrets = &people{}, map[string]string{}
	x.ids = map[string]string{
		"account_id":        x.ID,
		"agent_id":          x.Agent(t).ID,
		"plan_name":         "",
		"model_alias":       "",
		"conversation_id":   x.Conversation(t, nil).ID,
		"image_id":          x.Image(t).ID,
		"file_name":         x.fileName(t),
		"session_id":        session.ID,
		"turn_id":           x.Turn(t).ID,
		"response_id":       "",
		"budget_id":         x.budget(t, "key", x.key.ID, "month", plenty).ID,
		"key_id":            x.Key(t).ID,
		"webhook_id":        hook.ID,
		"export_id":         x.Export(t).ID,
		"erasure_id":        x.Erasure(t).ID,
		"delivery_id":       x.Delivery(t, hook.ID).ID,
		"app_id":            x.key.AppID,
		"rule_id":           x.Rule(t).ID,
		"end_user":          "customer-" + strings.ToLower(rand.Text()),
		"client_id":         "",
		"document_id":       "",
		"agent_document_id": "",
		"agent_site_id":     "",
		"site_id":           "",
		"project_id":        "",
		"project_session":   "",
		"prompt_id":         "",
		"file_id":           "",
		"page_id":           "",
		"citation_id":       "",
		"source_id":         "",
		"user_id":           "",
		"llm_id":            x.Model(t).ID,
		"model_id":          x.Model(t).ID,
		"provider_id":       x.provider(t).ID,
		"sd_model_id":       x.Model(t, func(m *db.Model) { m.Kind = model.KindSD }).ID,
	}
	x.AgentState(t, x.ids["agent_id"], x.ids["end_user"])
	return x
}

// session stores a session of an app with a question and its answer.
func (x tenant) session(t *testing.T, appID string, edits ...func(*db.Conversation)) db.Conversation {
	t.Helper()
	return x.Conversation(t, func(c *db.Conversation) {
		c.ID, c.Surface, c.AppID, c.ModelID, c.Title = id.New(id.Session), "webchat", appID, nil, ""
		c.Preview, c.InputTokens, c.OutputTokens = "An answer", 3, 4
		for _, edit := range edits {
			edit(c)
		}
	}, db.Message{Role: "user", Content: "A question"}, db.Message{Role: "assistant", Content: "An answer"})
}

// do sends a request with the tenant's key.
func (x tenant) do(t *testing.T, r testkit.Request) testkit.Response {
	t.Helper()
	r.Key = x.key.Text
	return x.server.Do(t, r)
}

// sample is a request to the operation that succeeds, from the document's
// examples and the tenant's ids, without a credential.
func (x tenant) sample(t *testing.T, op *testkit.Operation) testkit.Request {
	t.Helper()
	if wantsPeople(op) {
		x.prepare(t)
	}
	if wantsProject(op) {
		x.prepareProject(t)
	}
	if wantsKnowledge(op) {
		x.prepareKnowledge(t)
	}
	r := testkit.Request{Method: op.Method, Path: op.Path}
	query := url.Values{}
	for _, p := range op.Params {
		switch {
		case p.Value.In == "path":
			r.Path = strings.Replace(r.Path, "{"+p.Value.Name+"}", x.idFor(t, idName(op, p.Value.Name)), 1)
		case p.Value.In == "cookie":
			r.Header = map[string]string{"Cookie": p.Value.Name + "=" + x.people.member.Session}
		case p.Value.In == "query" && p.Value.Required:
			query.Set(p.Value.Name, p.Value.Example.(string))
		}
	}
	r.Path = withQuery(r.Path, query)
	if op.JSONBody() != nil {
		r.Body = x.body(t, op)
	}
	if op.Form() != nil {
		r.Body = x.form(t, op)
	}
	return r
}

// form is the first example of the operation's form, ids and secrets replaced.
func (x tenant) form(t *testing.T, op *testkit.Operation) url.Values {
	t.Helper()
	examples := op.Form().Examples
	names := slices.Sorted(maps.Keys(examples))
	form := url.Values{}
	for name, value := range examples[names[0]].Value.Value.(map[string]any) {
		form.Set(name, value.(string))
		if x.secrets[name] != "" {
			form.Set(name, x.secrets[name])
		}
	}
	return form
}

func (x tenant) idFor(t *testing.T, name string) string {
	t.Helper()
	if x.ids[name] == "" {
		t.Fatalf("the tenant of the tests has no %s: make one in tenant_test.go", name)
	}
	return x.ids[name]
}

// body is the first example of the operation's body as an object, ids replaced.
func (x tenant) body(t *testing.T, op *testkit.Operation) map[string]any {
	t.Helper()
	examples := op.RequestBody.Value.Content["application/json"].Examples
	names := slices.Sorted(maps.Keys(examples))
	body := clone(t, examples[names[0]].Value.Value)
	delete(body, "stream")
	delete(body, "api_key")
	if _, ok := body["subject"]; ok {
		body["subject"] = testkit.Canary() // one budget each
	}
	for name := range body {
		if strings.HasSuffix(name, "_id") && !isOwnName(op, name) {
			body[name] = x.idFor(t, name)
		}
	}
	switch op.OperationID {
	case "createOfferedModel":
		body["type"] = "embedding" // so that it is no default
	case "createUser":
		body["email"] = testkit.Canary() + "@example.com"
	case "signIn":
		body["email"], body["password"] = x.people.owner.Email, x.people.owner.Password
	case "setPassword":
		body["token"] = x.people.owner.Link
	}
	return body
}

// isOwnName tells whether a member of the body is a name of the caller's own choice, not of something stored.
func isOwnName(op *testkit.Operation, name string) bool {
	return op.Tags[0] == "engagement" && (name == "user_id" || name == "event_id")
}

func clone(t *testing.T, value any) map[string]any {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(raw, &body); err != nil {
		t.Fatal(err)
	}
	return body
}

func withQuery(path string, query url.Values) string {
	if len(query) == 0 {
		return path
	}
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return path + separator + query.Encode()
}

// credentials lists how the operation takes a key, in the words of the
// contract log: a scheme's name, or "body".
func credentials(op *testkit.Operation) []string {
	requirements := testkit.Document().Security
	if op.Security != nil {
		requirements = *op.Security
	}
	var all []string
	for _, alternative := range requirements {
		if len(alternative) == 0 {
			all = append(all, "body")
		}
		all = append(all, slices.Sorted(maps.Keys(alternative))...)
	}
	return slices.Compact(all)
}

// present puts a key into a request where the credential says.
func present(r testkit.Request, credential, text string) testkit.Request {
	scheme := testkit.Document().Components.SecuritySchemes[credential]
	switch {
	case credential == "body":
		body := maps.Clone(r.Body.(map[string]any))
		body["api_key"] = text
		r.Body = body
	case scheme.Value.In == openapi3.ParameterInCookie:
		r.Header = map[string]string{"Cookie": scheme.Value.Name + "=" + text}
	case scheme.Value.In == openapi3.ParameterInQuery:
		r.Path = withQuery(r.Path, url.Values{scheme.Value.Name: {text}})
	default:
		r.Key = text
	}
	return r
}

// eachOperation runs a test for every operation of the document that wants a key.
func eachOperation(t *testing.T, test func(t *testing.T, op *testkit.Operation)) {
	t.Helper()
	for _, op := range testkit.Operations() {
		if op.Public() {
			continue
		}
		t.Run(op.OperationID, func(t *testing.T) {
			t.Parallel()
			test(t, op)
		})
	}
}

// streams tells whether the operation can answer with a stream.
func streams(op *testkit.Operation) bool {
	for _, response := range op.Responses.Map() {
		if response.Value.Content["text/event-stream"] != nil {
			return true
		}
	}
	return false
}
