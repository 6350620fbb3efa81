package console_test

import (
	"bufio"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"parley/db"
	"parley/impl/core/key"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

func TestAProjectFromNameToCitedAnswer(t *testing.T) {
	t.Parallel()
	_, b, _ := account(t)
	b.get("/console/projects").want(t, http.StatusOK, "No projects yet")
	b.post("/console/projects", "name", "Lamps", "sitemap", "", "once", "p0").want(t, http.StatusBadRequest, `role="alert"`, `value="Lamps"`)
	site := b.post("/console/projects", "name", "A site", "sitemap", "http://127.0.0.1:1/sitemap.xml", "once", "p1")
	b.get(site.header.Get("Location")).want(t, http.StatusOK, "It is created.", "A site")
	made := b.upload("/console/projects/files", map[string]string{"project_name": "Lamps <b>"}, "lamps.txt", "The Aurora lamp has a warranty of seven years. Its colour is teal.")
	path := strings.TrimSuffix(made.header.Get("Location"), "?done=created")
	made.leads(t, path+"?done=created")
	b.get(path).want(t, http.StatusOK, "Lamps &lt;b&gt;")
	b.upload(path+"/files", nil, "chairs.txt", "The Borealis chair is made of birch.").leads(t, path+"?done=saved")
	follow(t, b, "/console/live/projects/"+strings.TrimPrefix(path, "/console/projects/")+"/progress", "event: done")
	b.get(path).want(t, http.StatusOK, "lamps.txt", "2 of 2 pages are ready")
	b.post(path, "do", "ask", "question", "What warranty has the Aurora lamp?", "once", "q1").want(t, http.StatusOK, "seven years", "Cited", "lamps.txt", "<blockquote>The Aurora lamp has a warranty of seven years. Its colour is teal.</blockquote>")
	b.post(path, "do", "site", "sitemap", "", "once", "s1").want(t, http.StatusBadRequest, `role="alert"`)
	b.get("/console/projects?name=lamps").want(t, http.StatusOK, path)
	b.get("/console/projects?name=nothing-like-it").want(t, http.StatusOK, "No project has this name")
	stranger := as(t, testkit.Shared(t), testkit.Shared(t).Account(t, testkit.Unlimited, 0).Person(t, "owner"))
	if got := stranger.get(path); got.status < 400 || strings.Contains(got.body, "Lamps") {
		t.Errorf("a stranger sees the project: %d", got.status)
	}
	if got := stranger.get("/console/live/projects/" + strings.TrimPrefix(path, "/console/projects/") + "/progress"); got.status < 400 {
		t.Errorf("a stranger sees the project's progress: %d", got.status)
	}
	b.post(path, "do", "delete").leads(t, "/console/projects?done=deleted")
}

// upload sends a form with a file as the page does.
func (b *browser) upload(path string, fields map[string]string, name, content string) page {
	b.t.Helper()
	var form strings.Builder
	w := multipart.NewWriter(&form)
	for field, value := range fields {
		if err := w.WriteField(field, value); err != nil {
			b.t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", name)
	if err != nil {
		b.t.Fatal(err)
	}
	fmt.Fprint(part, content)
	if err := w.Close(); err != nil {
		b.t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, b.url+path, strings.NewReader(form.String()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	return b.do(r)
}

// follow reads a stream until a line says so.
func follow(t *testing.T, b *browser, path, until string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	res, err := b.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("%s: %d %s", path, res.StatusCode, res.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if lines.Text() == until {
			return
		}
	}
	t.Fatalf("%s ended without %q: %v", path, until, lines.Err())
}

func TestSitesOfAProject(t *testing.T) {
	t.Parallel()
	a, b, _ := account(t)
	p := a.Project(t, func(p *db.Project) { p.Name = "Sites" })
	a.ProjectSite(t, p, "http://127.0.0.1:1/sitemap.xml")
	path := fmt.Sprintf("/console/projects/%d", p.ID)
	list := b.get(path).want(t, http.StatusOK, "http://127.0.0.1:1/sitemap.xml")
	source := between(t, list.body, `name="source" value="`, `"`)
	b.post(path, "do", "sync", "source", source).leads(t, path+"?done=saved")
	b.post(path, "do", "drop", "source", source).leads(t, path+"?done=saved")
	b.get(path).want(t, http.StatusOK, "No sites.").lacks(t, "sitemap.xml</th>")
	b.post(path, "do", "drop", "source", "none").want(t, http.StatusNotFound)
	b.get("/console/projects/none").want(t, http.StatusNotFound)
}

func TestAFlowFromTemplateToAnAnsweredPerson(t *testing.T) {
	t.Parallel()
	_, b, _ := account(t)
	b.get("/console/flows").want(t, http.StatusOK, "No flows yet", "No chats yet", "<option value=")
	template := between(t, b.get("/console/flows").body, `<option value="`, `"`)
	made := b.post("/console/flows", "name", "Of a template", "template", template, "once", "t1")
	b.get(made.header.Get("Location")).want(t, http.StatusOK, "Of a template", `class="node"`, `class="edge"`)
	b.post("/console/flows", "name", "Broken", "definition", "{", "once", "t2").want(t, http.StatusBadRequest, `role="alert"`, `value="Broken"`)
	made = b.post("/console/flows", "name", "Asks", "definition", testkit.Asking, "once", "t3")
	flow := strings.TrimSuffix(made.header.Get("Location"), "?done=created")
	b.get(flow).want(t, http.StatusOK, `data-node="Ann"`, `data-node="Bob"`)
	begun := b.post(flow, "do", "chat", "name", "A <chat>", "once", "c1")
	chat := strings.TrimSuffix(begun.header.Get("Location"), "?done=created")
	b.get(chat).want(t, http.StatusOK, "A &lt;chat&gt;", "Say something", `data-node="Ann"`)
	b.post(chat, "do", "say", "text", "<b>Hello</b>", "once", "m1").leads(t, chat)
	follow(t, b, "/console/live"+strings.TrimPrefix(chat, "/console")+"/events?after=0", "event: status")
	b.get("/console/live"+strings.TrimPrefix(chat, "/console")).want(t, http.StatusOK, `"status"`)
	waitFor(t, b, chat, "A person is asked")
	b.get(chat).want(t, http.StatusOK, "&lt;b&gt;Hello", "waits for a person").lacks(t, "<b>Hello")
	b.post(chat, "do", "answer", "text", "An answer by hand", "once", "m2").leads(t, chat)
	waitFor(t, b, chat, "An answer by hand")
	waitFor(t, b, chat, "A person is asked")
	b.get("/console/flows").want(t, http.StatusOK, "A &lt;chat&gt;", "waits for a person")
	b.post(chat, "do", "cancel").leads(t, chat)
	b.post(chat, "do", "delete").leads(t, "/console/flows?done=deleted")
	b.get(chat).want(t, http.StatusNotFound)
	b.post(flow, "do", "delete").leads(t, "/console/flows?done=deleted")
	b.get(flow).want(t, http.StatusNotFound)
}

// waitFor reads a page until it has a text, each time after the chat's next change.
func waitFor(t *testing.T, b *browser, chat, text string) {
	t.Helper()
	for range 60 {
		if strings.Contains(b.get(chat).body, text) {
			return
		}
		b.get("/console/live" + strings.TrimPrefix(chat, "/console") + "?wait_seconds=1")
	}
	t.Fatalf("%s never shows %q", chat, text)
}

func TestAgentsHaveFaces(t *testing.T) {
	t.Parallel()
	_, b, _ := account(t)
	b.get("/console/agents").want(t, http.StatusOK, "No agents yet")
	b.post("/console/agents", "name", "Zoé", "personality", "Kind", "appearance", "A cat", "picture", "1", "once", "a1").leads(t, "/console/agents?done=created")
	list := b.get("/console/agents").want(t, http.StatusOK, "Zoé", `src="/files/`)
	face := strings.ReplaceAll(between(t, list.body, `<img src="/files/`, `"`), "&amp;", "&")
	if got := b.get("/files/" + face); got.status != http.StatusOK || !strings.HasPrefix(got.header.Get("Content-Type"), "image/") {
		t.Errorf("the picture: %d %s", got.status, got.header.Get("Content-Type"))
	}
	agent := between(t, list.body, `action="/console/agents/`, `"`)
	b.post("/console/agents/"+agent, "name", "Zoe", "personality", "Kinder", "description", "A friend").leads(t, "/console/agents?done=saved")
	b.get("/console/agents").want(t, http.StatusOK, "A friend", "Kinder")
	b.post("/console/agents", "name", "", "once", "a2").want(t, http.StatusBadRequest, `role="alert"`)
	b.post("/console/agents/"+agent, "do", "delete").leads(t, "/console/agents?done=deleted")
	b.post("/console/agents/"+agent, "do", "delete").want(t, http.StatusNotFound)
}

func TestTranscripts(t *testing.T) {
	t.Parallel()
	a, b, _ := account(t)
	b.get("/console/conversations").want(t, http.StatusOK, "Nobody has said anything yet")
	c := a.Conversation(t, func(c *db.Conversation) { c.Title = "About lamps" }, db.Message{Seq: 1, Role: "user", Content: "<u>What</u> lamps?"})
	spend(t, a.Key(t).Text)
	list := b.get("/console/conversations").want(t, http.StatusOK, "About lamps", "Apps and the widget", "/console/conversations/sess_")
	b.get("/console/conversations/"+c.ID).want(t, http.StatusOK, "&lt;u&gt;What").lacks(t, "<u>", "data-turn")
	b.get("/console/conversations/sess_"+between(t, list.body, "/console/conversations/sess_", `"`)).want(t, http.StatusOK, "Hello!", `class="assistant"`)
	b.get("/console/conversations?q=WHAT&surface=characters&from=2020-01-01&to=2100-01-01").want(t, http.StatusOK, "About lamps", `value="WHAT"`, `value="characters" selected`).lacks(t, "sess_")
	b.get("/console/conversations?q=nothing+of+this").want(t, http.StatusOK, "Nothing fits.").lacks(t, "About lamps")
	b.get("/console/conversations?from=never").want(t, http.StatusBadRequest, `role="alert"`)
	b.get("/console/conversations?surface=none").want(t, http.StatusBadRequest, `role="alert"`)
	b.get("/console/conversations?cursor=bm9uZQ").want(t, http.StatusNotFound)
	b.get("/console/conversations/none").want(t, http.StatusNotFound)
}

// An answer that is being made is followed through the console, whichever API it is for.
func TestARunningAnswerIsFollowed(t *testing.T) {
	t.Parallel()
	a, b, _ := account(t)
	asked, release := make(chan struct{}), make(chan struct{})
	a.Upstream(t, func(e *providertest.Exchange) {
		close(asked)
		<-release
		providertest.SSE("Hello ", "there")(e)
	})
	k := a.Key(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		spend(t, k.Text)
	}()
	<-asked
	list := b.get("/console/conversations").want(t, http.StatusOK)
	path := "/console/conversations/sess_" + between(t, list.body, "/console/conversations/sess_", `"`)
	turn := between(t, b.get(path).want(t, http.StatusOK).body, `data-turn="`, `"`)
	close(release)
	follow(t, b, "/console/live/turns/"+turn+"/events", "event: end")
	<-done
	b.get(path).want(t, http.StatusOK, "Hello there").lacks(t, "data-turn")
}

// Members see what their own APIs list.
func TestMembersSeeTranscriptsOfTheirAPIs(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t)
	a := s.Account(t, testkit.Unlimited, 1_000_000)
	b := as(t, s, a.Person(t, key.Member))
	b.get("/console/conversations").want(t, http.StatusOK, "No conversations with characters yet")
	b.get("/console/conversations?of=webchat").want(t, http.StatusOK, "Nobody has chatted yet")
	c := a.Conversation(t, func(c *db.Conversation) { c.Title = "About lamps" }, db.Message{Seq: 1, Role: "user", Content: "<u>What</u> lamps?"})
	b.get("/console/conversations").want(t, http.StatusOK, "About lamps")
	b.get("/console/conversations/"+c.ID).want(t, http.StatusOK, "&lt;u&gt;What").lacks(t, "<u>")
	spend(t, a.Key(t).Text)
	b.get("/console/conversations?of=webchat").want(t, http.StatusOK, "Hello!", "tokens")
}
