package testkit

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/id"
	"parley/impl/core/key"
	"parley/impl/core/model"
	"parley/impl/core/oauth"
	"parley/impl/core/provider"
	"parley/impl/core/provider/providertest"
	"parley/impl/core/turn"
)

// Account is a tenant of a server, with factories for what belongs to it.
type Account struct {
	ID     string
	server *Server
}

// Unlimited is the plan without a limit, for tests of anything but limits.
const Unlimited = "unlimited"

// Account stores an account on a plan ("free", "pro", "unlimited") with credit in micro-units.
func (s *Server) Account(t testing.TB, plan string, creditMicros int64) Account {
	t.Helper()
	return Account{ID: dbtest.Account(t, s.DB, plan, creditMicros), server: s}
}

// Key makes a key as an operator does: secret, for every surface but platform,
// with an app of its own, unless edits say otherwise.
func (a Account) Key(t testing.TB, edits ...func(*key.CreateInput)) key.Created {
	t.Helper()
	in := key.CreateInput{AccountID: a.ID, Name: t.Name()}
	for _, edit := range edits {
		edit(&in)
	}
	if len(in.Name) > 200 {
		in.Name = in.Name[:200]
	}
	created, err := a.server.App.Keys.Create(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return created
}

// OauthClient makes an OAuth client of an app ("" is one of its own) that
// holds these scopes, with a token for all of them.
func (a Account) OauthClient(t testing.TB, appID string, scopes ...string) (oauth.Created, oauth.Token) {
	t.Helper()
	by := key.Caller{AccountID: a.ID, Scopes: []string{key.ScopeAdmin, key.ScopeOperator}}
	made, err := a.server.App.OAuth.Create(t.Context(), oauth.CreateInput{By: by, Name: "A client", Scopes: scopes, AppID: appID})
	if err != nil {
		t.Fatal(err)
	}
	token, err := a.server.App.OAuth.Issue(t.Context(), made.OauthClient, "")
	if err != nil {
		t.Fatal(err)
	}
	return made, token
}

// Plan defines a plan that nobody has.
func (a Account) Plan(t testing.TB) db.Plan {
	t.Helper()
	limit := 250
	p := db.Plan{Name: "plan-" + a.ID[len(a.ID)-24:], RequestsPerMinute: &limit}
	if _, err := a.server.App.Accounts.PutPlan(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	// Plans are the server's: those of all tests together would exceed what a list may hold.
	t.Cleanup(func() { _ = a.server.DB.DeletePlan(context.WithoutCancel(t.Context()), p.Name) }) // gone already, or in use
	return p
}

// Scopes makes a key with these scopes alone.
func Scopes(scopes ...string) func(*key.CreateInput) {
	return func(in *key.CreateInput) { in.Scopes = scopes }
}

// Publishable makes a key for web pages of these origins.
func Publishable(origins ...string) func(*key.CreateInput) {
	return func(in *key.CreateInput) { in.Kind, in.Origins = key.Publishable, origins }
}

// Origins binds a secret key to origins.
func Origins(origins ...string) func(*key.CreateInput) {
	return func(in *key.CreateInput) { in.Origins = origins }
}

// Expires ends a key at a time.
func Expires(at time.Time) func(*key.CreateInput) {
	return func(in *key.CreateInput) { in.ExpiresAt = &at }
}

// Plan gives a key a plan of its own.
func Plan(name string) func(*key.CreateInput) {
	return func(in *key.CreateInput) { in.Plan = name }
}

// App makes a key of an existing app.
func App(appID string) func(*key.CreateInput) {
	return func(in *key.CreateInput) { in.AppID = appID }
}

// AnsweredBy makes a key whose app an agent answers for.
func AnsweredBy(agentID string) func(*key.CreateInput) {
	return func(in *key.CreateInput) { in.AgentID = agentID }
}

// Revoke ends a key.
func (a Account) Revoke(t testing.TB, keyID string) {
	t.Helper()
	if err := a.server.App.Keys.Revoke(t.Context(), keyID); err != nil {
		t.Fatal(err)
	}
}

// Agent stores an agent.
func (a Account) Agent(t testing.TB, edits ...func(*db.Agent)) db.Agent {
	t.Helper()
	row := db.Agent{AccountID: a.ID, ID: id.New(id.Agent), Name: "Ada", CreatedAt: now()}
	for _, edit := range edits {
		edit(&row)
	}
	if err := a.server.DB.InsertAgent(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	return row
}

// Conversation stores a conversation of the surface characters with the
// built-in model and these messages.
func (a Account) Conversation(t testing.TB, edit func(*db.Conversation), messages ...db.Message) db.Conversation {
	t.Helper()
	modelID := model.BuiltInLLM
	row := db.Conversation{
		AccountID: a.ID, ID: id.New(id.Conversation), Surface: "characters", AppID: "app_none", ModelID: &modelID,
		Title: "A conversation", LastSeq: int64(len(messages)), CreatedAt: now(), LastMessageAt: now(),
	}
	if edit != nil {
		edit(&row)
	}
	for i := range messages {
		if messages[i].ID == "" {
			messages[i].ID, messages[i].CreatedAt = id.New(id.Message), row.CreatedAt
		}
	}
	err := a.server.DB.InTx(t.Context(), func(q *db.Queries) error {
		if err := q.InsertConversation(t.Context(), row); err != nil {
			return err
		}
		return q.InsertMessages(t.Context(), a.ID, row.ID, messages)
	})
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// Turn stores an ended turn of the surface characters, without a conversation:
// a completion in two pieces, which another app than the account's keys' made.
func (a Account) Turn(t testing.TB) db.Turn {
	t.Helper()
	return a.turn(t, "characters", "{}", turn.Event{Kind: turn.Delta, Text: "An"}, turn.Event{Kind: turn.Delta, Text: " answer"})
}

// Response stores a response that was completed, and returns its id.
func (a Account) Response(t testing.TB) string {
	t.Helper()
	asked := `{"items":[{"type":"message","role":"user","content":[{"type":"input_text","text":"A question"}]}],"response":{}}`
	made := a.turn(t, "openai", `{"api":"responses"}`, turn.Event{Kind: turn.Asked, Text: asked, Model: model.BuiltInLLM}, turn.Event{Kind: turn.Delta, Text: "An answer"})
	return strings.Replace(made.ID, "turn_", "resp_", 1)
}

func (a Account) turn(t testing.TB, surface, options string, log ...turn.Event) db.Turn {
	t.Helper()
	ctx, at := t.Context(), now()
	row := db.Turn{
		AccountID: a.ID, ID: id.New(id.Turn), Surface: surface, AppID: "app_none", KeyID: "key_none", ModelID: model.BuiltInLLM,
		State: db.TurnRunning, Owner: "srv_none", Lease: time.Hour, Options: []byte(options), CreatedAt: at,
	}
	if _, err := a.server.DB.BeginTurn(ctx, row, db.Beginning{}); err != nil {
		t.Fatal(err)
	}
	row.State, row.EndedAt, row.LastEvent, row.InputTokens, row.OutputTokens = db.TurnCompleted, &at, 3, 5, 2
	log = append(log, turn.Event{Kind: turn.Completed, MessageID: id.New(id.Message), At: at, Finish: provider.FinishStop})
	for i := range log {
		log[i].N = int64(i + 1)
	}
	events, err := json.Marshal(log)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.server.DB.EndTurn(ctx, row, db.Ending{EntryID: id.New(id.Entry), FirstEvent: 1, Events: events}); err != nil {
		t.Fatal(err)
	}
	return row
}

// lastRank is behind the built-in model: a model becomes the account's default by a lower rank.
const lastRank = 2_000_000

// Model stores a model of the account that the built-in provider runs. It is
// not the default unless an edit ranks it so.
func (a Account) Model(t testing.TB, edits ...func(*db.Model)) db.Model {
	t.Helper()
	ctx := t.Context()
	p := db.Provider{AccountID: a.ID, ID: model.BuiltInProvider, Name: "Built-in", Kind: "builtin", CreatedAt: now()}
	row := db.Model{
		AccountID: a.ID, ID: id.New(id.Model), ProviderID: p.ID, Kind: model.KindLLM, Name: "A model",
		UpstreamName: provider.BuiltInID, ContextTokens: 8192, MaxOutputTokens: 1024, Rank: lastRank, Enabled: true, CreatedAt: now(),
	}
	for _, edit := range edits {
		edit(&row)
	}
	if err := a.server.DB.PutProvider(ctx, p); err != nil {
		t.Fatal(err)
	}
	if err := a.server.DB.PutModel(ctx, row); err != nil {
		t.Fatal(err)
	}
	return row
}

// Priced sets a model's prices in micro-units per 1,000 tokens.
func Priced(input, output int64) func(*db.Model) {
	return func(m *db.Model) { m.InputMicrosPer1K, m.OutputMicrosPer1K = input, output }
}

// UpstreamModel is the one model that an upstream of providertest offers.
const UpstreamModel = "upstream-model"

// Upstream starts an OpenAI-compatible API and makes it the account's
// provider: its model is the account's default.
func (a Account) Upstream(t testing.TB, answers ...providertest.Answer) *providertest.Upstream {
	t.Helper()
	u := providertest.NewUpstream(t, answers...)
	in := model.AddInput{AccountID: a.ID, Name: "Upstream", BaseURL: u.URL, Key: "upstream-key-" + rand.Text()}
	if _, _, err := a.server.App.Models.Add(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	return u
}

// Price prices a model of the account, in micro-units per 1,000 tokens.
func (a Account) Price(t testing.TB, modelID string, input, output int64) {
	t.Helper()
	if err := a.server.App.Models.SetPrice(t.Context(), a.ID, modelID, input, output, 0); err != nil {
		t.Fatal(err)
	}
}

// Money returns the account's figures.
func (a Account) Money(t testing.TB) db.Account {
	t.Helper()
	row, err := a.server.DB.Account(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// Canary is a text that occurs nowhere else.
func Canary() string { return "canary" + strings.ToLower(rand.Text()) }

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
