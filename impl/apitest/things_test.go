package apitest_test

import (
	"crypto/rand"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"parley/db"
	"parley/impl/core/key"
	"parley/impl/core/knowledge"
	"parley/impl/core/model"
	"parley/impl/testkit"
)

// things are what a tenant's requests name, by the names under which they carry
// it. Each is made when it is first asked for: there are many, and a test needs few.
type things struct {
	mu      sync.Mutex
	of      map[string]*thing
	people  people
	project projectThings
}

type thing struct {
	once sync.Once
	id   string
}

// people are who may sign in to a tenant, and its OAuth clients.
type people struct {
	once          sync.Once
	owner, member testkit.Person
	bearer        string            // an access token of the same app and with the same scopes as the tenant's key
	secrets       map[string]string // of a client, by the names under which forms carry them
}

// projectThings is a project with a conversation.
type projectThings struct {
	once         sync.Once
	project      db.Project
	conversation db.ProjectConversation
}

// makers make what requests name.
func makers() map[string]func(tenant, *testing.T) string {
	return map[string]func(tenant, *testing.T) string{
		"account_id":        func(x tenant, _ *testing.T) string { return x.ID },
		"agent_document_id": tenant.agentDocument,
		"agent_site_id":     tenant.agentSite,
		"agent_id":          func(x tenant, t *testing.T) string { return x.Agent(t).ID },
		"app_id":            func(x tenant, _ *testing.T) string { return x.key.AppID },
		"budget_id":         func(x tenant, t *testing.T) string { return x.budget(t, "key", x.key.ID, "month", plenty).ID },
		"citation_id":       func(x tenant, t *testing.T) string { return x.id(t, "page_id") },
		"client_id":         func(x tenant, t *testing.T) string { return x.prepare(t).secrets["client_id"] },
		"conversation_id":   func(x tenant, t *testing.T) string { return x.Conversation(t, nil).ID },
		"delivery_id":       func(x tenant, t *testing.T) string { return x.Delivery(t, x.id(t, "webhook_id")).ID },
		"document_id": func(x tenant, t *testing.T) string {
			return x.Document(t, knowledge.App(x.key.AppID), "hours.txt", "We open at nine.").ID
		},
		"chat_id":         func(x tenant, t *testing.T) string { return x.Chat(t, x.id(t, "flow_id")).ID },
		"end_user":        tenant.endUserWithState,
		"erasure_id":      func(x tenant, t *testing.T) string { return x.Erasure(t).ID },
		"export_id":       func(x tenant, t *testing.T) string { return x.Export(t).ID },
		"file_id":         func(x tenant, t *testing.T) string { return strconv.FormatInt(x.Picture(t), 10) },
		"file_name":       tenant.fileName,
		"flow_id":         func(x tenant, t *testing.T) string { return x.Flow(t).ID },
		"image_id":        func(x tenant, t *testing.T) string { return x.Image(t).ID },
		"key_id":          func(x tenant, t *testing.T) string { return x.Key(t).ID },
		"license_id":      tenant.projectLicense,
		"llm_id":          func(x tenant, t *testing.T) string { return x.Model(t).ID },
		"message_id":      tenant.sessionAnswer,
		"model_alias":     tenant.alias,
		"model_id":        func(x tenant, t *testing.T) string { return x.Model(t).ID },
		"page_id":         tenant.projectPage,
		"plan_name":       func(x tenant, t *testing.T) string { return x.Plan(t).Name },
		"project_id":      func(x tenant, t *testing.T) string { return strconv.FormatInt(x.aProject(t).project.ID, 10) },
		"project_session": func(x tenant, t *testing.T) string { return x.aProject(t).conversation.SessionID },
		"prompt_id":       tenant.projectPrompt,
		"provider_id":     func(x tenant, t *testing.T) string { return x.provider(t).ID },
		"response_id":     func(x tenant, t *testing.T) string { return x.Response(t) },
		"rule_id":         func(x tenant, t *testing.T) string { return x.Rule(t).ID },
		"sd_model_id":     func(x tenant, t *testing.T) string { return x.Model(t, ofKind(model.KindSD)).ID },
		"session_id":      func(x tenant, t *testing.T) string { return x.session(t, x.key.AppID).ID },
		"site_id": func(x tenant, t *testing.T) string {
			return x.Site(t, knowledge.App(x.key.AppID), "http://127.0.0.1:9/").ID
		},
		"source_id": tenant.projectSource,
		"tool_id":   func(x tenant, t *testing.T) string { return x.Tool(t).ID },
		"turn_id":   func(x tenant, t *testing.T) string { return x.Turn(t).ID },
		"upload_id": func(x tenant, t *testing.T) string {
			return x.Image(t, func(i *db.Image) { i.Purpose, i.ModelID = db.ImageUpload, nil }).ID
		},
		"user_id":          func(x tenant, t *testing.T) string { return x.prepare(t).member.ID },
		"webhook_id":       func(x tenant, t *testing.T) string { return x.Webhook(t, "http://127.0.0.1:9/nobody").ID },
		"realtime_session": func(x tenant, t *testing.T) string { return x.RealtimeSession(t, x.key.AppID) },
		"waiting_chat": func(x tenant, t *testing.T) string {
			return x.WaitingChat(t, x.Flow(t, testkit.Asking).ID, x.key.ID).ID
		},
	}
}

// id is what the tenant has under a name.
func (x tenant) id(t *testing.T, name string) string {
	t.Helper()
	if chosen := x.chosen[name]; chosen != "" {
		return chosen
	}
	makeIt := makers()[name]
	if makeIt == nil {
		t.Fatalf("the tenant of the tests has no %s: make one in things_test.go", name)
	}
	x.things.mu.Lock()
	if x.things.of == nil {
		x.things.of = map[string]*thing{}
	}
	one := x.things.of[name]
	if one == nil {
		one = &thing{}
		x.things.of[name] = one
	}
	x.things.mu.Unlock()
	one.once.Do(func() { one.id = makeIt(x, t) })
	return one.id
}

// choosing is the tenant with something else under a name.
func (x tenant) choosing(name, id string) tenant {
	chosen := maps.Clone(x.chosen)
	if chosen == nil {
		chosen = map[string]string{}
	}
	chosen[name] = id
	x.chosen = chosen
	return x
}

// tenantWith is a new tenant that has what is named, where a test counts it.
func tenantWith(t *testing.T, names ...string) tenant {
	t.Helper()
	x := newTenant(t)
	for _, name := range names {
		x.id(t, name)
	}
	return x
}

// everything makes all that requests can name.
func (x tenant) everything(t *testing.T) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(makers())) {
		x.id(t, name)
	}
}

// prepare makes the tenant's people and clients.
func (x tenant) prepare(t *testing.T) *people {
	t.Helper()
	p := &x.things.people
	p.once.Do(func() {
		client, token := x.OauthClient(t, "", "webchat")
		_, everything := x.OauthClient(t, x.key.AppID, x.key.Scopes...)
		p.bearer, p.owner, p.member = everything.Text, x.Person(t, key.Owner), x.Person(t, key.Member)
		p.secrets = map[string]string{"client_id": client.ID, "client_secret": client.Secret, "token": token.Text}
	})
	return p
}

func (x tenant) aProject(t *testing.T) *projectThings {
	t.Helper()
	p := &x.things.project
	p.once.Do(func() {
		p.project = x.Project(t, func(p *db.Project) { p.Licensed = true })
		plugin := db.ProjectPlugin{AccountID: x.ID, ProjectID: p.project.ID, ModelName: "help", HumanName: "Help"}
		if _, err := x.server.App.Projects().PutPlugin(t.Context(), plugin); err != nil {
			t.Fatal(err)
		}
		p.conversation = x.ProjectConversation(t, p.project.ID)
	})
	return p
}

func (x tenant) projectPrompt(t *testing.T) string {
	t.Helper()
	return strconv.FormatInt(x.Prompt(t, x.aProject(t).conversation, "A question", "An answer"), 10)
}

func (x tenant) projectPage(t *testing.T) string {
	t.Helper()
	return strconv.FormatInt(x.ProjectPage(t, x.aProject(t).project, "hours.txt", "We open at nine.").Number, 10)
}

func (x tenant) projectSource(t *testing.T) string {
	t.Helper()
	return strconv.FormatInt(x.ProjectSite(t, x.aProject(t).project, "http://127.0.0.1:9/").Number, 10)
}

// ownAgent is the tenant's agent, whichever a request names.
func (x tenant) ownAgent(t *testing.T) knowledge.Holder {
	t.Helper()
	x.chosen = nil
	return knowledge.Agent(x.id(t, "agent_id"))
}

func (x tenant) agentDocument(t *testing.T) string {
	t.Helper()
	return x.Document(t, x.ownAgent(t), "hours.txt", "We open at nine.").ID
}

func (x tenant) agentSite(t *testing.T) string {
	t.Helper()
	return x.Site(t, x.ownAgent(t), "http://127.0.0.1:9/").ID
}

func (x tenant) projectLicense(t *testing.T) string {
	t.Helper()
	l, _, err := x.server.App.Projects().AddLicense(t.Context(), x.ID, x.aProject(t).project.ID, "A branch")
	if err != nil {
		t.Fatal(err)
	}
	return strconv.FormatInt(l.ID, 10)
}

func (x tenant) alias(t *testing.T) string {
	t.Helper()
	name := testkit.Canary()
	if _, _, err := x.server.App.Models.PutAlias(t.Context(), db.Everyone, name, model.BuiltInLLM); err != nil {
		t.Fatal(err)
	}
	return name
}

// endUserWithState is somebody of whom the tenant's agent remembers something.
func (x tenant) endUserWithState(t *testing.T) string {
	t.Helper()
	user := "customer-" + strings.ToLower(rand.Text())
	x.AgentState(t, x.id(t, "agent_id"), user)
	return user
}

func ofKind(kind string) func(*db.Model) { return func(m *db.Model) { m.Kind = kind } }

// sessionAnswer is the answer of the tenant's session.
func (x tenant) sessionAnswer(t *testing.T) string {
	t.Helper()
	messages, err := x.server.DB.Messages(t.Context(), x.ID, x.id(t, "session_id"), 0, 10)
	for _, m := range messages {
		if m.Role == "assistant" {
			return m.ID
		}
	}
	t.Fatalf("the session has no answer: %v", err)
	return ""
}
