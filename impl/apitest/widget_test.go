package apitest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"parley/db"
	"parley/gen/client/webchat"
	"parley/impl/core/key"
	"parley/impl/testkit"
)

// ofProject makes a key of a new app that answers from a project.
func ofProject(projectID int64) func(*key.CreateInput) {
	return func(in *key.CreateInput) { in.AppID, in.ProjectID = "", projectID }
}

func TestAWidgetShowsItsProjectsSettings(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	picture := x.Picture(t)
	p := x.Project(t, func(p *db.Project) {
		var err error
		p.Settings, err = json.Marshal(map[string]any{
			"chatbot_title": "Desk", "chatbot_toolbar_color": "#123456", "example_questions": []string{"When?"}, "avatar_id": picture, "enable_feedbacks": false,
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	v := visitor{bearer: x.pageKey(t, ofProject(p.ID)).Text}
	var look webchat.WebchatWidget
	x.visits(t, v, http.MethodGet, "/api/v1/widget", nil).Want(t, http.StatusOK).JSON(t, &look)
	if *look.Title != "Desk" || *look.Color != "#123456" || len(look.Questions) != 1 || look.Questions[0] != "When?" || look.Feedback || !look.Citations ||
		look.Avatar == nil || !strings.HasPrefix(*look.Avatar, "data:image/png;base64,") {
		t.Errorf("settings: %+v", look)
	}
	x.visits(t, visitor{bearer: x.pageKey(t).Text}, http.MethodGet, "/api/v1/widget", nil).Want(t, http.StatusOK).JSON(t, &look)
	if look.Title != nil || look.Avatar != nil || len(look.Questions) != 0 || !look.Feedback {
		t.Errorf("settings without a project: %+v", look)
	}
	other := testkit.Request{Path: "/api/v1/widget", Key: v.bearer, Header: map[string]string{"Origin": "https://elsewhere.example"}}
	x.server.Do(t, other).Want(t, http.StatusForbidden)
}

func TestAnAppAnswersFromItsProject(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	p, path := x.library(t)
	v := visitor{bearer: x.pageKey(t, ofProject(p.ID)).Text}
	ask := func(body map[string]any) webchat.WebchatAnswer {
		t.Helper()
		var answer webchat.WebchatAnswer
		got := x.visits(t, v, http.MethodPost, "/api/v1/chat", body).Want(t, http.StatusOK)
		got.JSON(t, &answer)
		if token := got.Header.Get("Parley-End-User"); token != "" {
			v.endUser = token
		}
		return answer
	}
	answer := ask(map[string]any{"message": "When does the library open?"})
	if !strings.Contains(answer.Content, "nine") || len(answer.Citations) != 1 || answer.Citations[0].Title == "" {
		t.Errorf("%q cites %+v", answer.Content, answer.Citations)
	}
	again := ask(map[string]any{"message": "For how long are books lent?", "session_id": answer.SessionID})
	if !strings.Contains(again.Content, "four weeks") || again.SessionID != answer.SessionID {
		t.Errorf("%+v", again)
	}
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: path}).Want(t, http.StatusOK)
	if last := ask(map[string]any{"message": "When does the library open?", "session_id": answer.SessionID}); strings.Contains(last.Content, "nine in the") && len(last.Citations) > 0 {
		t.Errorf("a deleted project still answers: %+v", last)
	}
}

func TestAKeyNamesAProjectOfItsAccount(t *testing.T) {
	t.Parallel()
	x, other := newTenant(t), newTenant(t)
	make := func(body map[string]any) testkit.Response {
		body["name"] = "Shop"
		return x.do(t, testkit.Request{Path: "/api/v1/keys", Body: body})
	}
	own, foreign := x.Project(t).ID, other.Project(t).ID
	make(map[string]any{"project_id": own}).Want(t, http.StatusCreated)
	make(map[string]any{"project_id": foreign}).Want(t, http.StatusNotFound)
	make(map[string]any{"project_id": own, "agent_id": x.Agent(t).ID}).Want(t, http.StatusBadRequest)
}

func TestVisitorsJudgeTheirAnswers(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	one := visitor{bearer: x.pageKey(t).Text}
	other := one
	var session, theirs string
	session, _, one.endUser = x.begin(t, one)
	theirs, _, other.endUser = x.begin(t, other)
	messages := func() []webchat.SessionMessage {
		t.Helper()
		var history webchat.SessionHistory
		x.visits(t, one, http.MethodGet, "/api/v1/sessions/"+session, nil).Want(t, http.StatusOK).JSON(t, &history)
		return history.Session.Messages
	}
	before := messages()
	judge := func(v visitor, session, message string, reaction any) testkit.Response {
		return x.visits(t, v, http.MethodPut, "/api/v1/sessions/"+session+"/messages/"+message+"/feedback", map[string]any{"reaction": reaction})
	}
	question, answer := before[0].ID, before[1].ID
	for _, reaction := range []string{"liked", "disliked", "disliked"} {
		judge(one, session, answer, reaction).Want(t, http.StatusOK)
		if got := messages(); got[1].Reaction == nil || string(*got[1].Reaction) != reaction || got[0].Reaction != nil {
			t.Errorf("after %s: %+v", reaction, got)
		}
	}
	judge(one, session, answer, nil).Want(t, http.StatusOK)
	if got := messages(); got[1].Reaction != nil {
		t.Errorf("taken back, but still %s", *got[1].Reaction)
	}
	judge(one, session, question, "liked").Want(t, http.StatusNotFound)
	judge(other, session, answer, "liked").Want(t, http.StatusNotFound)
	judge(other, theirs, answer, "liked").Want(t, http.StatusNotFound)
	judge(one, session, answer, "neutral").Want(t, http.StatusBadRequest)
}

// A project shows the code that embeds it as long as a publishable key answers
// from it. The text of a secret key is kept nowhere.
func TestAProjectTellsHowPagesEmbedIt(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	p := x.Project(t)
	path := fmt.Sprintf("/api/v1/projects/%d", p.ID)
	codes := func(query string) (inPlace, bubble string) {
		t.Helper()
		var answer struct {
			Data struct {
				EmbedCode    *string `json:"embed_code"`
				LiveChatCode *string `json:"live_chat_code"`
			}
		}
		x.do(t, testkit.Request{Path: path + query}).Want(t, http.StatusOK).JSON(t, &answer)
		if (answer.Data.EmbedCode == nil) != (answer.Data.LiveChatCode == nil) {
			t.Fatalf("one code without the other: %+v", answer.Data)
		}
		if answer.Data.EmbedCode == nil {
			return "", ""
		}
		return *answer.Data.EmbedCode, *answer.Data.LiveChatCode
	}
	if code, _ := codes(""); code != "" {
		t.Errorf("without a key: %s", code)
	}
	old := x.pageKey(t, ofProject(p.ID))
	newest := x.pageKey(t, ofProject(p.ID), func(in *key.CreateInput) { in.Origins = []string{"https://shop.example"} })
	inPlace, bubble := codes("?width=400&height=50%25")
	tag := `<script src="` + x.server.URL + `/widget.js" data-key="` + newest.Text + `"`
	if inPlace != tag+` data-inline data-width="400" data-height="50%" async></script>` || bubble != tag+` async></script>` {
		t.Errorf("codes: %s and %s", inPlace, bubble)
	}
	var rotated struct{ Key string }
	x.do(t, testkit.Request{Method: http.MethodPost, Path: "/api/v1/keys/" + newest.ID + "/rotate", Body: map[string]any{}}).Want(t, http.StatusOK).JSON(t, &rotated)
	if code, _ := codes(""); !strings.Contains(code, rotated.Key) || strings.Contains(code, newest.Text) {
		t.Errorf("after a rotation: %s", code)
	}
	x.do(t, testkit.Request{Method: http.MethodPatch, Path: "/api/v1/keys/" + newest.ID, Body: map[string]any{"status": "inactive"}}).Want(t, http.StatusOK)
	if code, _ := codes(""); !strings.Contains(code, old.Text) {
		t.Errorf("with the newest key off: %s", code)
	}
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: "/api/v1/keys/" + old.ID}).Want(t, http.StatusNoContent)
	if code, _ := codes(""); code != "" {
		t.Errorf("without a key in use: %s", code)
	}
	var kept int
	if err := sql(t, x.server).Get(&kept, `select count(*) from keys where account_id = $1 and kind = 'secret' and published_text is not null`, x.ID); err != nil || kept != 0 {
		t.Errorf("texts of %d secret keys are kept, %v", kept, err)
	}
}
