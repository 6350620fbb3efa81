package apitest_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"parley/db"
	"parley/gen/client/webchat"
	"parley/impl/testkit"
)

func (x tenant) sessions(t *testing.T, query string) webchat.SessionList {
	t.Helper()
	var list webchat.SessionList
	x.do(t, testkit.Request{Path: "/api/v1/sessions" + query}).Want(t, http.StatusOK).JSON(t, &list)
	return list
}

func sessionIDs(list webchat.SessionList) []string {
	var ids []string
	for _, s := range list.Sessions {
		ids = append(ids, s.SessionID)
	}
	return ids
}

func TestSessionsArePagedWithTheLatestFirst(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.key = x.Key(t) // an app without sessions
	var want []string
	for i := range 7 {
		at := time.Now().Add(-time.Duration(i) * time.Hour)
		want = append(want, x.session(t, x.key.AppID, func(c *db.Conversation) { c.LastMessageAt = at }).ID)
	}
	var got []string
	for page := 1; ; page++ {
		list := x.sessions(t, fmt.Sprintf("?page=%d&per_page=3", page))
		if list.Meta.CurrentPage != int32(page) || list.Meta.PerPage != 3 {
			t.Errorf("page %d calls itself %+v", page, list.Meta)
		}
		got = append(got, sessionIDs(list)...)
		if !list.Meta.HasMore {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if list := x.sessions(t, "?page=1000000&per_page=100"); len(list.Sessions) != 0 || list.Meta.HasMore {
		t.Errorf("beyond the last page: %+v", list)
	}
	if list := x.sessions(t, "?per_page=7"); list.Meta.HasMore {
		t.Error("a full last page promises more")
	}
}

func TestIncludeAllAddsOtherAppsEndedSessionsAndMessages(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	own := x.id(t, "session_id")
	ended := x.session(t, x.key.AppID, func(c *db.Conversation) { c.LastMessageAt = time.Now().AddDate(0, -6, 0) })
	other := x.session(t, x.Key(t).AppID)
	foreign := newTenant(t).id(t, "session_id")
	plain := x.sessions(t, "")
	if got := sessionIDs(plain); !slices.Equal(got, []string{own}) {
		t.Errorf("without include_all: %v", got)
	}
	if plain.Sessions[0].Messages != nil {
		t.Error("messages without include_all")
	}
	all := x.sessions(t, "?include_all=true")
	got := sessionIDs(all)
	for _, id := range []string{own, ended.ID, other.ID} {
		if !slices.Contains(got, id) {
			t.Errorf("include_all misses %s", id)
		}
	}
	if len(got) != 3 || slices.Contains(got, foreign) {
		t.Errorf("include_all shows %v", got)
	}
	for _, s := range all.Sessions {
		if len(s.Messages) != 2 || s.Messages[0].Role != "user" || s.Messages[1].Content != "An answer" {
			t.Errorf("session %s with messages %+v", s.SessionID, s.Messages)
		}
	}
}

func TestHistoryIsPagedFromTheLatestMessages(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	messages := make([]db.Message, 5)
	for i := range messages {
		messages[i] = db.Message{Role: "user", Content: fmt.Sprint(i + 1)}
	}
	c := x.Conversation(t, func(c *db.Conversation) { c.Surface, c.AppID = "webchat", x.key.AppID }, messages...)
	for page, want := range [][]string{{"4", "5"}, {"2", "3"}, {"1"}, nil} {
		var got webchat.SessionHistory
		x.do(t, testkit.Request{Path: fmt.Sprintf("/api/v1/sessions/%s?page=%d&per_page=2", c.ID, page+1)}).Want(t, http.StatusOK).JSON(t, &got)
		var contents []string
		for _, m := range got.Session.Messages {
			contents = append(contents, m.Content)
		}
		if !slices.Equal(contents, want) || got.Meta.HasMore != (page < 2) {
			t.Errorf("page %d: %v, more %t", page+1, contents, got.Meta.HasMore)
		}
	}
}

// What a visitor said, and what was answered, is nowhere after the deletion;
// only the figures stay on the books.
func TestDeletionLeavesNoText(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	said := []string{testkit.Canary(), testkit.Canary()}
	var answer webchat.WebchatAnswer
	x.do(t, testkit.Request{Path: "/api/v1/chat", Body: map[string]any{"message": said[0]}}).Want(t, http.StatusOK).JSON(t, &answer)
	x.do(t, testkit.Request{Path: "/api/v1/chat", Body: map[string]any{"message": said[1], "session_id": answer.SessionID, "stream": true}}).Want(t, http.StatusOK)
	for _, text := range said {
		if got := tablesWith(t, x.server, text); !slices.Contains(got, "messages") {
			t.Fatalf("the text is in %v: the search finds nothing", got)
		}
	}
	spent := x.usage(t, "")
	var deleted webchat.SessionDeletion
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: "/api/v1/sessions/" + answer.SessionID}).Want(t, http.StatusOK).JSON(t, &deleted)
	if !deleted.Success || deleted.Deleted != 1 {
		t.Errorf("deletion answers %+v", deleted)
	}
	for _, text := range said {
		if got := tablesWith(t, x.server, text); len(got) > 0 {
			t.Errorf("text of a deleted session is left in %v", got)
		}
	}
	if after := x.usage(t, ""); after.Usage != spent.Usage || spent.Usage.TotalRequests != 2 {
		t.Errorf("usage %+v after the deletion, %+v before", after.Usage, spent.Usage)
	}
	for _, r := range []testkit.Request{
		{Path: "/api/v1/sessions/" + answer.SessionID},
		{Path: "/api/v1/sessions/" + answer.SessionID, Method: http.MethodDelete},
		{Path: "/api/v1/chat", Body: map[string]any{"message": "Hi", "session_id": answer.SessionID}},
	} {
		x.do(t, r).Want(t, http.StatusNotFound)
	}
}

func TestDeletionOfAllSessionsIsTheAppsAndNeedsConfirmation(t *testing.T) {
	t.Parallel()
	x := tenantWith(t, "session_id")
	x.session(t, x.key.AppID)
	other := x.session(t, x.Key(t).AppID)
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: "/api/v1/sessions"}).Want(t, http.StatusBadRequest)
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: "/api/v1/sessions?confirm=yes"}).Want(t, http.StatusBadRequest)
	if got := x.sessions(t, ""); len(got.Sessions) != 2 {
		t.Fatalf("%d sessions after unconfirmed deletions, want 2", len(got.Sessions))
	}
	var deleted webchat.SessionDeletion
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: "/api/v1/sessions?confirm=all"}).Want(t, http.StatusOK).JSON(t, &deleted)
	if deleted.Deleted != 2 {
		t.Errorf("%d deleted, want 2", deleted.Deleted)
	}
	if got := sessionIDs(x.sessions(t, "?include_all=true")); !slices.Equal(got, []string{other.ID}) {
		t.Errorf("left are %v, want the other app's %s", got, other.ID)
	}
}
