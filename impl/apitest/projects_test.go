package apitest_test

import (
	"bytes"
	"image"
	"image/gif"
	"image/jpeg"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strconv"
	"strings"
	"testing"

	"parley/db"
	"parley/gen/client/projects"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// part is a part of a form; a file when it has a type.
type part struct{ name, file, kind, content string }

// form is a multipart request.
func form(t *testing.T, path string, parts ...part) testkit.Request {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, p := range parts {
		h := textproto.MIMEHeader{}
		h.Set("Content-Disposition", `form-data; name="`+p.name+`"`)
		if p.kind != "" {
			h.Set("Content-Disposition", `form-data; name="`+p.name+`"; filename="`+p.file+`"`)
			h.Set("Content-Type", p.kind)
		}
		in, err := w.CreatePart(h)
		if err == nil {
			_, err = io.WriteString(in, p.content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_ = w.Close() // into memory
	return testkit.Request{Path: path, Body: body.Bytes(), Header: map[string]string{"Content-Type": w.FormDataContentType()}}
}

const projectsPath = "/api/v1/projects"

// projectOf makes a project by a request and waits until it can answer.
func (x tenant) projectOf(t *testing.T, r testkit.Request) (projects.Project, string) {
	t.Helper()
	var made projects.ProjectAnswer
	x.do(t, r).Want(t, http.StatusCreated).JSON(t, &made)
	path := projectsPath + "/" + strconv.FormatInt(made.Data.ID, 10)
	eventually(t, "the content is read", func() bool {
		x.get(t, path, &made)
		return made.Data.IsChatActive
	})
	return made.Data, path
}

// conversationWith begins a conversation and returns where its messages are.
func (x tenant) projectMessages(t *testing.T, path string) string {
	t.Helper()
	got := x.do(t, testkit.Request{Path: path + "/conversations", Body: map[string]any{}}).Want(t, http.StatusCreated)
	return got.Header.Get("Location")
}

const handbook = "Opening hours\n\nThe library opens at nine in the morning and closes at seven in the evening.\n\nLending\n\nBooks are lent for four weeks."

func (x tenant) library(t *testing.T) (projects.Project, string) {
	t.Helper()
	return x.projectOf(t, form(t, projectsPath, part{name: "project_name", content: "Library"}, part{"file", "handbook.txt", "text/plain", handbook}))
}

func TestAProjectAnswersFromAFileAndCitesIt(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	_, path := x.library(t)
	messages := x.projectMessages(t, path)
	var answer projects.ProjectAnswerSent
	x.do(t, testkit.Request{Path: messages, Body: map[string]any{"prompt": "When does the library open?"}}).Want(t, http.StatusOK).JSON(t, &answer)
	if !strings.Contains(answer.Data.OpenaiResponse, "nine") || strings.Contains(answer.Data.OpenaiResponse, "[1]") || len(answer.Data.Citations) != 1 {
		t.Fatalf("%q cites %v", answer.Data.OpenaiResponse, answer.Data.Citations)
	}
	var pages projects.ProjectPageList
	x.get(t, path+"/pages", &pages)
	page := pages.Data.Pages.Data[0]
	if pages.Data.Pages.Total != 1 || page.ID != answer.Data.Citations[0] || page.IndexStatus != "ok" || *page.Filename != "handbook.txt" {
		t.Fatalf("%+v", pages.Data.Pages)
	}
	var citation projects.ProjectCitationAnswer
	x.get(t, path+"/citations/"+strconv.FormatInt(page.ID, 10), &citation)
	file := x.do(t, testkit.Request{Path: strings.TrimPrefix(citation.Data.URL, x.server.URL)}).Want(t, http.StatusOK)
	if string(file.Body) != handbook || file.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("the file is %s %q", file.Header.Get("Content-Type"), file.Body)
	}
	var history projects.ProjectMessageList
	x.get(t, messages, &history)
	one := history.Data.Messages.Data[0]
	if one.OpenaiResponse != answer.Data.OpenaiResponse || len(one.Citations) != 1 || one.CreatedAt != answer.Data.CreatedAt || one.UpdatedAt != answer.Data.UpdatedAt {
		t.Errorf("history %+v, answered %+v", one, answer.Data)
	}
	if !strings.HasPrefix(history.Data.Conversation.Name, "When does") {
		t.Errorf("the conversation is called %q", history.Data.Conversation.Name)
	}
}

func TestSettingsDecideWhatAnswersRestOn(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	_, path := x.library(t)
	ask := func(body map[string]any) projects.ProjectSentMessage {
		var answer projects.ProjectAnswerSent
		x.do(t, testkit.Request{Path: x.projectMessages(t, path), Body: body}).Want(t, http.StatusOK).JSON(t, &answer)
		return answer.Data
	}
	set := func(members map[string]any) {
		x.do(t, testkit.Request{Path: path + "/settings", Body: members}).Want(t, http.StatusOK)
	}
	set(map[string]any{"response_source": "own_content", "no_answer_message": "Nobody knows."})
	if got := ask(map[string]any{"prompt": "Which submarine won the regatta?"}); got.OpenaiResponse != "Nobody knows." || got.Citations != nil {
		t.Errorf("without support: %q, %v", got.OpenaiResponse, got.Citations)
	}
	set(map[string]any{"enable_inline_citations_api": true})
	if got := ask(map[string]any{"prompt": "How long are books lent?"}); !strings.Contains(got.OpenaiResponse, "[1]") {
		t.Errorf("inline: %q", got.OpenaiResponse)
	}
	set(map[string]any{"enable_citations": 0})
	if got := ask(map[string]any{"prompt": "How long are books lent?"}); got.Citations != nil {
		t.Errorf("citations off: %v", got.Citations)
	}
	if got := ask(map[string]any{"prompt": "How long are books lent?", "response_source": "openai_content"}); strings.Contains(got.OpenaiResponse, "four weeks") {
		t.Errorf("of the model alone: %q", got.OpenaiResponse)
	}
}

func pictures(t *testing.T) map[string]string {
	t.Helper()
	pixel := image.NewRGBA(image.Rect(0, 0, 1, 1))
	var g, j bytes.Buffer
	if err := gif.Encode(&g, pixel, nil); err != nil {
		t.Fatal(err)
	}
	if err := jpeg.Encode(&j, pixel, nil); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"image/png": string(testkit.Pixel), "image/gif": g.String(), "image/jpeg": j.String(),
		"image/webp": "RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00",
	}
}

func TestSettingsTakeFormsAsTheirClientsSendThem(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	path := projectsPath + "/" + strconv.FormatInt(x.Project(t).ID, 10) + "/settings"
	for kind, content := range pictures(t) {
		x.do(t, form(t, path,
			part{"chat_bot_avatar", "a.bin", "application/octet-stream", content}, part{name: "enable_citations", content: "false"},
			part{name: "example_questions[]", content: "One?"}, part{name: "example_questions[]", content: "Two?"},
			part{name: "is_loading_indicator_enabled", content: "0"}, part{name: "unknown", content: "ignored"}, part{"chat_bot_bg", "", "application/octet-stream", ""},
		)).Want(t, http.StatusOK)
		var got projects.ProjectSettingsAnswer
		x.get(t, path, &got)
		s := got.Data
		if s.EnableCitations != 0 || s.IsLoadingIndicatorEnabled || strings.Join(s.ExampleQuestions, " ") != "One? Two?" || s.ChatbotBackground != nil {
			t.Fatalf("settings %+v", s)
		}
		picture := x.do(t, testkit.Request{Path: strings.TrimPrefix(*s.ChatbotAvatar, x.server.URL)}).Want(t, http.StatusOK)
		if string(picture.Body) != content || picture.Header.Get("Content-Type") != kind {
			t.Errorf("%s comes back as %s of %d bytes", kind, picture.Header.Get("Content-Type"), len(picture.Body))
		}
	}
	x.do(t, testkit.Request{Path: path, Body: map[string]any{"example_questions": []string{}}}).Want(t, http.StatusOK)
	for what, parts := range map[string][]part{
		"no image":       {{"chat_bot_avatar", "a.png", "image/png", "text"}},
		"a wrong number": {{name: "enable_citations", content: "many"}},
		"twice":          {{name: "chatbot_title", content: "a"}, {name: "chatbot_title", content: "b"}},
		"NUL":            {{name: "chatbot_title", content: "a\x00"}},
	} {
		wantBadRequest(t, x.do(t, form(t, path, parts...)), what)
	}
	x.do(t, form(t, path, part{"chat_bot_avatar", "a.png", "image/png", strings.Repeat("x", 5<<20+1)})).Want(t, http.StatusRequestEntityTooLarge)
}

func TestPDFsAreShown(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	p := x.Project(t)
	path := projectsPath + "/" + strconv.FormatInt(p.ID, 10)
	r := form(t, path+"/sources", part{"file", "a.pdf", "application/pdf", "%PDF-1.4 broken"})
	var source projects.ProjectSourceAnswer
	x.do(t, r).Want(t, http.StatusCreated).JSON(t, &source)
	url := source.Data.Pages[0].PageURL
	got := x.do(t, testkit.Request{Path: strings.TrimPrefix(url, x.server.URL)}).Want(t, http.StatusOK)
	wantHeader(t, got, "Content-Type", "application/pdf")
	var pages projects.ProjectPageList
	eventually(t, "the page is refused", func() bool {
		x.get(t, path+"/pages?index_status=failed", &pages)
		return pages.Data.Pages.Total == 1
	})
}

func TestAProjectReadsASite(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch r.URL.Path {
		case "/":
			_, _ = io.WriteString(w, `<html lang="en"><title>Home</title><body><h1>Home</h1><p>Welcome to the harbour of Lindau, where boats leave every hour.</p><a href="/fares">Fares</a></body></html>`)
		case "/fares":
			_, _ = io.WriteString(w, `<html lang="en"><title>Fares</title><body><h1>Fares</h1><p>A crossing to Bregenz costs twelve francs for adults.</p></body></html>`)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(site.Close)
	p, path := x.projectOf(t, testkit.Request{Path: projectsPath, Body: map[string]any{"project_name": "Harbour", "sitemap_path": site.URL}})
	if *p.SitemapPath != site.URL {
		t.Errorf("sitemap_path %q", *p.SitemapPath)
	}
	var answer projects.ProjectAnswerSent
	x.do(t, testkit.Request{Path: x.projectMessages(t, path), Body: map[string]any{"prompt": "What does a crossing to Bregenz cost?"}}).Want(t, http.StatusOK).JSON(t, &answer)
	if !strings.Contains(answer.Data.OpenaiResponse, "twelve francs") || len(answer.Data.Citations) == 0 {
		t.Errorf("%q cites %v", answer.Data.OpenaiResponse, answer.Data.Citations)
	}
	var stats projects.ProjectStatsAnswer
	x.get(t, path+"/stats", &stats)
	if stats.Data.PagesIndexed != 2 || stats.Data.TotalQueries != 1 || stats.Data.TotalWordsIndexed == 0 {
		t.Errorf("%+v", stats.Data)
	}
	var sources projects.ProjectSourceList
	x.get(t, path+"/sources", &sources)
	source := path + "/sources/" + strconv.FormatInt(sources.Data.Sitemaps[0].ID, 10)
	x.do(t, testkit.Request{Method: http.MethodPut, Path: source + "/instant-sync"}).Want(t, http.StatusCreated)
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: source}).Want(t, http.StatusOK)
	x.get(t, path+"/sources", &sources)
	if len(sources.Data.Sitemaps) != 0 {
		t.Errorf("%d sitemaps are left", len(sources.Data.Sitemaps))
	}
}

func TestFeedbackIsGivenAndTakenBack(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	p := x.Project(t)
	c := x.ProjectConversation(t, p.ID)
	one := projectsPath + "/" + strconv.FormatInt(p.ID, 10) + "/conversations/" + c.SessionID + "/messages/" + strconv.FormatInt(x.Prompt(t, c, "Q", "A"), 10)
	var got projects.ProjectMessageAnswer
	for _, reaction := range []any{"liked", "disliked", nil} {
		x.do(t, testkit.Request{Method: http.MethodPut, Path: one + "/feedback", Body: map[string]any{"reaction": reaction}}).Want(t, http.StatusOK)
		x.get(t, one, &got)
		if f := got.Data.ResponseFeedback; (reaction == nil) != (f.Reaction == nil) || reaction != nil && *f.Reaction != reaction {
			t.Errorf("%v is %+v", reaction, f)
		}
	}
}

func TestProjectsSayWhatWentWrong(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t, providertest.Status(http.StatusUnauthorized, "invalid", "no"))
	path := projectsPath + "/" + strconv.FormatInt(x.Project(t).ID, 10)
	messages := x.projectMessages(t, path)
	completion := map[string]any{"messages": []any{map[string]any{"role": "user", "content": "Hi"}}}
	x.do(t, testkit.Request{Path: messages, Body: map[string]any{"prompt": "Hi"}}).Want(t, http.StatusBadGateway)
	x.do(t, testkit.Request{Path: path + "/chat/completions", Body: completion}).Want(t, http.StatusBadGateway)
	events := x.do(t, testkit.Request{Path: messages + "?stream=1", Body: map[string]any{"prompt": "Hi"}}).Want(t, http.StatusOK).Events(t)
	if last := events[len(events)-1]; last.Name != "error" || !strings.HasPrefix(string(last.Data), `{"status":"error","error":"`) {
		t.Errorf("the last event is %s %s", last.Name, last.Data)
	}
	completion["stream"] = true
	events = x.do(t, testkit.Request{Path: path + "/chat/completions", Body: completion}).Want(t, http.StatusOK).Events(t)
	if n := len(events); n != 2 || !strings.Contains(string(events[0].Data), `"status":"error"`) || string(events[1].Data) != "[DONE]" {
		t.Errorf("%d events", n)
	}
	completion["temperature"] = 0.5
	got := x.do(t, testkit.Request{Path: path + "/chat/completions", Body: completion}).Want(t, http.StatusNotImplemented)
	if text := got.Error(t); !strings.Contains(text, "temperature") {
		t.Errorf("501 says %q", text)
	}
}

func TestAnEmptyBalanceExhaustsQueryCredits(t *testing.T) {
	t.Parallel()
	x := tenantOf(t, testkit.Shared(t), testkit.Unlimited, 0)
	x.Model(t, testkit.Priced(1_000_000, 1_000_000), func(m *db.Model) { m.Rank = 1 })
	path := projectsPath + "/" + strconv.FormatInt(x.Project(t).ID, 10)
	messages := x.projectMessages(t, path)
	got := x.do(t, testkit.Request{Path: messages, Body: map[string]any{"prompt": "Hi"}}).Want(t, http.StatusTooManyRequests)
	if text := got.Error(t); !strings.HasPrefix(text, "Query credits exhausted") || got.Header.Get("Retry-After") != "" {
		t.Errorf("%q, Retry-After %q", text, got.Header.Get("Retry-After"))
	}
}

func TestListsOfProjectsHavePages(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	for range 12 {
		x.Project(t)
	}
	var list projects.ProjectList
	x.get(t, projectsPath+"?page=2&order=asc", &list)
	p := list.Data
	if p.Total != 12 || p.LastPage != 2 || len(p.Data) != 2 || *p.From != 11 || *p.To != 12 || p.NextPageURL != nil {
		t.Fatalf("%+v", p)
	}
	if want := x.server.URL + projectsPath + "?order=asc&orderBy=id&page=1"; *p.PrevPageURL != want || p.FirstPageURL != want {
		t.Errorf("the page before is %s", *p.PrevPageURL)
	}
	x.get(t, projectsPath+"?name=nothing", &list)
	if list.Data.From != nil || list.Data.LastPage != 1 || list.Data.Total != 0 {
		t.Errorf("an empty list is %+v", list.Data)
	}
}

func TestCopiesAndDeletions(t *testing.T) {
	t.Parallel()
	x, canary := newTenant(t), testkit.Canary()
	_, path := x.projectOf(t, form(t, projectsPath, part{name: "project_name", content: "Library"}, part{"file", "a.txt", "text/plain", handbook + "\n\n" + canary}))
	x.do(t, form(t, path+"/settings", part{name: "chatbot_title", content: "Ask"}, part{"chat_bot_avatar", "a.png", "image/png", string(testkit.Pixel)})).Want(t, http.StatusOK)
	x.do(t, testkit.Request{Path: x.projectMessages(t, path), Body: map[string]any{"prompt": "What is " + canary + "?"}}).Want(t, http.StatusOK)
	var twin projects.ProjectAnswer
	x.do(t, testkit.Request{Method: http.MethodPost, Path: path + "/replicate"}).Want(t, http.StatusCreated).JSON(t, &twin)
	copied := projectsPath + "/" + strconv.FormatInt(twin.Data.ID, 10)
	eventually(t, "the copy is read", func() bool { x.get(t, copied, &twin); return twin.Data.IsChatActive })
	for _, p := range []string{path, copied} {
		var set projects.ProjectSettingsAnswer
		x.get(t, p+"/settings", &set)
		picture := testkit.Request{Path: strings.TrimPrefix(*set.Data.ChatbotAvatar, x.server.URL)}
		x.do(t, picture).Want(t, http.StatusOK)
		x.do(t, testkit.Request{Method: http.MethodDelete, Path: p}).Want(t, http.StatusOK)
		x.do(t, testkit.Request{Path: p}).Want(t, http.StatusForbidden)
		x.do(t, picture).Want(t, http.StatusNotFound)
	}
	eventually(t, "nothing of it is left", func() bool { return len(tablesWith(t, x.server, canary)) == 0 })
}
