package apitest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"parley/impl/testkit"
)

// What the server does not do to content is refused where it is asked for, and nothing is made.
func TestWhatIsNotDoneToContentIsRefused(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	p := x.Project(t)
	refused := func(method, path string, body map[string]any, why string) {
		t.Helper()
		got := x.do(t, testkit.Request{Method: method, Path: path, Body: body}).Want(t, http.StatusBadRequest)
		if !strings.Contains(string(got.Body), why) {
			t.Errorf("%s %s: %s", method, path, got.Body)
		}
	}
	project := fmt.Sprintf("/api/v1/projects/%d", p.ID)
	for _, option := range []string{"is_ocr_enabled", "is_anonymized"} {
		refused(http.MethodPost, "/api/v1/projects", map[string]any{"project_name": "Scans", "sitemap_path": "sitemap.com", option: true}, "not available")
		refused(http.MethodPost, project, map[string]any{option: true}, "not available")
		refused(http.MethodPost, project+"/sources", map[string]any{"sitemap_path": "sitemap.com", option: true}, "not available")
	}
	if n, err := x.server.DB.CountProjects(t.Context(), x.ID, ""); err != nil || n != 1 {
		t.Errorf("%d projects, %v", n, err)
	}
}
