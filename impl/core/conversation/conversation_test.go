package conversation_test

import (
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/agent"
	"parley/impl/core/conversation"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/key"
	"parley/impl/core/model"
	"parley/impl/core/provider"
	"parley/impl/core/provider/providertest"
	"parley/impl/core/secret"
	"parley/impl/core/turn"
)

const surface = "characters"

type bundle struct {
	*conversation.Service
	scripted *providertest.Scripted
	caller   key.Caller
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func setup(t *testing.T) *bundle {
	t.Helper()
	d := dbtest.New(t)
	box, err := secret.NewBox(strings.Repeat("k", 32))
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{scripted: providertest.NewScripted()}
	b.caller = key.Caller{AccountID: dbtest.Account(t, d, "unlimited", 0), KeyID: id.New(id.Key), AppID: id.New(id.App)}
	models := &model.Catalog{DB: d, Box: box, Now: now,
		Connect: func(string, string, bool) (provider.Provider, error) { return b.scripted, nil }}
	if _, _, err := models.Add(t.Context(), model.AddInput{AccountID: b.caller.AccountID, Name: "p", BaseURL: "http://p.test/v1"}); err != nil {
		t.Fatal(err)
	}
	turns := turn.New(d, models, slog.New(slog.DiscardHandler), now)
	t.Cleanup(func() { turns.Stop(t.Context()) })
	b.Service = &conversation.Service{DB: d, Models: models, Turns: turns, Now: now}
	return b
}

func (b *bundle) create(t *testing.T, in conversation.CreateInput) db.Conversation {
	t.Helper()
	in.AccountID, in.Surface, in.AppID, in.IDPrefix = b.caller.AccountID, surface, b.caller.AppID, id.Conversation
	if in.ModelID == "" {
		in.ModelID = "scripted"
	}
	c, err := b.Create(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (b *bundle) ask(t *testing.T, c db.Conversation, question string) turn.Answer {
	t.Helper()
	live, err := b.Ask(t.Context(), turn.Input{Caller: b.caller, Surface: surface, Conversation: &c, Question: question})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := live.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func wantKind(t testing.TB, err error, want fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != want {
		t.Errorf("got error %v, want a fault of kind %s", err, want)
	}
}

func contents(ms []db.Message) []string {
	var all []string
	for _, m := range ms {
		all = append(all, m.Role+": "+m.Content)
	}
	return all
}

func TestFirstMessagesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var first []provider.Message
	var want []string
	for i := range 30 {
		role := []provider.Role{provider.RoleUser, provider.RoleAssistant, provider.RoleSystem}[i%3]
		text := fmt.Sprintf("message %d, \"quoted\" {braces} \\ ü", i)
		first, want = append(first, provider.Message{Role: role, Content: text}), append(want, string(role)+": "+text)
	}
	c := b.create(t, conversation.CreateInput{Messages: first, Title: "t", SystemPrompt: "s"})
	ms, err := b.DB.Messages(t.Context(), c.AccountID, c.ID, 0, 100)
	if err != nil || !slices.Equal(contents(ms), want) {
		t.Errorf("stored %q, %v", contents(ms), err)
	}
	stored, err := b.Get(t.Context(), c.AccountID, surface, c.AppID, c.ID)
	if err != nil || stored.LastSeq != 30 || stored.Title != "t" || stored.SystemPrompt != "s" || !stored.CreatedAt.Equal(c.CreatedAt) {
		t.Errorf("conversation %+v, %v", stored, err)
	}
}

func TestTheModelReadsTheConversationSoFar(t *testing.T) {
	t.Parallel()
	b := setup(t)
	agents := &agent.Service{DB: b.DB, Models: b.Models, Now: now}
	ada, err := agents.Create(t.Context(), b.caller.AccountID, agent.CreateInput{Name: "Ada", PersonalityPrompt: "calm"})
	if err != nil {
		t.Fatal(err)
	}
	c := b.create(t, conversation.CreateInput{AgentID: ada.ID, SystemPrompt: "Be brief.",
		Messages: []provider.Message{{Role: provider.RoleAssistant, Content: "Welcome."}}})
	b.ask(t, c, "First?")
	c, err = b.Get(t.Context(), c.AccountID, surface, "", c.ID)
	if err != nil {
		t.Fatal(err)
	}
	b.ask(t, c, "Second?")
	var got []string
	for _, m := range b.scripted.Requests()[1].Messages {
		got = append(got, string(m.Role)+": "+m.Content)
	}
	want := []string{"system: " + agent.Persona(ada), "system: Be brief.", "assistant: Welcome.", "user: First?", "assistant: ok", "user: Second?"}
	if !slices.Equal(got, want) {
		t.Errorf("the model read %q, want %q", got, want)
	}
}

func TestPagesMeetWithoutGapOrRepeat(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := map[string]bool{}
	for range 7 {
		made[b.create(t, conversation.CreateInput{}).ID] = true
	}
	var seen []string
	for before := ""; ; {
		page, err := b.DB.Conversations(t.Context(), b.caller.AccountID, surface, before, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page {
			seen = append(seen, c.ID)
		}
		if len(page) < 3 {
			break
		}
		before = page[len(page)-1].ID
	}
	if newestFirst := slices.IsSortedFunc(seen, func(a, b string) int { return strings.Compare(b, a) }); !newestFirst || len(seen) != len(made) {
		t.Errorf("listed %q", seen)
	}
	if page, err := b.DB.Conversations(t.Context(), b.caller.AccountID, "webchat", "", 10); err != nil || len(page) != 0 {
		t.Errorf("another surface lists %+v, %v", page, err)
	}
}

func TestSessionsAreListedByTheirLatestMessage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	older, newer := b.create(t, conversation.CreateInput{}), b.create(t, conversation.CreateInput{})
	b.ask(t, older, "Hi")
	filter := db.SessionFilter{Surface: surface, AppID: b.caller.AppID, Limit: 10}
	list, err := b.DB.Sessions(t.Context(), b.caller.AccountID, filter)
	if err != nil || len(list) != 2 || list[0].ID != older.ID || list[0].Preview != "ok" || list[0].InputTokens == 0 {
		t.Errorf("sessions %+v, %v", list, err)
	}
	filter.Offset = 1
	if list, err = b.DB.Sessions(t.Context(), b.caller.AccountID, filter); err != nil || len(list) != 1 || list[0].ID != newer.ID {
		t.Errorf("second page %+v, %v", list, err)
	}
	filter = db.SessionFilter{Surface: surface, AppID: "app_other", Limit: 10}
	if list, err = b.DB.Sessions(t.Context(), b.caller.AccountID, filter); err != nil || len(list) != 0 {
		t.Errorf("another app's sessions %+v, %v", list, err)
	}
}

func TestTheNewestMessagesAreReadOldestFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var first []provider.Message
	for i := range 5 {
		first = append(first, provider.Message{Role: provider.RoleUser, Content: fmt.Sprint(i)})
	}
	c, d := b.create(t, conversation.CreateInput{Messages: first}), b.create(t, conversation.CreateInput{Messages: first[:1]})
	ms, err := b.DB.MessagesBefore(t.Context(), c.AccountID, c.ID, 1, 2)
	if got := contents(ms); err != nil || !slices.Equal(got, []string{"user: 2", "user: 3"}) {
		t.Errorf("read %q, %v", got, err)
	}
	for _, read := range []struct {
		limit int
		bytes int64
		want  []string
	}{{10, 3, []string{"user: 2", "user: 3", "user: 4"}}, {2, math.MaxInt64, []string{"user: 3", "user: 4"}}, {10, 1, []string{"user: 4"}}} {
		ms, err = b.DB.NewestMessages(t.Context(), c.AccountID, c.ID, read.limit, read.bytes)
		if got := contents(ms); err != nil || !slices.Equal(got, read.want) {
			t.Errorf("read %q of %d messages and %d bytes, not %q, %v", got, read.limit, read.bytes, read.want, err)
		}
	}
	ms, err = b.DB.MessagesOf(t.Context(), c.AccountID, []string{c.ID, d.ID}, 2)
	if got := contents(ms); err != nil || len(got) != 3 || !slices.Contains(got, "user: 3") || !slices.Contains(got, "user: 4") || !slices.Contains(got, "user: 0") {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestOnlyItsAccountSurfaceAndAppFindAConversation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.create(t, conversation.CreateInput{})
	stranger := dbtest.Account(t, b.DB, "free", 0)
	for name, where := range map[string][4]string{
		"another account": {stranger, surface, c.AppID, c.ID}, "any app of another account": {stranger, surface, "", c.ID},
		"another surface": {c.AccountID, "webchat", c.AppID, c.ID}, "another app": {c.AccountID, surface, "app_other", c.ID},
		"missing": {c.AccountID, surface, c.AppID, id.New(id.Conversation)}, "empty": {c.AccountID, surface, c.AppID, ""},
	} {
		_, err := b.Get(t.Context(), where[0], where[1], where[2], where[3])
		removed := b.Delete(t.Context(), where[0], where[1], where[2], where[3])
		wantKind(t, err, fault.NotFound)
		wantKind(t, removed, fault.NotFound)
		if n, err := b.DeleteAll(t.Context(), where[0], where[1], "app_other"); err != nil || n != 0 {
			t.Errorf("%s: %d deleted, %v", name, n, err)
		}
	}
	if _, err := b.Get(t.Context(), c.AccountID, surface, "", c.ID); err != nil {
		t.Error(err)
	}
}

func TestCreateRefusesWhatDoesNotExistAndStoresNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	in := conversation.CreateInput{AccountID: b.caller.AccountID, Surface: surface, AppID: b.caller.AppID, IDPrefix: id.Conversation}
	missingAgent, missingModel, badRole := in, in, in
	missingAgent.AgentID, missingModel.ModelID = id.New(id.Agent), "no such model"
	badRole.Messages = []provider.Message{{Role: "user", Content: "fine"}, {Role: "wizard", Content: "not"}}
	_, err := b.Create(t.Context(), missingAgent)
	wantKind(t, err, fault.NotFound)
	_, err = b.Create(t.Context(), missingModel)
	wantKind(t, err, fault.Invalid)
	if _, err = b.Create(t.Context(), badRole); err == nil {
		t.Error("a message of no known role was stored")
	}
	if list, err := b.DB.Conversations(t.Context(), b.caller.AccountID, surface, "", 10); err != nil || len(list) != 0 {
		t.Errorf("stored %+v, %v", list, err)
	}
}

func TestAPersonaGoneLeavesItsConversationAnswering(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.create(t, conversation.CreateInput{})
	gone := id.New(id.Agent)
	c.AgentID = &gone
	if answer := b.ask(t, c, "Still there?"); answer.Content != "ok" {
		t.Errorf("answer %+v", answer)
	}
}
