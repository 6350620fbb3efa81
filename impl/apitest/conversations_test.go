package apitest_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/db"
	"parley/gen/client/platform"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// talksBy lists the tenant's conversations, all pages of them.
func (x tenant) talksBy(t *testing.T, query string) []platform.Talk {
	t.Helper()
	var all []platform.Talk
	next := "/api/v1/admin/conversations?" + query
	for pages := 0; next != ""; pages++ {
		if pages > 50 {
			t.Fatal("the list does not end")
		}
		got := x.do(t, testkit.Request{Path: next}).Want(t, http.StatusOK)
		var page platform.TalkList
		got.JSON(t, &page)
		all = append(all, page...)
		next = nextPage.ReplaceAllString(got.Header.Get("Link"), "$1")
	}
	return all
}

func idsOf(talks []platform.Talk) []string {
	ids := []string{}
	for _, one := range talks {
		ids = append(ids, one.ID)
	}
	slices.Sort(ids)
	return ids
}

func (x tenant) transcript(t *testing.T, talkID string) platform.TalkTranscript {
	t.Helper()
	var got platform.TalkTranscript
	x.do(t, testkit.Request{Path: "/api/v1/admin/conversations/" + talkID}).Want(t, http.StatusOK).JSON(t, &got)
	return got
}

// One list has what was said on every surface, and finds it by what it is and by what was said.
func TestWhatWasSaidOnEverySurfaceIsListedAndFound(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.key = x.Key(t, testkit.Scopes("webchat", "characters", "chats", "engagement", "openai", "projects", "realtime", "admin"))
	x.id(t, "agent_id")
	agent := x.id(t, "agent_id")
	talk := x.Conversation(t, func(c *db.Conversation) { c.AgentID, c.Title = &agent, "100%_Sure" }, db.Message{Role: "user", Content: "Where is the ÄRMEL?"})
	visitor := "visitor-7"
	session := x.session(t, x.key.AppID, func(c *db.Conversation) { c.EndUser = &visitor })
	prompt := x.id(t, "prompt_id")
	realtime := x.id(t, "realtime_session")
	chat := x.WaitingChat(t, x.Flow(t, testkit.Asking).ID, x.key.ID).ID
	var response struct{ ID string }
	x.do(t, testkit.Request{Path: "/v1/responses", Body: map[string]any{"model": "parley-builtin", "input": "What is a zeppelin?"}}).Want(t, http.StatusOK).JSON(t, &response)
	x.do(t, testkit.Request{Path: "/v1/chat/completions", Body: map[string]any{"model": "parley-builtin", "store": false, "messages": []any{map[string]any{"role": "user", "content": "Unheard"}}}}).Want(t, http.StatusOK)
	answer := "turn_" + strings.TrimPrefix(response.ID, "resp_")
	project := x.aProject(t)
	everything := []string{talk.ID, session.ID, project.conversation.SessionID, realtime, chat, answer}
	slices.Sort(everything)
	since := url.QueryEscape(time.Now().Add(-time.Hour).Format(time.RFC3339))
	later := url.QueryEscape(time.Now().Add(time.Hour).Format(time.RFC3339))
	for query, want := range map[string][]string{
		"": everything, "limit=1": everything, "limit=2&from=" + since + "&to=" + later: everything, "from=" + later: {}, "to=" + since: {},
		"surface=characters": {talk.ID}, "surface=webchat&limit=1": {session.ID}, "surface=projects": {project.conversation.SessionID}, "surface=realtime": {realtime},
		"surface=chats": {chat}, "surface=openai": {answer}, "surface=engagement": {},
		"agent_id=" + agent: {talk.ID}, "project_id=" + x.id(t, "project_id"): {project.conversation.SessionID}, "project_id=" + x.id(t, "project_id") + "&surface=webchat": {},
		"end_user=visitor-7": {session.ID}, "end_user=visitor": {},
		"q=%C3%A4rmel": {talk.ID}, "q=100%25_s": {talk.ID}, "q=100_%25": {}, "q=zeppelin": {answer}, "q=nobody+said+this": {},
	} {
		if got := idsOf(x.talksBy(t, query)); !slices.Equal(got, want) {
			t.Errorf("%q finds %q, want %q", query, got, want)
		}
	}
	if got := idsOf(x.talksBy(t, "q=an+answer&limit=1")); !slices.Contains(got, session.ID) || !slices.Contains(got, project.conversation.SessionID) || slices.Contains(got, chat) {
		t.Errorf("in sessions and projects %q", got)
	}
	list := x.talksBy(t, "")
	if !slices.IsSortedFunc(list, func(a, b platform.Talk) int { return b.CreatedAt.Compare(a.CreatedAt) }) {
		t.Errorf("not the newest first: %+v", list)
	}
	for _, one := range []struct{ id, role, text string }{
		{talk.ID, "user", "Where is the ÄRMEL?"}, {session.ID, "assistant", "An answer"}, {project.conversation.SessionID, "assistant", "An answer"},
		{answer, "user", "What is a zeppelin?"}, {chat, "user", ""}, {realtime, "", ""},
	} {
		got := x.transcript(t, one.id)
		if one.role != "" && !slices.ContainsFunc(got.Messages, func(m platform.TalkMessage) bool {
			return string(m.Role) == one.role && (one.text == "" || m.Text == one.text)
		}) {
			t.Errorf("%s (prompt %s) lacks %q of %s: %+v", one.id, prompt, one.text, one.role, got.Messages)
		}
		if got.RunningTurnID != nil {
			t.Errorf("%s has a running answer %s", one.id, *got.RunningTurnID)
		}
	}
	x.do(t, testkit.Request{Path: "/api/v1/admin/conversations?cursor=bm9uZQ"}).Want(t, http.StatusNotFound)
	x.do(t, testkit.Request{Path: "/api/v1/admin/conversations?cursor=eyJ3ZWJjaGF0IjoiIMKgIn0"}).Want(t, http.StatusNotFound)
	x.do(t, testkit.Request{Path: "/api/v1/admin/conversations/none"}).Want(t, http.StatusNotFound)
	if got := newTenant(t).talksBy(t, ""); len(got) != 0 {
		t.Errorf("another account sees %+v", got)
	}
}

// A transcript comes in pages without gap or repeat.
func TestATranscriptIsPaged(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	var said []db.Message
	var want []string
	for _, text := range strings.Fields("one two three four five six seven") {
		said, want = append(said, db.Message{Role: "user", Content: text}), append(want, text)
	}
	c := x.Conversation(t, nil, said...)
	var got []string
	for next := "/api/v1/admin/conversations/" + c.ID + "?limit=3"; next != ""; {
		answer := x.do(t, testkit.Request{Path: next}).Want(t, http.StatusOK)
		var page platform.TalkTranscript
		answer.JSON(t, &page)
		for _, m := range page.Messages {
			got = append(got, m.Text)
		}
		next = nextPage.ReplaceAllString(answer.Header.Get("Link"), "$1")
	}
	if !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
	x.do(t, testkit.Request{Path: "/api/v1/admin/conversations/" + c.ID + "?cursor=9999999999999999"}).Want(t, http.StatusNotFound)
}

// While an answer is being made, the transcript names its turn, and the turn tells the words as they come.
func TestARunningAnswerIsNamedByItsConversation(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	asked, release := make(chan struct{}), make(chan struct{})
	x.Upstream(t, func(e *providertest.Exchange) {
		close(asked)
		<-release
		providertest.SSE("Hello")(e)
	})
	done := make(chan testkit.Response, 1)
	c := x.Conversation(t, func(c *db.Conversation) { model := testkit.UpstreamModel; c.ModelID = &model })
	go func() {
		done <- x.do(t, testkit.Request{Path: "/api/v1/conversations/" + c.ID + "/messages", Body: map[string]any{"content": "Hi"}})
	}()
	<-asked
	got := x.transcript(t, c.ID)
	if got.RunningTurnID == nil || len(got.Messages) != 1 {
		t.Fatalf("transcript %+v", got)
	}
	close(release)
	(<-done).Want(t, http.StatusCreated)
	events := x.do(t, testkit.Request{Path: "/api/v1/turns/" + *got.RunningTurnID + "/events"}).Want(t, http.StatusOK)
	if !strings.Contains(string(events.Body), "Hello") {
		t.Errorf("events %q", events.Body)
	}
	if got = x.transcript(t, c.ID); got.RunningTurnID != nil || len(got.Messages) != 2 {
		t.Errorf("afterwards %+v", got)
	}
}

// A transcript shows what an answer rests on: the passages, with where they are from.
func TestATranscriptShowsTheCitedPassages(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	c := x.Conversation(t, nil, db.Message{Role: "user", Content: "How long?"}, db.Message{Role: "assistant", Content: "Seven years [1]."})
	const cited = `[{"n":1,"page_id":"page_1","title":"Warranty","url":"https://example.com/w","excerpt":"Seven years."},{"n":3,"page_id":"page_2"}]`
	if _, err := sql(t, x.server).Exec(`update messages set citations = $1 where account_id = $2 and conversation_id = $3 and role = 'assistant'`, cited, x.ID, c.ID); err != nil {
		t.Fatal(err)
	}
	got := x.transcript(t, c.ID).Messages
	if len(got) != 2 || len(got[0].Passages) != 0 || got[0].Passages == nil || got[1].Citations != 2 || len(got[1].Passages) != 2 {
		t.Fatalf("read %+v", got)
	}
	first, second := got[1].Passages[0], got[1].Passages[1]
	if first.Number != 1 || first.Title != "Warranty" || first.URL == nil || *first.URL != "https://example.com/w" || first.Excerpt != "Seven years." {
		t.Errorf("the first passage is %+v", first)
	}
	if second.Number != 3 || second.Title != "" || second.URL != nil || second.Excerpt != "" {
		t.Errorf("the second passage is %+v", second)
	}
}
