package apitest_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"parley/gen/client/projects"
	"parley/impl/testkit"
)

func TestProgressIsFollowedToItsEndAndResumed(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	var open atomic.Bool
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/robots.txt" || r.URL.Path == "/sitemap.xml":
			http.NotFound(w, r)
		case !open.Load():
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html><title>Hours</title><body><p>The library opens at nine in the morning, on every day but Sunday.</p></body></html>"))
		}
	}))
	t.Cleanup(site.Close)
	var made projects.ProjectAnswer
	x.do(t, testkit.Request{Path: projectsPath, Body: map[string]any{"project_name": "Site", "sitemap_path": site.URL}}).Want(t, http.StatusCreated).JSON(t, &made)
	path := projectsPath + "/" + strconv.FormatInt(made.Data.ID, 10) + "/progress"
	var now projects.ProjectProgressAnswer
	x.get(t, path, &now)
	if !now.Data.IsRunning || now.Data.IsChatActive {
		t.Fatalf("while it waits: %+v", now.Data)
	}
	open.Store(true)
	follow := testkit.Request{Path: path, Header: map[string]string{"Accept": "text/event-stream"}}
	stream := string(x.do(t, follow).Want(t, http.StatusOK).Body)
	begin := strings.LastIndex(stream, "event: done")
	if begin < 0 || !strings.Contains(stream[begin:], `"pages_indexed":1`) || !strings.Contains(stream[begin:], `"is_chat_active":true`) {
		t.Fatalf("the stream is %s", stream)
	}
	last := strings.TrimSpace(stream[strings.LastIndex(stream, "id: ")+4:])
	follow.Header["Last-Event-ID"] = last
	again := string(x.do(t, follow).Want(t, http.StatusOK).Body)
	if strings.Count(again, "event: ") != 1 || !strings.Contains(again, "event: done") || !strings.Contains(again, "id: "+last) {
		t.Errorf("resumed it is %s", again)
	}
}
