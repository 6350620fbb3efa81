package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"parley/db"
	"parley/impl/testkit"
)

func TestExportsAreMadeAndDownloaded(t *testing.T) {
	t.Parallel()
	a, b, _ := account(t)
	c := a.Conversation(t, func(c *db.Conversation) { c.Title = "About lamps" }, db.Message{Seq: 1, Role: "user", Content: "What lamps?"})
	b.get("/console/privacy").want(t, http.StatusOK, "Nothing was exported yet", "Nothing was erased yet").lacks(t, "data-wait")
	b.post("/console/privacy", "do", "export", "scope", "conversation", "subject", "none", "once", "x0").want(t, http.StatusNotFound, `role="alert"`, `value="none"`, `value="conversation" selected`)
	b.post("/console/privacy", "do", "export", "scope", "nothing", "once", "x1").want(t, http.StatusBadRequest, `role="alert"`)
	b.post("/console/privacy", "do", "export", "scope", "conversation", "subject", c.ID, "once", "x2").leads(t, "/console/privacy?done=asked")
	b.post("/console/privacy", "do", "export", "scope", "conversation", "subject", c.ID, "once", "x2").leads(t, "/console/privacy?done=asked")
	shows(t, b, "/console/privacy", "/download")
	ready := b.get("/console/privacy").want(t, http.StatusOK, "ready").lacks(t, "data-wait")
	if n := strings.Count(ready.body, "/download"); n != 1 {
		t.Errorf("%d exports of one order that was sent twice", n)
	}
	at := between(t, ready.body, `href="/api/v1/admin/exports/`, `"`)
	archive := b.get("/api/v1/admin/exports/"+at).want(t, http.StatusOK)
	if !strings.HasPrefix(archive.body, "PK") || !strings.Contains(archive.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("the archive begins %q, %v", archive.body[:min(len(archive.body), 8)], archive.header)
	}
	b.get("/console/live/exports/"+strings.TrimSuffix(at, "/download")).want(t, http.StatusOK, `"state":"ready"`)
}

func TestErasuresAreOrderedByWord(t *testing.T) {
	t.Parallel()
	a, b, _ := account(t)
	c := a.Conversation(t, func(c *db.Conversation) { c.Title = "About lamps" }, db.Message{Seq: 1, Role: "user", Content: "What lamps?"})
	b.post("/console/privacy", "do", "erase", "scope", "conversation", "subject", c.ID, "once", "e0").want(t, http.StatusBadRequest, "Type the word erase", `value="`+c.ID+`"`)
	b.get("/console/conversations/"+c.ID).want(t, http.StatusOK)
	b.post("/console/privacy", "do", "erase", "sure", "erase", "scope", "conversation", "subject", c.ID, "once", "e1").leads(t, "/console/privacy?done=asked")
	shows(t, b, "/console/privacy", `<span class="tag done">`)
	b.get("/console/conversations/"+c.ID).want(t, http.StatusNotFound)
}

// While a thing is being made, its row says so and where the page's module sees it end.
func TestWhatIsBeingMadeShowsProgress(t *testing.T) {
	t.Parallel()
	a, b, _ := account(t)
	ordered := db.Export{AccountID: a.ID, ID: "export_of_nobody", Scope: "account", State: "waiting", CreatedAt: time.Now().UTC()}
	if err := testkit.Shared(t).DB.InsertExport(t.Context(), ordered); err != nil { // which no job makes
		t.Fatal(err)
	}
	list := b.get("/console/privacy").want(t, http.StatusOK, "Being made", "<progress", "wait.js").lacks(t, "/download")
	at := between(t, list.body, `data-wait="`, `"`)
	b.get(at).want(t, http.StatusOK, `"state":"waiting"`)
}

func TestConversationsAreKeptForDays(t *testing.T) {
	t.Parallel()
	_, b, _ := account(t)
	b.post("/console/privacy", "do", "keep", "days", "90").leads(t, "/console/privacy?done=saved")
	b.get("/console/privacy").want(t, http.StatusOK, `name="days" inputmode="numeric" value="90"`)
	b.post("/console/privacy", "do", "keep", "days", "0").want(t, http.StatusBadRequest, `role="alert"`)
	b.post("/console/privacy", "do", "keep", "days", "ever").want(t, http.StatusBadRequest, "a number of days")
	b.post("/console/privacy", "do", "keep", "days", "").leads(t, "/console/privacy?done=saved")
	b.get("/console/privacy").want(t, http.StatusOK, `name="days" inputmode="numeric" value=""`)
}

// shows waits until a page has a text.
func shows(t *testing.T, b *browser, path, text string) {
	t.Helper()
	tick, deadline := time.NewTicker(20*time.Millisecond), time.After(5*time.Minute)
	defer tick.Stop()
	for {
		got := b.get(path)
		if strings.Contains(got.body, text) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s never shows %q: %s", path, text, shorten(got.body))
		}
	}
}
