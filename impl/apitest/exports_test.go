package apitest_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"parley/db"
	"parley/gen/client/platform"
	"parley/impl/blobs"
	"parley/impl/core/privacy"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// export orders an export, waits until it is ready and returns the archive's files.
func (x tenant) export(t *testing.T, order map[string]any) (platform.Export, map[string]string) {
	t.Helper()
	made := x.do(t, testkit.Request{Path: exportsPath, Body: order}).Want(t, http.StatusAccepted)
	var e platform.Export
	made.JSON(t, &e)
	eventually(t, "the export is ready", func() bool { x.get(t, made.Header.Get("Location"), &e); return e.State == "ready" })
	got := x.do(t, testkit.Request{Path: exportsPath + "/" + e.ID + "/download"}).Want(t, http.StatusOK)
	archive, err := zip.NewReader(bytes.NewReader(got.Body), int64(len(got.Body)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(content)
	}
	return e, files
}

func TestOrdersNameWhatExists(t *testing.T) {
	t.Parallel()
	x, stranger := tenantWith(t, "export_id", "erasure_id"), newTenant(t)
	for _, path := range []string{exportsPath, erasuresPath} {
		for _, step := range []struct {
			body map[string]any
			want int
		}{
			{map[string]any{"scope": "conversation", "subject": stranger.id(t, "session_id")}, 404},
			{map[string]any{"scope": "conversation", "subject": "sess_none"}, 404},
			{map[string]any{"scope": "app", "subject": stranger.key.AppID}, 404},
			{map[string]any{"scope": "app"}, 409},
			{map[string]any{"scope": "account", "subject": x.key.AppID}, 409},
		} {
			x.do(t, testkit.Request{Path: path, Body: step.body}).Want(t, step.want)
		}
		if listed := x.do(t, testkit.Request{Path: path + "?limit=1"}).Want(t, http.StatusOK); !strings.Contains(string(listed.Body), `"subject":`) {
			t.Errorf("listed %s", listed.Body)
		}
	}
}

func TestExportsExpireAndHoldNoSecrets(t *testing.T) {
	t.Parallel()
	x := tenantWith(t, "session_id", "upload_id")
	s := x.server
	w := x.Webhook(t, "http://127.0.0.1:9/nobody")
	e, files := x.export(t, map[string]any{"scope": "account"})
	all := strings.Builder{}
	for _, content := range files {
		all.WriteString(content)
	}
	for _, secret := range []string{w.Secret[6:], x.key.Text, "sealed", "key_hash"} {
		if strings.Contains(all.String(), secret) {
			t.Errorf("the archive holds %.20s", secret)
		}
	}
	if shown := files["images/"+x.id(t, "upload_id")+".png"]; !strings.HasPrefix(shown, "\x89PNG") {
		t.Errorf("an uploaded picture is in the archive as %.20q", shown)
	}
	var manifest struct {
		Records  map[string]int64 `json:"records"`
		Pictures int              `json:"pictures"`
	}
	if err := json.Unmarshal([]byte(files["manifest.json"]), &manifest); err != nil || manifest.Records["accounts.jsonl"] != 1 || manifest.Pictures != 1 || e.Records < 10 {
		t.Errorf("manifest %s, %v", files["manifest.json"], err)
	}
	if _, err := sql(t, s).ExecContext(t.Context(), `update exports set expires_at = now() where account_id = $1`, x.ID); err != nil {
		t.Fatal(err)
	}
	s.Run(t, privacy.ExpiryKind)
	x.do(t, testkit.Request{Path: exportsPath + "/" + e.ID + "/download"}).Want(t, http.StatusConflict)
	if _, err := s.App.Blobs.Get(t.Context(), blobs.Name{AccountID: x.ID, Kind: "exports", ID: e.ID}); !errors.Is(err, blobs.ErrNotFound) {
		t.Errorf("the archive is left: %v", err)
	}
}

// A chat is as old as its last change; with it go its messages and what its turns said.
func TestOldChatsAreForgotten(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.do(t, testkit.Request{Method: http.MethodPut, Path: "/api/v1/admin/retention", Body: `{"days":30}`}).Want(t, http.StatusOK)
	said := map[int]string{}
	for _, days := range []int{31, 29} {
		said[days] = testkit.Canary()
		x.Upstream(t, providertest.SSE(said[days]))
		id := x.chatOf(t, duet(1))
		x.say(t, id, said[days]).Want(t, http.StatusOK)
		x.chatIs(t, id, "completed")
		at := time.Now().AddDate(0, 0, -days)
		for _, change := range []string{
			`update chats set updated_at = $3 where account_id = $1 and chat_id = $2`,
			`update turns t set created_at = $3 from chat_turns c where t.account_id = $1 and c.account_id = $1 and c.chat_id = $2 and t.turn_id = c.turn_id`,
		} {
			if _, err := sql(t, x.server).Exec(change, x.ID, id, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	x.server.Run(t, privacy.RetentionKind)
	if tables := tablesWith(t, x.server, said[31]); len(tables) > 0 {
		t.Errorf("left in %v", tables)
	}
	if len(tablesWith(t, x.server, said[29])) == 0 {
		t.Error("more was forgotten than the period says")
	}
}

func TestOldConversationsAreForgotten(t *testing.T) {
	t.Parallel()
	x, unlimited := newTenant(t), newTenant(t)
	s := x.server
	var kept platform.Retention
	if x.get(t, "/api/v1/admin/retention", &kept); kept.Days != nil {
		t.Errorf("from the start %d days", *kept.Days)
	}
	x.do(t, testkit.Request{Method: http.MethodPut, Path: "/api/v1/admin/retention", Body: `{"days":30}`}).Want(t, http.StatusOK)
	age := func(y tenant, days int) string {
		text := testkit.Canary()
		y.Conversation(t, func(c *db.Conversation) { c.LastMessageAt = time.Now().AddDate(0, 0, -days) }, db.Message{Role: "user", Content: text})
		return text
	}
	old, young, others := age(x, 31), age(x, 29), age(unlimited, 1000)
	s.Run(t, privacy.RetentionKind)
	if tables := tablesWith(t, s, old); len(tables) > 0 {
		t.Errorf("left in %v", tables)
	}
	if len(tablesWith(t, s, young)) == 0 || len(tablesWith(t, s, others)) == 0 {
		t.Error("more was forgotten than the period says")
	}
	x.do(t, testkit.Request{Method: http.MethodPut, Path: "/api/v1/admin/retention", Body: `{"days":null}`}).Want(t, http.StatusOK).JSON(t, &kept)
	if kept.Days != nil {
		t.Errorf("after null %d days", *kept.Days)
	}
}
