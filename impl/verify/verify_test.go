package verify_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/gen"
	"parley/impl/contract"
	"parley/impl/core/key"
	"parley/impl/testkit"
	"parley/impl/verify"
)

func verified(t *testing.T, o verify.Options) *verify.Report {
	t.Helper()
	var err error
	if o.Document, err = contract.Load(gen.JSON); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	report, err := verify.Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// someone makes a key for everything that an account has.
func someone(t *testing.T, server *testkit.Server) string {
	t.Helper()
	return server.Account(t, testkit.Unlimited, 100_000_000).Key(t, func(in *key.CreateInput) {
		in.Scopes = append(slices.Clone(key.SurfaceScopes), key.ScopeAdmin)
	}).Text
}

// failures name the cases that failed.
func failures(report *verify.Report) []string {
	var all []string
	for _, r := range report.Results {
		if r.Verdict == verify.Failed {
			all = append(all, fmt.Sprintf("%s: %s: %d: %s", r.Operation, r.Case, r.Status, r.Reason))
		}
	}
	return all
}

func TestParleyIsWhatItsDocumentSays(t *testing.T) {
	server := testkit.Shared(t)
	secret := someone(t, server)
	var said []string
	report := verified(t, verify.Options{Target: server.URL, Key: secret, Say: func(s string) { said = append(said, s) }})
	for _, failed := range failures(report) {
		t.Error(failed)
	}
	passed := map[string]bool{}
	for _, r := range report.Results {
		if r.Verdict == verify.Passed {
			passed[r.Operation+": "+r.Case] = true
		}
	}
	for _, must := range []string{
		"createAgent: no key", "getAgent: example", "getAgent: unknown id", "listMessages: example", "deleteConversation: deletion",
		"streamTurnEvents: example", "createWebhook: a body that is no JSON", "listAgents: a method that the path does not have",
		"createUpload: example picture, as a form", "importAgent: example card, as a form", "createDocument: example file, as a form",
		"createProject: example project, as a form", "updateProjectSettings: example persona, as a form", "createOauthToken: example form, as a form",
		"introspectOauthToken: example form, as a form", "revokeOauthToken: example form, as a form",
		"connectChat: handshake", "connectRealtime: a request that wants no WebSocket", "getAgentState: example",
		"createChat: example flow", "updateProjectPlugin: example one", "updateSessionFeedback: example liked", "createProjectLicense: example one",
		"createProjectSource: example file, as a form", "repeatWebhookDelivery: example", "getFile: example",
	} {
		if !passed[must] {
			t.Errorf("nothing passed %s", must)
		}
	}
	counted := 0
	for _, cause := range report.Causes {
		counted += cause.Cases
	}
	if counted == 0 || counted != report.Count(verify.Skipped) {
		t.Errorf("%d cases were left out, by their causes %d: %v", report.Count(verify.Skipped), counted, report.Causes)
	}
	if len(said) == 0 || report.Answers == 0 || !strings.Contains(said[0], "answers") {
		t.Errorf("it asked for %d answers and said %q", report.Answers, said)
	}
	if len(report.Left) > 0 {
		t.Errorf("it left %q", report.Left)
	}
	c := server.Client(t, secret)
	for agent, err := range c.Characters.AllAgents(t.Context(), nil) {
		t.Errorf("it left the agent %q, %v", agent.Name, err)
	}
	for conversation, err := range c.Characters.AllConversations(t.Context(), nil) {
		t.Errorf("it left the conversation %q, %v", conversation.Title, err)
	}
	for project, err := range c.Projects.AllProjects(t.Context(), nil) {
		t.Errorf("it left the project %q, %v", project.ProjectName, err)
	}
}

func TestOnlyADisposableServerKeepsSomething(t *testing.T) {
	server := testkit.Shared(t)
	for _, disposable := range []bool{false, true} {
		only := []string{"updateOwnAccount", "createExport", "getExport", "deleteAllSessions"}
		report := verified(t, verify.Options{Target: server.URL, Key: someone(t, server), Only: only, Disposable: disposable})
		if failed := failures(report); len(failed) > 0 {
			t.Errorf("disposable %t: failures %q", disposable, failed)
		}
		for _, must := range []string{"updateOwnAccount: example warning", "createExport: example account", "getExport: example", "deleteAllSessions: example"} {
			done := slices.ContainsFunc(report.Results, func(r verify.Result) bool { return r.Operation+": "+r.Case == must && r.Verdict == verify.Passed })
			if done != disposable {
				t.Errorf("disposable %t: passed %s: %t", disposable, must, done)
			}
		}
	}
}

func TestReadingAloneChangesNothing(t *testing.T) {
	server := testkit.Shared(t)
	honest := lying(func(r *http.Response) {
		if r.Request.Method != http.MethodGet && r.StatusCode < 300 {
			t.Errorf("%s %s was done", r.Request.Method, r.Request.URL.Path)
		}
	})
	report := verified(t, verify.Options{Target: server.URL, Key: someone(t, server), ReadOnly: true, HTTP: &http.Client{Transport: honest}})
	if failed := failures(report); len(failed) > 0 || report.Answers != 0 || report.Count(verify.Passed) < 200 {
		t.Errorf("%d passed, %d answers, failures %q", report.Count(verify.Passed), report.Answers, failed)
	}
}

func TestLiesAreFoundAndNamed(t *testing.T) {
	server := testkit.Shared(t)
	secret := someone(t, server)
	replace := func(old, new string) func(*http.Response) {
		return func(r *http.Response) {
			body, _ := io.ReadAll(r.Body)
			_ = r.Body.Close() // read to its end
			body = bytes.ReplaceAll(body, []byte(old), []byte(new))
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		}
	}
	tests := []struct {
		name, method, path string
		status             int
		lie                func(*http.Response)
		want, says         string
	}{
		{"a member that is called otherwise", "GET", "/api/v1/agents/", 200, replace(`"personality_prompt"`, `"persona"`), "getAgent: example", "person"}, //nolint:bodyclose // replace closes it
		{"a member of another type", "GET", "/api/v1/agents", 200, replace(`"name":"`, `"name":7,"x":"`), "listAgents: example", "name"},                  //nolint:bodyclose // replace closes it
		{"another status", "POST", "/api/v1/agents", 201, func(r *http.Response) { r.StatusCode = 203 }, "createAgent: example", "203"},
		{"a header that is missing", "GET", "/api/v1/agents", 200, func(r *http.Response) { r.Header.Del("X-Ratelimit-Limit") }, "listAgents: example", "X-RateLimit-Limit"},
		{"another content type", "GET", "/api/v1/agents", 401, func(r *http.Response) { r.Header.Set("Content-Type", "text/plain") }, "listAgents: no key", "text/plain"},
		{"an open door", "GET", "/api/v1/agents", 401, func(r *http.Response) { r.StatusCode = 200 }, "listAgents: no key", "200"},
		{"something where nothing is", "GET", "/api/v1/agents/", 404, func(r *http.Response) { r.StatusCode = 500 }, "getAgent: unknown id", "500"},
		{"another server's handshake", "GET", "/v1/realtime", 101, func(r *http.Response) { r.Header.Set("Sec-Websocket-Accept", "yes") }, "connectRealtime: handshake", "does not answer the key"},
		{"a deletion that fails", "DELETE", "/api/v1/agents/", 204, func(r *http.Response) { r.StatusCode = 418 }, "deleteAgent: deletion", "418"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			liar := lying(func(r *http.Response) {
				exact := r.Request.URL.Path == test.path || strings.HasSuffix(test.path, "/") && strings.HasPrefix(r.Request.URL.Path, test.path)
				if r.Request.Method == test.method && exact && r.StatusCode == test.status {
					test.lie(r)
				}
			})
			only := []string{"listAgents", "createAgent", "getAgent", "deleteAgent", "connectRealtime"}
			failed := failures(verified(t, verify.Options{Target: server.URL, Key: secret, Only: only, HTTP: &http.Client{Transport: liar}}))
			if !slices.ContainsFunc(failed, func(f string) bool { return strings.HasPrefix(f, test.want) && strings.Contains(f, test.says) }) {
				t.Errorf("failures %q, want %s about %s", failed, test.want, test.says)
			}
		})
	}
}

func TestWhatCannotBeVerifiedIsAnError(t *testing.T) {
	document, err := contract.Load(gen.JSON)
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]verify.Options{
		"an operation that is not there": {Target: "http://127.0.0.1:1", Only: []string{"listUnicorns"}},
		"no server":                      {Target: "http://127.0.0.1:1"},
		"no address":                     {Target: "::"},
	} {
		o.Document = document
		if report, err := verify.Run(t.Context(), o); err == nil || report != nil {
			t.Errorf("%s: %v, %v", name, report, err)
		}
	}
}

// lying changes the answers of a server.
type lying func(*http.Response)

// RoundTrip implements http.RoundTripper.
func (l lying) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		l(response)
	}
	return response, err
}
