package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"parley/db"
)

// A project's conversations and figures are to be had apart from those of others.
func TestConversationsAndUsageOfAProject(t *testing.T) {
	t.Parallel()
	a, b, _ := account(t)
	other := a.Project(t, func(p *db.Project) { p.Name = "The other one" })
	lamps := a.Project(t, func(p *db.Project) { p.Name = "Lamps <1>" })
	a.Conversation(t, func(c *db.Conversation) { c.Title = "Of no project" })
	path := fmt.Sprintf("/console/projects/%d", lamps.ID)
	usage := fmt.Sprintf("/console/usage?project=%d", lamps.ID)
	b.get(usage).want(t, http.StatusOK, "Usage of Lamps &lt;1&gt;", "Nobody asked anything in these days", fmt.Sprintf(`value="%d" selected`, lamps.ID))
	b.post(path, "do", "ask", "question", "What lamps are there?", "once", "q1").want(t, http.StatusOK)
	b.get(usage+"&days=7").want(t, http.StatusOK, "Questions a day", "New conversations a day", `role="img"`, "The numbers", "Questions ever<b>1</b>", `aria-current="true">7 days`)
	b.get(fmt.Sprintf("/console/conversations?project=%d", lamps.ID)).want(t, http.StatusOK, "What lamps are there?", fmt.Sprintf(`name="project" inputmode="numeric" value="%d"`, lamps.ID), "<details open>").lacks(t, "Of no project")
	b.get(fmt.Sprintf("/console/conversations?project=%d", other.ID)).want(t, http.StatusOK, "Nothing fits.")
	b.get("/console/conversations?project=lamps").want(t, http.StatusBadRequest, `role="alert"`)
	b.get("/console/usage?project=newest").want(t, http.StatusOK, "Usage of Lamps &lt;1&gt;", "The other one")
	b.get("/console/usage?project=lamps").want(t, http.StatusNotFound)
	b.get("/console/usage?project=999999999").want(t, http.StatusForbidden)
	_, stranger, _ := account(t)
	stranger.get(usage).want(t, http.StatusForbidden).lacks(t, "Lamps")
	stranger.get("/console/usage?project=newest").leads(t, "/console/projects")
}

// Reading a page again is work that the project's progress counts.
func TestPagesAreReadAgainAndRemoved(t *testing.T) {
	t.Parallel()
	_, b, _ := account(t)
	made := b.upload("/console/projects/files", map[string]string{"project_name": "Lamps"}, "lamps.txt", "The Aurora lamp has a warranty of seven years.")
	path := strings.TrimSuffix(made.header.Get("Location"), "?done=created")
	shows(t, b, path, "1 of 1 pages are ready")
	list := b.get(path).want(t, http.StatusOK, "Remove<span")
	page := between(t, list.body, `name="page" value="`, `"`)
	list.want(t, http.StatusOK, `value="reindex"`)
	b.post(path, "do", "reindex", "page", page, "once", "r1").leads(t, path+"?done=saved")
	shows(t, b, path, "1 of 1 pages are ready")
	b.post(path, "do", "remove", "page", page).leads(t, path+"?done=saved")
	b.get(path).want(t, http.StatusOK, "No pages yet")
	b.post(path, "do", "remove", "page", page).want(t, http.StatusNotFound)
	b.post(path, "do", "reindex", "page", "none").want(t, http.StatusNotFound)
}

// The page of a thing says what it lacks while it is empty, and that there is no such thing when there is none.
func TestPagesOfThingsHaveTheirStates(t *testing.T) {
	t.Parallel()
	a, b := operator(t)
	c := a.Conversation(t, func(c *db.Conversation) { c.Title = "Silent" })
	b.get("/console/conversations/"+c.ID).want(t, http.StatusOK, "Nothing was said yet.", `href="/console/conversations"`)
	b.post("/console/webhooks", "url", "http://127.0.0.1:1/hook", "events", "key.created", "once", "w").want(t, http.StatusCreated)
	hook := between(t, b.get("/console/webhooks").body, `<th scope="row"><a href="`, `"`)
	b.get(hook).want(t, http.StatusOK, "Nothing was sent yet", `href="/console/webhooks"`)
	k := a.Key(t)
	b.get("/console/keys/"+k.ID).want(t, http.StatusOK, "<dt>Last used</dt><dd>Never", `href="/console/keys"`)
	for _, path := range []string{"keys", "webhooks", "conversations", "clients", "accounts", "projects", "flows", "chats"} {
		b.get("/console/"+path+"/999999999999").want(t, http.StatusNotFound, `class="empty"`, "To the console")
	}
	for _, path := range []string{"keys", "webhooks", "conversations", "budgets", "clients", "accounts", "aliases", "plans", "models", "people", "audit", "agents", "balance"} {
		got := b.get("/console/" + path + "?cursor=%00")
		if got.status < 400 || got.status >= 500 || !strings.Contains(got.body, "<h1>") {
			t.Errorf("%s with a cursor of nobody: %d", path, got.status)
		}
	}
}
