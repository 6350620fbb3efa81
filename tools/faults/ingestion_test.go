package faults

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const (
	libraries    = 2 // sites that are read at once
	libraryPages = 80
	lifePages    = 5 // about how many pages one life of the server sees to their end
	blankEvery   = 7
	goneEvery    = 11
)

// The server is killed while it reads two sites, again and again. In the end every page was indexed once or
// has failed with its reason, no page is missing or there twice, and the projects answer.
func TestKilledServersReadEveryPageOnce(t *testing.T) {
	s, kills := seed(t), 3
	if long() {
		kills = 20
	}
	c := newCluster(t, 1, "")
	a := c.account("unlimited", 0)
	var projects []int64
	for i := range libraries {
		var made struct {
			Data struct{ ID int64 }
		}
		c.call(t, http.MethodPost, "/api/v1/projects", a.Key, map[string]any{"project_name": fmt.Sprint("Library ", i), "sitemap_path": library(t, i) + "/sitemap.xml"}, &made)
		projects = append(projects, made.Data.ID)
	}
	raw := c.raw(t)
	ended := func() int {
		var n int
		if err := raw.Get(&n, `select count(*) from pages where account_id = $1 and due_at is null`, a.ID); err != nil {
			t.Fatal(err)
		}
		return n
	}
	r, before := rand.New(rand.NewPCG(s, 5)), 0
	for range kills {
		before = min(before+1+r.IntN(lifePages), libraries*libraryPages)
		eventually(t, "the server reads on", time.Minute, func() bool { return ended() >= before })
		before = ended()
		c.kill(0)
		c.start(0)
	}
	atLast := ended()
	eventually(t, "all is read", 3*time.Minute, func() bool {
		var left int
		if err := raw.Get(&left, `select count(*) from sources where account_id = $1 and state <> 'ready'`, a.ID); err != nil {
			t.Fatal(err)
		}
		return left == 0
	})
	if atLast == libraries*libraryPages {
		t.Error("all was read before the last kill: the campaign tested less than it says")
	}
	c.checkLibraries(t, a, projects)
	t.Logf("%d pages after %d kills, %d of them after the last", ended(), kills, ended()-atLast)
}

// checkLibraries compares what is stored and answered with what the sites have.
func (c *cluster) checkLibraries(t *testing.T, a account, projects []int64) {
	t.Helper()
	var rows []struct {
		URL    string `db:"url"`
		Index  string `db:"index_state"`
		Reason string `db:"reason"`
		Chunks int    `db:"chunks"`
		Stored int    `db:"stored"`
		Own    int    `db:"own"`
	}
	if err := c.raw(t).Select(&rows, `
		select p.url, p.index_state, p.reason, p.chunks, count(c.seq) as stored,
			count(c.seq) filter (where c.body like '%' || regexp_replace(p.url, '^.*/p/', 'w') || 'ord %') as own
		from pages p left join chunks c on c.account_id = p.account_id and c.page_id = p.page_id
		where p.account_id = $1
		group by p.account_id, p.page_id`, a.ID); err != nil {
		t.Fatal(err)
	}
	if len(rows) != libraries*libraryPages {
		t.Errorf("%d pages, not %d", len(rows), libraries*libraryPages)
	}
	for _, row := range rows {
		var n int
		_, _ = fmt.Sscanf(row.URL[strings.LastIndexByte(row.URL, '/')+1:], "%d", &n)
		index, reason, chunks := "ok", "", 1
		switch {
		case n%goneEvery == 0:
			index, reason, chunks = "failed", "The site answers 404: the page is gone.", 0
		case n%blankEvery == 0:
			index, reason, chunks = "failed", "The page has no text.", 0
		}
		if row.Index != index || row.Reason != reason || row.Chunks != chunks || row.Stored != chunks || row.Own != chunks {
			t.Errorf("%+v, not %s %q with %d chunks", row, index, reason, chunks)
		}
	}
	for _, id := range projects {
		var answer struct {
			Choices []struct{ Message struct{ Content string } }
		}
		c.call(t, http.MethodPost, fmt.Sprintf("/api/v1/projects/%d/chat/completions", id), a.Key,
			map[string]any{"messages": []any{map[string]any{"role": "user", "content": "Where is w13ord kept?"}}}, &answer)
		if len(answer.Choices) != 1 || !strings.Contains(answer.Choices[0].Message.Content, "shelf 13") {
			t.Errorf("project %d answers %+v", id, answer)
		}
	}
}

// library is a site whose sitemap lists pages with a word of their own; some are blank, some are gone. It returns its URL.
func library(t *testing.T, i int) string {
	t.Helper()
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		switch {
		case r.URL.Path == "/sitemap.xml":
			w.Header().Set("Content-Type", "application/xml")
			_, _ = fmt.Fprint(w, `<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">`)
			for n := range libraryPages {
				_, _ = fmt.Fprintf(w, "<url><loc>%s/p/%d</loc></url>", s.URL, n+1)
			}
			_, _ = fmt.Fprint(w, "</urlset>")
			return
		case !strings.HasPrefix(r.URL.Path, "/p/"):
			http.NotFound(w, r)
			return
		}
		_, _ = fmt.Sscanf(r.URL.Path, "/p/%d", &n)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch {
		case n%goneEvery == 0:
			http.NotFound(w, r)
		case n%blankEvery == 0:
			_, _ = fmt.Fprint(w, "<html><body></body></html>")
		default:
			_, _ = fmt.Fprintf(w, "<html lang=en><title>Volume %d</title><body><main><p>In library %d the w%dord is kept on shelf %d.</p></main></body></html>", n, i, n, n)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}
