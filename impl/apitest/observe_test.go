package apitest_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"parley/db"
	"parley/gen/client/platform"
	"parley/impl/core/model"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// metric is the value of a series as Prometheus reads it; "" when there is none.
func metric(t *testing.T, s *testkit.Server, series string) string {
	t.Helper()
	w := httptest.NewRecorder()
	s.App.Metrics.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if value, found := strings.CutPrefix(line, series+" "); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func wantMetrics(t *testing.T, s *testkit.Server, want map[string]string) {
	t.Helper()
	for series, value := range want {
		if got := metric(t, s, series); got != value {
			t.Errorf("%s is %q, want %q", series, got, value)
		}
	}
}

// What a server did can be read from its metrics: answers, their tokens and cost, refusals, failures.
func TestMetricsTellWhatTheServerDid(t *testing.T) {
	t.Parallel()
	u := providertest.NewUpstream(t)
	u.AnswersModels(providertest.Models("tiny"))
	s := testkit.New(t, testkit.WithUpstream(u.URL, ""))
	x := tenantOf(t, s, testkit.Unlimited, 1_000_000)
	if err := s.App.Models.SetPrice(t.Context(), "", "tiny", 1000, 2000, 0); err != nil {
		t.Fatal(err)
	}
	x.chat(t, "Hi", "")
	x.do(t, testkit.Request{Path: "/api/v1/chat", Body: `{"message":"Hi","stream":true}`}).Want(t, http.StatusOK)
	u.Answers(providertest.Status(http.StatusUnauthorized, "bad_key", "no"))
	x.do(t, testkit.Request{Path: "/api/v1/chat", Body: `{"message":"Hi"}`}).Want(t, http.StatusBadGateway)
	poor := tenantOf(t, s, testkit.Unlimited, 0)
	poor.do(t, testkit.Request{Path: "/api/v1/chat", Body: `{"message":"Hi"}`}).Want(t, http.StatusPaymentRequired)
	crowded := tenantOf(t, s, "free", 0)
	for range 6 {
		crowded.do(t, testkit.Request{Path: "/api/v1/sessions"})
	}
	if err := s.Stop(); err != nil { // then every request has been counted
		t.Fatal(err)
	}
	wantMetrics(t, s, map[string]string{
		`parley_http_requests_total{operation="sendWebchatMessage",status="200"}`:                    "2",
		`parley_http_requests_total{operation="sendWebchatMessage",status="402"}`:                    "1",
		`parley_http_requests_total{operation="sendWebchatMessage",status="502"}`:                    "1",
		`parley_http_request_duration_seconds_count{operation="sendWebchatMessage"}`:                 "3", // the stream has none
		`parley_refusals_total{limit="funds"}`:                                                       "1",
		`parley_refusals_total{limit="requests"}`:                                                    "1",
		`parley_turns_total{failure="",outcome="completed",surface="webchat"}`:                       "2",
		`parley_turns_total{failure="upstream",outcome="failed",surface="webchat"}`:                  "1",
		`parley_turn_duration_seconds_count{surface="webchat"}`:                                      "3",
		`parley_turn_first_token_seconds_count{model="tiny",surface="webchat"}`:                      "2",
		`parley_upstream_errors_total{failure="upstream",provider="` + model.UpstreamProvider + `"}`: "1",
		`parley_open_streams`:                      "0",
		`parley_open_websockets`:                   "0",
		`parley_turns_running`:                     "0",
		`parley_db_connections_max`:                "16",
		`parley_providers_left_alone{of="server"}`: "0",
	})
	spent := metric(t, s, `parley_cost_micros_total{model="tiny"}`)
	if booked := x.Money(t).SpentMicros; booked == 0 || spent != fmt.Sprint(booked) {
		t.Errorf("told a cost of %s, booked %d", spent, booked)
	}
}

// What is open and what waits is looked at when somebody asks.
func TestMetricsTellWhatIsOpen(t *testing.T) {
	t.Parallel()
	s := testkit.New(t)
	x := tenantOf(t, s, testkit.Unlimited, 0)
	gate := make(chan struct{})
	x.Upstream(t, func(e *providertest.Exchange) {
		e.Start()
		e.Event(providertest.Chunk(map[string]any{"content": "One"}, ""))
		<-gate
		e.Event(providertest.Chunk(map[string]any{}, "stop"))
		e.Event("[DONE]")
	})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/v1/chat", strings.NewReader(`{"message":"Hi","stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+x.key.Text)
	request.Header.Set("Content-Type", "application/json")
	stream, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if _, err := bufio.NewReader(stream.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	const kind = "nobody_does_this"
	if err := s.DB.EnqueueJob(t.Context(), db.Job{ID: "job_1", Kind: kind, Args: []byte("{}"), MaxAttempts: 1, RunAt: time.Now(), CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	wantMetrics(t, s, map[string]string{
		`parley_open_streams`: "1", `parley_turns_running`: "1", `parley_db_up`: "1",
		`parley_jobs_waiting{kind="` + kind + `"}`: "1", `parley_jobs_running{kind="` + kind + `"}`: "0",
	})
	close(gate)
	if _, err := io.Copy(io.Discard, stream.Body); err != nil {
		t.Fatal(err)
	}
	s.Database.Cut()
	wantMetrics(t, s, map[string]string{`parley_db_up`: "0", `parley_jobs_waiting{kind="` + kind + `"}`: ""})
	s.Database.Restore()
}

// Names, units and help follow Prometheus's rules, no series names a tenant,
// and dashboards and alerts speak of nothing that is not told.
func TestMetricsAreThoseOfTheDashboards(t *testing.T) {
	t.Parallel()
	s := testkit.New(t)
	x := tenantOf(t, s, testkit.Unlimited, 0)
	x.Upstream(t, providertest.SSE("Hi"))
	x.chat(t, "Hi", "")
	problems, err := testutil.GatherAndLint(s.App.Metrics.Registry())
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	w := httptest.NewRecorder()
	s.App.Metrics.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	told := w.Body.String()
	for _, secret := range []string{x.ID, x.key.ID, testkit.UpstreamModel} {
		if strings.Contains(told, secret) {
			t.Errorf("the metrics name %s", secret)
		}
	}
	described := described(s.App.Metrics.Registry())
	for _, file := range []string{"../../tools/deploy/grafana/parley.json", "../../tools/deploy/prometheus/alerts.yaml"} {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`\bparley_[a-z_]+`).FindAllString(string(raw), -1) {
			base := regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(name, "")
			if !described[name] && !described[base] {
				t.Errorf("%s speaks of %s", file, name)
			}
		}
	}
}

// described are the names of all metrics, also of those without a series yet.
func described(r *prometheus.Registry) map[string]bool {
	all := make(chan *prometheus.Desc, 1000)
	r.Describe(all)
	close(all)
	names := map[string]bool{}
	for d := range all {
		if found := regexp.MustCompile(`fqName: "([^"]+)"`).FindStringSubmatch(d.String()); found != nil {
			names[found[1]] = true
		}
	}
	return names
}

// The status names what does not work, and asks for no key.
func TestStatusTellsWhatWorks(t *testing.T) {
	t.Parallel()
	s := testkit.New(t)
	var got platform.ServiceStatus
	s.Do(t, testkit.Request{Path: "/status"}).Want(t, http.StatusOK).JSON(t, &got)
	if got.Status != "ok" || len(got.Components) != 4 {
		t.Errorf("a server that works says %+v", got)
	}
	cut := testkit.New(t)
	cut.Database.Cut()
	defer cut.Database.Restore()
	cut.Do(t, testkit.Request{Path: "/status"}).Want(t, http.StatusOK).JSON(t, &got)
	if got.Status != "down" || got.Components[0].Status != "down" || got.Components[3].Status != "ok" {
		t.Errorf("a server without its database says %+v", got)
	}
}

// The access line names request, turn, account and trace, and no text.
func TestAccessLineNamesTheTurn(t *testing.T) {
	t.Parallel()
	s := testkit.New(t)
	x := tenantOf(t, s, testkit.Unlimited, 0)
	got := x.do(t, testkit.Request{Path: "/api/v1/chat", Body: `{"message":"zebra-47 on the roof"}`}).Want(t, http.StatusOK)
	if err := s.Stop(); err != nil { // then the line is written
		t.Fatal(err)
	}
	line := strings.Join(s.Logs.Of(got.Header.Get("X-Request-Id")), "")
	for _, want := range []string{`"turn":"` + got.Header.Get("Parley-Turn") + `"`, `"account":"` + x.ID + `"`, `"operation":"sendWebchatMessage"`} {
		if !strings.Contains(line, want) {
			t.Errorf("the line lacks %s: %s", want, line)
		}
	}
	if strings.Contains(s.Logs.String(), "zebra-47") {
		t.Error("what was asked stands in the log")
	}
}
