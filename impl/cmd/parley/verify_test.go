package main

import (
	"encoding/xml"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"parley/impl/testkit"
)

func TestVerifyTellsByItsExitStatusWhatItFound(t *testing.T) {
	server := testkit.Shared(t)
	secret := server.Account(t, testkit.Unlimited, 1_000_000).Key(t).Text
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	liar := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(at) },
		ModifyResponse: func(r *http.Response) error { r.Header.Del("X-Request-Id"); return nil },
	})
	defer liar.Close()
	for name, test := range map[string]struct {
		target string
		want   int
		failed bool
	}{
		"an honest server": {server.URL, 0, false},
		"a lying server":   {liar.URL, 1, true},
		"no server":        {"http://127.0.0.1:1", 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			report := filepath.Join(t.TempDir(), "report.xml")
			args := []string{"verify", "--json", "--read-only", "--target", test.target, "--key", secret, "--only", "listAgents", "--junit", report}
			err := run(t.Context(), args)
			status := 0
			if err != nil {
				status = exitCode(err)
			}
			if status != test.want {
				t.Errorf("exit status %d (%v), want %d", status, err, test.want)
			}
			raw, err := os.ReadFile(report)
			if test.want == 2 {
				if !errors.Is(err, os.ErrNotExist) {
					t.Errorf("a report of nothing: %v", err)
				}
				return
			}
			var suites junitSuites
			if err != nil || xml.Unmarshal(raw, &suites) != nil || suites.Tests == 0 || (suites.Failures > 0) != test.failed {
				t.Errorf("report %s, %v", raw, err)
			}
		})
	}
}
