package apitest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"parley/impl/testkit"
)

// wantSeedError holds an answer to the error body that seed 002 prints: one member, a text that says what is wrong.
func wantSeedError(t *testing.T, what string, got testkit.Response, status int) {
	t.Helper()
	if got.Status != status || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s: status %d, %s, want %d: %s", what, got.Status, got.Header.Get("Content-Type"), status, got.Body)
		return
	}
	var body map[string]any
	got.JSON(t, &body)
	text, isText := body["error"].(string)
	if len(body) != 1 || !isText || strings.TrimSpace(text) == "" {
		t.Errorf("%s: %d with %s", what, status, got.Body)
	}
}

// The errors of seed 002: every example with no key, with what it may not hold,
// with what does not exist, and without money, where that is possible.
func TestSeed002sErrorsAreItsOwn(t *testing.T) {
	t.Parallel()
	all := examples(t, "002")
	spends := []string{"completions", "send message", "create agent", "create image"}
	names := map[string]string{"conv_123abc": "conv_none", "agent_xyz789": "agent_none"}
	for name, e := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := seeded002(t)
			request := func(e example) testkit.Request {
				r := testkit.Request{Method: e.method, Path: e.path, Key: x.key.Text}
				if e.request != "" {
					r.Body = e.request
				}
				return r
			}
			r := request(e)
			r.Key = ""
			wantSeedError(t, "no key", x.server.Do(t, r), http.StatusUnauthorized)
			r = request(e)
			r.Path = withQuery(r.Path, map[string][]string{"cursor": {"\x00"}})
			if e.request != "" {
				r.Body = `{}`
			}
			wantSeedError(t, "broken", x.server.Do(t, r), http.StatusBadRequest)
			for known, missing := range names {
				if strings.Contains(e.path+e.request, known) {
					m := e
					m.path, m.request = strings.ReplaceAll(e.path, known, missing), strings.ReplaceAll(e.request, known, missing)
					wantSeedError(t, "without "+known, x.server.Do(t, request(m)), http.StatusNotFound)
				}
			}
			for _, modelID := range []string{"model_abc123", "sd_model_456abc"} {
				if strings.Contains(e.request, modelID) {
					m := e
					m.request = strings.ReplaceAll(e.request, modelID, "model_none")
					wantSeedError(t, "without the model", x.server.Do(t, request(m)), http.StatusBadRequest)
				}
			}
			if slices.Contains(spends, name) {
				x = seeded002With(t, 0)
				if err := x.server.App.Models.SetPrice(t.Context(), x.ID, "sd_model_456abc", 0, 0, 1); err != nil {
					t.Fatal(err)
				}
				wantSeedError(t, "without money", x.server.Do(t, request(e)), http.StatusPaymentRequired)
			}
		})
	}
}
