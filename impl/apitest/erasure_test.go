package apitest_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"parley/db"
	"parley/gen/client/platform"
	"parley/impl/blobs"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

const (
	exportsPath  = "/api/v1/admin/exports"
	erasuresPath = "/api/v1/admin/erasures"
)

// erase orders an erasure and waits until it is done.
func (x tenant) erase(t *testing.T, order map[string]any) platform.Erasure {
	t.Helper()
	made := x.do(t, testkit.Request{Path: erasuresPath, Body: order}).Want(t, http.StatusAccepted)
	var e platform.Erasure
	made.JSON(t, &e)
	eventually(t, "the erasure is done", func() bool { x.get(t, made.Header.Get("Location"), &e); return e.State == "done" })
	return e
}

// isText tells whether a member of a body takes any text.
func isText(name string, s *openapi3.Schema) bool {
	return s.Type.Is("string") && len(s.Enum) == 0 && s.Format == "" && (s.Pattern == "" || s.Pattern == `\S`) &&
		(s.MaxLength == nil || *s.MaxLength >= 64) && !strings.HasSuffix(name, "_id") && name != "model" && name != "api_key"
}

// fill puts the text wherever a body of the schema takes any.
func fill(schema *openapi3.Schema, body map[string]any, text string) {
	for name, property := range schema.Properties {
		s := property.Value
		switch {
		case len(s.OneOf) > 0 || len(s.AnyOf) > 0:
			continue
		case isText(name, s):
			body[name] = text
		case s.Type.Is("object") && body[name] != nil:
			if inner, ok := body[name].(map[string]any); ok {
				fill(s, inner, text)
			}
		case s.Type.Is("array") && body[name] != nil:
			items, _ := body[name].([]any)
			for _, item := range items {
				if inner, ok := item.(map[string]any); ok && s.Items != nil {
					fill(s.Items.Value, inner, text)
				}
			}
		}
		if s.Format == "uri" && strings.HasPrefix(s.Pattern, "^https?://") {
			body[name] = "https://hooks.example/" + text
		}
	}
}

// sayEverywhere sends the text through every operation that takes a body,
// wherever it takes any text, and returns how many of them stored it somewhere.
func (x tenant) sayEverywhere(t *testing.T, text string) int {
	t.Helper()
	took := 0
	for _, op := range testkit.Operations() {
		if op.Public() || op.JSONBody() == nil || op.OperationID == "createErasure" || strings.HasPrefix(scopesOf(t, op)[0], "operator") {
			continue
		}
		for _, stream := range []bool{false, true} {
			r := x.sample(t, op)
			body := r.Body.(map[string]any)
			fill(op.JSONBody(), body, text)
			if stream && streams(op) {
				r.Header = map[string]string{"Accept": "text/event-stream"}
			}
			if got := x.do(t, r); got.Status < 300 {
				took++
			} else if got.Status != http.StatusConflict {
				t.Errorf("%s: %d %.300s", op.OperationID, got.Status, got.Body)
			}
		}
	}
	return took
}

// filesWith names the files of a folder that hold text.
func filesWith(t *testing.T, folder, text string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if bytes.Contains(raw, []byte(text)) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// blobsOf counts the stored files of an account.
func blobsOf(t *testing.T, s *testkit.Server, account string) int {
	t.Helper()
	n := 0
	err := s.App.Blobs.EachRaw(t.Context(), func(key string, _ int64, _ io.Reader) error {
		if strings.HasPrefix(key, account+"/") {
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// What an account said, through every operation that there is, is nowhere after
// its erasure. An operation or a table that is added joins by itself.
func TestAnErasedAccountIsForgotten(t *testing.T) {
	t.Parallel()
	s := testkit.New(t)
	x := tenantOf(t, s, testkit.Unlimited, plenty)
	said, answered, kept := testkit.Canary(), testkit.Canary(), testkit.Canary()
	other := tenantOf(t, s, testkit.Unlimited, plenty)
	other.Upstream(t, providertest.SSE(kept))
	other.do(t, testkit.Request{Path: "/api/v1/chat", Body: map[string]any{"message": kept}}).Want(t, http.StatusOK)
	receiver := testkit.NewReceiver(t)
	x.Webhook(t, receiver.URL+"?"+said)
	x.Upstream(t, providertest.SSE("answer "+answered))
	if _, _, err := s.App.Models.PutAlias(t.Context(), x.ID, "gpt-*", testkit.UpstreamModel); err != nil { // what the document's examples name
		t.Fatal(err)
	}
	if n := x.sayEverywhere(t, said); n < 10 {
		t.Errorf("only %d requests took the text", n)
	}
	for _, text := range []string{said, answered} {
		if tables := tablesWith(t, s, text); len(tables) < 2 {
			t.Fatalf("the text got into %v only: nothing is shown", tables)
		} else if slices.ContainsFunc(tables, func(name string) bool {
			return name == "jobs" || name == "webhook_events" || name == "webhook_deliveries"
		}) {
			t.Errorf("a job or an event holds the text: %v", tables)
		}
	}
	_, files := x.export(t, map[string]any{"scope": "account"})
	if !strings.Contains(files["messages.jsonl"], said) || !strings.Contains(files["messages.jsonl"], answered) || !strings.Contains(files["agents.jsonl"], said) {
		t.Errorf("the export lacks texts; it has %d files", len(files))
	}
	before := x.Money(t)
	if e := x.erase(t, map[string]any{"scope": "account"}); e.Conversations < 2 || e.Files < 2 {
		t.Errorf("erased %+v", e)
	}
	for _, text := range []string{said, answered} {
		if tables := tablesWith(t, s, text); len(tables) > 0 {
			t.Errorf("left in %v", tables)
		}
		if found := filesWith(t, s.Blobs, text); len(found) > 0 {
			t.Errorf("left in %v", found)
		}
		if lines := s.Logs.Of(text); len(lines) > 0 {
			t.Errorf("logged: %.500s", lines[0])
		}
	}
	if n := blobsOf(t, s, x.ID); n > 0 {
		t.Errorf("%d files are left", n)
	}
	x.keepsItsBooks(t, before)
	if tables := tablesWith(t, s, kept); len(tables) < 2 {
		t.Errorf("another account's text is left in %v only", tables)
	}
}

// keepsItsBooks checks that an erasure touched no figures, and that the key still works.
func (x tenant) keepsItsBooks(t *testing.T, before db.Account) {
	t.Helper()
	after := x.Money(t)
	if after.GrantedMicros != before.GrantedMicros || after.SpentMicros != before.SpentMicros || after.HeldMicros != 0 || after.Name != after.ID {
		t.Errorf("the account's figures %+v became %+v", before, after)
	}
	if wrong, err := x.server.DB.Imbalances(t.Context()); err != nil || len(wrong) > 0 {
		t.Errorf("the books do not balance: %+v, %v", wrong, err)
	}
	var usage struct {
		Usage struct {
			TotalRequests int `json:"total_requests"`
		}
	}
	if x.get(t, "/api/v1/usage", &usage); usage.Usage.TotalRequests < 1 {
		t.Errorf("usage after the erasure %+v", usage)
	}
}

// talk sends a message and returns the session.
func (x tenant) talk(t *testing.T, key, message string) string {
	t.Helper()
	var answer struct {
		SessionID string `json:"session_id"`
	}
	x.server.Do(t, testkit.Request{Path: "/api/v1/chat", Key: key, Body: map[string]any{"message": message}}).Want(t, http.StatusOK).JSON(t, &answer)
	return answer.SessionID
}

func TestOneConversationOrAppIsForgotten(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	s := x.server
	x.Webhook(t, testkit.NewReceiver(t).URL, "message.created")
	first, second, third := testkit.Canary(), testkit.Canary(), testkit.Canary()
	session := x.talk(t, x.key.Text, first)
	x.talk(t, x.key.Text, second)
	neighbour := x.Key(t)
	x.talk(t, neighbour.Text, third)
	e, files := x.export(t, map[string]any{"scope": "conversation", "subject": session})
	if !strings.Contains(files["messages.jsonl"], first) || strings.Contains(files["messages.jsonl"], second) || files["agents.jsonl"] != "" || strings.Count(files["conversations.jsonl"], "\n") != 1 {
		t.Errorf("the conversation's export has %v", files)
	}
	if erased := x.erase(t, map[string]any{"scope": "conversation", "subject": session}); erased.Conversations != 1 || *erased.Subject != session {
		t.Errorf("erased %+v", erased)
	}
	if tables := tablesWith(t, s, first); len(tables) > 0 {
		t.Errorf("left in %v", tables)
	}
	x.do(t, testkit.Request{Path: exportsPath + "/" + e.ID + "/download"}).Want(t, http.StatusConflict)
	if _, err := s.App.Blobs.Get(t.Context(), blobs.Name{AccountID: x.ID, Kind: "exports", ID: e.ID}); !errors.Is(err, blobs.ErrNotFound) {
		t.Errorf("an archive is left that holds it: %v", err)
	}
	if len(tablesWith(t, s, second)) == 0 {
		t.Fatal("another conversation went, too")
	}
	_, files = x.export(t, map[string]any{"scope": "app", "subject": x.key.AppID})
	if !strings.Contains(files["messages.jsonl"], second) || strings.Contains(files["messages.jsonl"], third) {
		t.Errorf("the app's export has %v", files["messages.jsonl"])
	}
	x.erase(t, map[string]any{"scope": "app", "subject": x.key.AppID})
	if tables := tablesWith(t, s, second); len(tables) > 0 {
		t.Errorf("left in %v", tables)
	}
	if len(tablesWith(t, s, third)) == 0 {
		t.Error("another app's conversation went, too")
	}
}

// An end user's name is in the books until the end user is erased; the figures stay.
func TestAnEndUserIsForgotten(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	name, other, said := testkit.Canary(), testkit.Canary(), testkit.Canary()
	ask := func(user string) {
		t.Helper()
		x.do(t, testkit.Request{Path: "/v1/chat/completions", Body: map[string]any{"model": "parley-builtin", "user": user, "messages": []any{map[string]string{"role": "user", "content": said}}}}).Want(t, http.StatusOK)
	}
	ask(name)
	ask(other)
	x.do(t, testkit.Request{Path: "/api/v1/admin/budgets", Body: map[string]any{"kind": "end_user", "subject": name, "period": "total", "amount_micros": 5}}).Want(t, http.StatusCreated)
	_, files := x.export(t, map[string]any{"scope": "end_user", "subject": name})
	if strings.Count(files["turns.jsonl"], "\n") != 1 || !strings.Contains(files["ledger.jsonl"], name) || !strings.Contains(files["budgets.jsonl"], name) || strings.Contains(files["turns.jsonl"], other) {
		t.Errorf("the export has %v", files)
	}
	before := x.Money(t)
	if e := x.erase(t, map[string]any{"scope": "end_user", "subject": name}); e.Subject != nil {
		t.Errorf("the erasure keeps the name: %+v", e)
	}
	if tables := tablesWith(t, x.server, name); len(tables) > 0 {
		t.Errorf("left in %v", tables)
	}
	if len(tablesWith(t, x.server, other)) == 0 || x.Money(t) != before {
		t.Error("more than the end user went")
	}
	x.do(t, testkit.Request{Path: erasuresPath, Body: map[string]any{"scope": "end_user", "subject": name}}).Want(t, http.StatusNotFound)
}

// An answer that is being made when the erasure is ordered does not come back with its end.
func TestAnErasureEndsWhatRuns(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	s := x.server
	begun := testkit.Canary()
	x.Upstream(t, providertest.HangAfter(begun))
	done := make(chan struct{})
	go func() {
		defer close(done)
		x.do(t, testkit.Request{Path: "/api/v1/completions", Body: map[string]any{"llm_id": testkit.UpstreamModel, "messages": []any{map[string]string{"role": "user", "content": "Hi"}}, "stream": true}})
	}()
	eventually(t, "the answer is begun", func() bool { return len(tablesWith(t, s, begun)) > 0 || running(t, x) > 0 })
	x.erase(t, map[string]any{"scope": "account"})
	<-done
	if tables := tablesWith(t, s, begun); len(tables) > 0 {
		t.Errorf("left in %v", tables)
	}
	if n := running(t, x); n > 0 {
		t.Errorf("%d turns still run", n)
	}
}

func running(t *testing.T, x tenant) int {
	t.Helper()
	var n int
	if err := sql(t, x.server).GetContext(t.Context(), &n, `select count(*) from turns where account_id = $1 and state = 'running'`, x.ID); err != nil {
		t.Fatal(err)
	}
	return n
}
