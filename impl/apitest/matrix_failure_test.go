package apitest_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"parley/gen"
	"parley/impl/api/characters"
	"parley/impl/api/chats"
	engagementapi "parley/impl/api/engagement"
	"parley/impl/api/oauth"
	"parley/impl/api/openai"
	"parley/impl/api/platform"
	"parley/impl/api/projects"
	"parley/impl/api/realtime"
	"parley/impl/api/turns"
	"parley/impl/api/webchat"
	"parley/impl/core/engagement"
	"parley/impl/core/limit"
	"parley/impl/httpd"
	"parley/impl/testkit"
)

func TestEveryOperationHasALimitAndTellsIt(t *testing.T) {
	t.Parallel()
	eachOperation(t, func(t *testing.T, op *testkit.Operation) {
		x := newTenant(t)
		x.key = x.Key(t, testkit.Plan("free"), testkit.App(x.key.AppID))
		r := x.sample(t, op)
		r.Body = nil // mostly refused with 400 or 415, and counted all the same
		for left := 4; left >= 0; left-- {
			got := x.do(t, r)
			wantHeader(t, got, "X-RateLimit-Limit", "5")
			wantHeader(t, got, "X-RateLimit-Remaining", strconv.Itoa(left))
		}
		got := x.do(t, x.sample(t, op)).Want(t, http.StatusTooManyRequests)
		wantHeader(t, got, "X-RateLimit-Remaining", "0")
		retry, err := strconv.Atoi(got.Header.Get("Retry-After"))
		if err != nil || retry < 1 || retry > 60 {
			t.Errorf("Retry-After is %q", got.Header.Get("Retry-After"))
		}
		reset, err := strconv.ParseInt(got.Header.Get("X-RateLimit-Reset"), 10, 64)
		if left := time.Until(time.Unix(reset, 0)); err != nil || left <= 0 || left > 62*time.Second {
			t.Errorf("X-RateLimit-Reset is %q, %s from here", got.Header.Get("X-RateLimit-Reset"), left)
		}
	})
}

func wantHeader(t *testing.T, got testkit.Response, name, want string) {
	t.Helper()
	if got.Header.Get(name) != want {
		t.Errorf("status %d with %s %q, want %q", got.Status, name, got.Header.Get(name), want)
	}
}

// panicking is a surface whose handlers all panic behind the edge's gates.
func panicking(s httpd.Surface) httpd.Surface {
	mount := s.Mount
	s.Mount = func(r chi.Router, fail func(http.ResponseWriter, *http.Request, error)) {
		mount(r.With(func(http.Handler) http.Handler {
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(secretValue) })
		}), fail)
	}
	return s
}

func panickingEdge(t *testing.T, s *testkit.Server, logs *testkit.Logs) *httptest.Server {
	t.Helper()
	document, err := httpd.LoadDocument(gen.JSON)
	if err != nil {
		t.Fatal(err)
	}
	edge, err := httpd.New(httpd.Config{
		Document: document, Keys: s.App.Keys, Limits: &limit.Limiter{DB: s.DB, Now: time.Now}, Log: slog.New(slog.NewJSONHandler(logs, nil)),
		Fallback: httpd.Problem,
		Surfaces: []httpd.Surface{
			panicking(platform.New(platform.Services{})), panicking(oauth.New(nil, "")), panicking(turns.New(nil)), panicking(webchat.New(nil, nil, nil, nil, nil, nil)), panicking(characters.New(characters.Services{})),
			panicking(openai.New(openai.Services{})), panicking(projects.New(nil, "")), panicking(engagementapi.New(&engagement.Advisor{})), panicking(realtime.New(nil, time.Now)),
			panicking(chats.New(nil, nil)),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(edge)
	t.Cleanup(server.Close)
	return server
}

// A panic is contained, answered in the surface's shape, told to the log and to nobody else.
func TestPanicsAreContained(t *testing.T) {
	t.Parallel()
	x, logs := newTenant(t), &testkit.Logs{}
	server := panickingEdge(t, x.server, logs)
	x.everything(t)
	x.server = &testkit.Server{URL: server.URL}
	for _, op := range testkit.Operations() {
		got := x.do(t, x.sample(t, op)).Want(t, http.StatusInternalServerError)
		if strings.Contains(string(got.Body), secretValue) {
			t.Errorf("%s tells the panic: %s", op.OperationID, got.Body)
		}
		if got := x.do(t, x.sample(t, op)).Error(t); op.Surface() == "characters" && got != "Internal error" {
			t.Errorf("%s answers %q", op.OperationID, got)
		}
		told := strings.Join(logs.Of(got.Header.Get("X-Request-Id")), "")
		if !strings.Contains(told, secretValue) || !strings.Contains(told, "matrix_failure_test.go") {
			t.Errorf("%s: the log has no panic with its stack", op.OperationID)
		}
	}
}

// A schema that is not what the code expects is an internal error: no SQL leaves the server.
func TestInternalErrorsSayNothing(t *testing.T) {
	t.Parallel()
	s := testkit.New(t)
	x := tenantOf(t, s, testkit.Unlimited, plenty)
	s.Do(t, present(x.sample(t, testkit.OperationOf("listAgents")), "bearerKey", x.key.Text)).Want(t, http.StatusOK)
	x.everything(t)
	var others []string
	if err := sql(t, s).Select(&others, `select table_name from information_schema.tables
		where table_schema = 'public' and table_name <> all('{keys,key_hashes,accounts,apps,plans,rate_windows}')`); err != nil {
		t.Fatal(err)
	}
	for _, table := range others {
		if _, err := sql(t, s).ExecContext(t.Context(), `alter table `+table+` rename to lost_`+table); err != nil {
			t.Fatal(err)
		}
	}
	// The keys must stay readable to who authenticates by them.
	for _, statement := range []string{
		`alter table keys rename column prefix to lost_prefix`,
		`alter table accounts rename column name to lost_name`,
		`alter table accounts rename column retention_days to lost_retention_days`,
		`create function refuse() returns trigger language plpgsql as $$ begin raise 'this does not exist'; end $$`,
		`create trigger refuse before delete on keys execute function refuse()`,
	} {
		if _, err := sql(t, s).ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, op := range testkit.Operations() {
		if op.Public() || strings.HasSuffix(op.Path, "/plans") || op.OperationID == "getPlan" || op.OperationID == "getMe" || op.OperationID == "listEngagementAgents" || op.OperationID == "listFlowTemplates" || op.OperationID == "validateFlow" || op.OperationID == "getWidget" {
			continue // how an app without a project looks is in no table; the plans and who one is, too, are what authentication reads; built-in agents and templates are in no table, and a flow that names no agent is checked without one
		}
		got := x.do(t, x.sample(t, op)).Want(t, http.StatusInternalServerError)
		if text := got.Error(t); text != "Internal error" {
			t.Errorf("%s answers %q", op.OperationID, text)
		}
		if told := strings.Join(s.Logs.Of(got.Header.Get("X-Request-Id")), ""); !strings.Contains(told, "does not exist") {
			t.Errorf("%s: the log has no cause: %s", op.OperationID, told)
		}
	}
}

// atTheIssuer tells whether the operation wants an issuer of OpenID Connect,
// which the servers of these tests do not have: package issuer tests it.
func atTheIssuer(op *testkit.Operation) bool {
	return strings.HasPrefix(op.Path, "/api/v1/sign-in/oidc")
}

// While the database is away every operation says so, and all is well when it comes back.
func TestOutageOfTheDatabase(t *testing.T) {
	t.Parallel()
	s := testkit.New(t)
	x := tenantOf(t, s, testkit.Unlimited, plenty)
	x.everything(t)
	s.Database.Cut()
	for _, op := range testkit.Operations() {
		if atTheIssuer(op) {
			continue
		}
		if op.Responses.Status(http.StatusServiceUnavailable) == nil {
			x.do(t, x.sample(t, op)).Want(t, http.StatusOK)
			continue
		}
		got := x.do(t, x.sample(t, op)).Want(t, http.StatusServiceUnavailable)
		if seconds, err := strconv.Atoi(got.Header.Get("Retry-After")); err != nil || seconds < 1 {
			t.Errorf("%s: Retry-After is %q", op.OperationID, got.Header.Get("Retry-After"))
		}
	}
	s.Database.Restore()
	for _, op := range testkit.Operations() {
		if atTheIssuer(op) || op.Method == http.MethodDelete || op.OperationID == "createErasure" {
			continue // the others need what it deletes
		}
		if got := x.do(t, x.sample(t, op)); got.Status >= 300 {
			t.Errorf("%s after the outage: %d %s", op.OperationID, got.Status, got.Body)
		}
	}
}
