package apitest_test

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"parley/db"
	"parley/impl/core/id"
	"parley/impl/core/key"
	"parley/impl/testkit"
)

// tenant is an account with a key and, once they are asked for, one of everything that requests name.
type tenant struct {
	testkit.Account
	server *testkit.Server
	key    key.Created
	things *things
	chosen map[string]string // ids that are named instead of the tenant's own
}

// idName is what the tenant calls what a parameter of the operation names.
func idName(op *testkit.Operation, parameter string) string {
	switch {
	case parameter == "session_id" && op.Surface() == "projects":
		return "project_session" // of another form than other sessions
	case (parameter == "document_id" || parameter == "site_id") && op.Surface() == "characters":
		return "agent_" + parameter
	case parameter == "session_id" && op.Surface() == "realtime":
		return "realtime_session"
	}
	if op.OperationID == "sendChatInput" {
		return "waiting_chat"
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
	x := tenant{Account: s.Account(t, plan, credit), server: s, things: &things{}}
	x.key = x.Key(t, testkit.Scopes("webchat", "characters", "chats", "engagement", "projects", "realtime", "admin", "operator"))
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
	r := testkit.Request{Method: op.Method, Path: op.Path}
	query := url.Values{}
	for _, p := range op.Params {
		switch {
		case p.Value.In == "path":
			r.Path = strings.Replace(r.Path, "{"+p.Value.Name+"}", x.id(t, idName(op, p.Value.Name)), 1)
		case p.Value.In == "cookie":
			r.Header = map[string]string{"Cookie": p.Value.Name + "=" + x.prepare(t).member.Session}
		case p.Value.In == "query" && p.Value.Required:
			query.Set(p.Value.Name, exampleText(p.Value.Example))
		}
	}
	r.Path = withQuery(r.Path, query)
	if op.WebSocket() {
		r.Header = handshake()
	}
	if op.JSONBody() != nil {
		r.Body = x.body(t, op)
	}
	if op.Form() != nil {
		r.Body = x.form(t, op)
	}
	return r
}

// exampleText is an example of a parameter as an address has it; of a list its first item.
func exampleText(example any) string {
	if list, ok := example.([]any); ok {
		example = list[0]
	}
	return example.(string)
}

// handshake are the headers that ask for a WebSocket.
func handshake() map[string]string {
	return map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	}
}

// form is the first example of the operation's form, ids and secrets replaced.
func (x tenant) form(t *testing.T, op *testkit.Operation) url.Values {
	t.Helper()
	examples := op.Form().Examples
	names := slices.Sorted(maps.Keys(examples))
	form := url.Values{}
	for name, value := range examples[names[0]].Value.Value.(map[string]any) {
		form.Set(name, value.(string))
		if secret := x.prepare(t).secrets[name]; secret != "" {
			form.Set(name, secret)
		}
	}
	return form
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
			body[name] = x.id(t, name)
		}
	}
	switch op.OperationID {
	case "createOfferedModel":
		body["type"] = "embedding" // so that it is no default
	case "createChat":
		body["from_flow"] = x.id(t, "flow_id")
	case "createTool":
		body["name"] = "tool_" + rand.Text()
	case "createUser":
		body["email"] = testkit.Canary() + "@example.com"
	case "signIn":
		body["email"], body["password"] = x.prepare(t).owner.Email, x.prepare(t).owner.Password
	case "setUp":
		if x.server.App != nil { // an edge without a server has no token
			body["token"] = x.server.App.SetUp
		}
	case "setPassword":
		body["token"] = x.prepare(t).owner.Link
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
	case scheme.Value.Extensions["x-key-prefix"] != nil:
		r.Header = maps.Clone(r.Header)
		r.Header[scheme.Value.Name] = scheme.Value.Extensions["x-key-prefix"].(string) + text
	case scheme.Value.In == openapi3.ParameterInQuery:
		r.Path = withQuery(r.Path, url.Values{scheme.Value.Name: {text}})
	case scheme.Value.Type == "apiKey" && scheme.Value.In == openapi3.ParameterInHeader:
		r.Header = maps.Clone(r.Header)
		if r.Header == nil {
			r.Header = map[string]string{}
		}
		r.Header[scheme.Value.Name] = text
	default:
		r.Key = text
	}
	return r
}

// badRequest is the status of what breaks a rule of the document.
func badRequest(op *testkit.Operation) int {
	if op.Surface() == "chats" {
		return http.StatusUnprocessableEntity
	}
	return http.StatusBadRequest
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
