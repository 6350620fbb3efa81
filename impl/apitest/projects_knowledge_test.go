package apitest_test

import (
	"net/http"
	"strings"
	"testing"

	"parley/gen/client/characters"
	"parley/gen/client/webchat"
	"parley/impl/core/id"
	"parley/impl/core/knowledge"
	"parley/impl/testkit"
)

const playbook = "Outage playbook\n\nDeclaring\n\nAn incident commander declares the incident in the channel zebra within four minutes."

// asked is how the playbook is asked for.
const asked = "Who declares an incident, and in which channel?"

// uploaded uploads the playbook to a path of documents, waits until it was read, and returns its id.
func (x tenant) uploaded(t *testing.T, path string) string {
	t.Helper()
	made := x.do(t, form(t, path, part{"file", "playbook.txt", "text/plain", playbook})).Want(t, http.StatusCreated)
	location := made.Header.Get("Location")
	eventually(t, "the document is read", func() bool {
		return strings.Contains(string(x.do(t, testkit.Request{Path: location}).Want(t, http.StatusOK).Body), `"ready"`)
	})
	return location[strings.LastIndexByte(location, '/')+1:]
}

func TestAnAppAnswersFromItsDocumentsAndCitesThem(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	documentID := x.uploaded(t, "/api/v1/documents")
	var answer webchat.WebchatAnswer
	x.do(t, testkit.Request{Path: "/api/v1/chat", Body: map[string]any{"message": asked}}).Want(t, http.StatusOK).JSON(t, &answer)
	if !strings.Contains(answer.Content, "zebra") || len(answer.Citations) != 1 || answer.Citations[0].SourceID != documentID ||
		!strings.Contains(answer.Citations[0].Excerpt, "commander") || !strings.Contains(answer.Content, "[1]") {
		t.Fatalf("answered %+v", answer)
	}
	streamed := x.do(t, testkit.Request{Path: "/api/v1/chat", Body: map[string]any{"message": asked, "stream": true}}).Want(t, http.StatusOK)
	if end := streamed.Body[strings.LastIndex(string(streamed.Body), "event: end"):]; !strings.Contains(string(end), documentID) {
		t.Errorf("the stream ends with %s", end)
	}
	var session webchat.SessionHistory
	x.get(t, "/api/v1/sessions/"+answer.SessionID, &session)
	if last := session.Session.Messages[1]; len(last.Citations) != 1 || last.Citations[0] != answer.Citations[0] {
		t.Errorf("the session cites %+v", session.Session.Messages)
	}
	other := x.Key(t, testkit.Scopes("webchat"))
	var elsewhere webchat.WebchatAnswer
	x.server.Do(t, testkit.Request{Path: "/api/v1/chat", Key: other.Text, Body: map[string]any{"message": asked}}).Want(t, http.StatusOK).JSON(t, &elsewhere)
	if len(elsewhere.Citations) != 0 || strings.Contains(elsewhere.Content, "zebra") {
		t.Errorf("another app answered %+v", elsewhere)
	}
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: "/api/v1/documents/" + documentID}).Want(t, http.StatusOK)
	x.do(t, testkit.Request{Path: "/api/v1/chat", Body: map[string]any{"message": asked}}).Want(t, http.StatusOK).JSON(t, &answer)
	if len(answer.Citations) != 0 || strings.Contains(answer.Content, "zebra") {
		t.Errorf("after the deletion it answered %+v", answer)
	}
}

func TestAnAgentAnswersFromItsDocumentsOnEverySurface(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	agentID := x.id(t, "agent_id")
	documentID := x.uploaded(t, "/api/v1/agents/"+agentID+"/documents")
	message := map[string]any{"content": asked, "verbose": true}
	conversation := map[string]any{"title": "Outages", "llm_id": "parley-builtin", "agent_id": agentID}
	var begun characters.Conversation
	x.do(t, testkit.Request{Path: "/api/v1/conversations", Body: conversation}).Want(t, http.StatusCreated).JSON(t, &begun)
	path := "/api/v1/conversations/" + begun.ID + "/messages"
	var answer characters.Message
	x.do(t, testkit.Request{Path: path, Body: message}).Want(t, http.StatusCreated).JSON(t, &answer)
	if len(answer.Citations) != 1 || answer.Citations[0].DocumentID != documentID || answer.ThoughtProcess == nil || !strings.Contains(*answer.ThoughtProcess, "[1]") {
		t.Fatalf("answered %+v", answer)
	}
	var list characters.MessageList
	x.get(t, path, &list)
	if len(list) != 2 || len(list[1].Citations) != 1 {
		t.Errorf("the conversation says %+v", list)
	}
	ask := []any{map[string]any{"role": "user", "content": asked}}
	for name, r := range map[string]testkit.Request{
		"openai":     {Path: "/v1/chat/completions", Body: map[string]any{"model": agentID, "messages": ask}},
		"responses":  {Path: "/v1/responses", Body: map[string]any{"model": agentID, "input": asked}},
		"completion": {Path: "/api/v1/completions", Body: map[string]any{"llm_id": "parley-builtin", "agent_id": agentID, "messages": ask}},
		"stream":     {Path: path, Body: map[string]any{"content": asked, "stream": true}},
		"interact":   {Path: "/api/v1/agents/" + agentID + "/interact", Body: map[string]any{"user_id": "user_1", "prompt": asked}},
	} {
		r.Key = x.Key(t, testkit.Scopes("characters", "openai", "engagement"), testkit.App(x.key.AppID)).Text
		got := x.server.Do(t, r)
		marks := name == "completion" || name == "stream"
		if got.Status >= http.StatusMultipleChoices || !strings.Contains(string(got.Body), "zebra") || strings.Contains(string(got.Body), "[1]") != marks {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: "/api/v1/agents/" + agentID}).Want(t, http.StatusNoContent)
	if found, err := x.server.App.Knowledge.Documents(t.Context(), x.ID, knowledge.Agent(agentID), "", 0, 10); err != nil || len(found) != 0 {
		t.Errorf("the agent is gone and leaves %+v, %v", found, err)
	}
}

func TestDocumentsAreListedByPagesAndSaidToFail(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	path := "/api/v1/agents/" + x.id(t, "agent_id") + "/documents"
	for _, name := range []string{"one.txt", "two.txt", "three.bin"} {
		kind := "text/plain"
		if name == "three.bin" {
			kind = "application/octet-stream"
		}
		x.do(t, form(t, path, part{"file", name, kind, "\x7fELF " + name})).Want(t, http.StatusCreated)
	}
	var page characters.AgentDocumentList
	first := x.do(t, testkit.Request{Path: path + "?limit=2"}).Want(t, http.StatusOK)
	first.JSON(t, &page)
	if len(page) != 2 || page[0].Name != "three.bin" || page[1].Name != "two.txt" {
		t.Fatalf("listed %+v", page)
	}
	next, _, _ := strings.Cut(strings.TrimPrefix(first.Header.Get("Link"), "<"), ">")
	x.get(t, next, &page)
	if len(page) != 1 || page[0].Name != "one.txt" {
		t.Errorf("the next page is %+v", page)
	}
	eventually(t, "the file of no known kind has failed", func() bool {
		x.get(t, path, &page)
		return page[0].Status == characters.DocumentStatusFailed && page[0].Error != nil
	})
	if got := x.do(t, testkit.Request{Method: http.MethodDelete, Path: path + "/" + id.New(id.Page)}); got.Status != http.StatusNotFound {
		t.Errorf("a document that never was: %d", got.Status)
	}
	app := testkit.Request{Path: "/api/v1/documents?per_page=1"}
	x.do(t, testkit.Request{Path: "/api/v1/documents", Body: map[string]any{"name": "a.md", "content": "# A\n\nText."}}).Want(t, http.StatusCreated)
	x.do(t, testkit.Request{Path: "/api/v1/documents", Body: map[string]any{"name": "b.md", "content": "# B\n\nText."}}).Want(t, http.StatusCreated)
	var documents webchat.DocumentPage
	x.do(t, app).Want(t, http.StatusOK).JSON(t, &documents)
	if !documents.Meta.HasMore || len(documents.Documents) != 1 || documents.Documents[0].Name != "b.md" {
		t.Errorf("the app lists %+v", documents)
	}
}

func TestPublishableKeysTouchNoKnowledge(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	key := x.Key(t, testkit.Publishable("https://shop.example"), testkit.App(x.key.AppID))
	documentID, siteID := x.Document(t, knowledge.App(x.key.AppID), "a.txt", playbook).ID, x.Site(t, knowledge.App(x.key.AppID), "http://127.0.0.1:9/").ID
	for _, r := range []testkit.Request{
		{Path: "/api/v1/documents"}, {Path: "/api/v1/documents", Body: map[string]any{"name": "a.md", "content": "b"}},
		{Path: "/api/v1/documents/" + documentID}, {Method: http.MethodDelete, Path: "/api/v1/documents/" + documentID},
		{Path: "/api/v1/sites"}, {Path: "/api/v1/sites", Body: map[string]any{"url": "https://site.example"}},
		{Method: http.MethodDelete, Path: "/api/v1/sites/" + siteID},
	} {
		r.Key, r.Header = key.Text, map[string]string{"Origin": "https://shop.example"}
		if got := x.server.Do(t, r); got.Status != http.StatusForbidden {
			t.Errorf("%s %s: %d", r.Method, r.Path, got.Status)
		}
	}
}
