//go:build majors

package faults

import (
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"parley/db/dbtest"
	"parley/impl/core/backup"
	"parley/impl/embedpg"
)

// contents is what `parley backup create` and `parley backup verify` print.
type contents struct{ backup.Contents }

// Data of an embedded Postgres is moved to one of a newer major version, and to
// a Postgres of the operator's: every row and file is there, the same, and keys,
// conversations and answers go on. The newer version refuses the older's folder
// without touching it, and says what to do.
func TestMovingToANewerMajor(t *testing.T) {
	older, newer := os.Getenv("PARLEY_TEST_POSTGRES_OLDER"), os.Getenv("PARLEY_TEST_POSTGRES_NEWER")
	if older == "" || newer == "" {
		t.Fatal("PARLEY_TEST_POSTGRES_OLDER and _NEWER are folders of postgres and initdb: run `make major-upgrade-check`")
	}
	file := filepath.Join(t.TempDir(), "parley.backup")
	from := t.TempDir()
	old := placed(t, from, older)
	a, session := old.fill(t)
	old.stop(0)
	var written, verified contents
	old.command(&written, "backup", "create", file)
	old.command(&verified, "backup", "verify", file)
	same(t, "the backup", written, verified)
	wantRefused(t, old, newer)

	to := t.TempDir()
	moved := restored(t, to, filepath.Join(from, "secret.key"), file, written, "PARLEY_POSTGRES_BIN="+newer)
	moved.goesOn(t, a, session)
	outside := restored(t, t.TempDir(), filepath.Join(from, "secret.key"), file, written, "DATABASE_URL="+dbtest.Empty(t))
	outside.goesOn(t, a, session)
}

// placed is a server with an embedded Postgres of the version in bin, its files in folder.
func placed(t *testing.T, folder, bin string) *cluster {
	t.Helper()
	c := newClusterOn(t, nil, "", 0, newUpstream(t, 0), func(string) []string {
		return []string{"PARLEY_SECRET_KEY=", "PARLEY_DATA=" + folder, "PARLEY_POSTGRES_BIN=" + bin}
	})
	c.servers = make([]*process, 1)
	c.start(0)
	dsn, err := embedpg.Find(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	c.dsn, c.db = dsn, dbtest.Open(t, dsn, 4)
	return c
}

// fill makes an account with answers, a document and an agent, and names a session of it.
func (c *cluster) fill(t *testing.T) (a account, session string) {
	t.Helper()
	c.price(1_000)
	a = c.account("unlimited", 1_000_000_000)
	for n := range 40 {
		var answer struct {
			Content string
			Session string `json:"session_id"`
		}
		c.call(t, http.MethodPost, "/api/v1/chat", a.Key, map[string]any{"message": "question " + string(rune('1'+n%9)) + " Größe, 大きさ, \U0001F40D"}, &answer)
		session = answer.Session
	}
	var agent struct {
		ID string `json:"agent_id"`
	}
	c.call(t, http.MethodPost, "/api/v1/agents", a.Key, map[string]any{"name": "Ada", "personality_prompt": "Patient"}, &agent)
	status, body := c.document(t, a.Key)
	if status != http.StatusCreated || session == "" {
		t.Fatalf("session %q, a document is answered %d %s", session, status, body)
	}
	return a, session
}

// document uploads a text.
func (c *cluster) document(t *testing.T, key string) (int, string) {
	t.Helper()
	r := c.request(http.MethodPost, 0, "/api/v1/documents", key, nil)
	const boundary = "limit-of-parts"
	form := strings.Join([]string{"--" + boundary, `Content-Disposition: form-data; name="file"; filename="a.txt"`, "Content-Type: text/plain", "",
		strings.Repeat("The library lends books for four weeks. ", 500), "--" + boundary + "--", ""}, "\r\n")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(form)), int64(len(form))
	r.Header.Set("Content-Type", "multipart/form-data; boundary="+boundary)
	res, err := c.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// wantRefused starts the server of a folder with the other version.
func wantRefused(t *testing.T, c *cluster, bin string) {
	t.Helper()
	cmd := exec.Command(binary, "serve")
	cmd.Env = append(slices.Clone(c.env), "PARLEY_POSTGRES_BIN="+bin, "PARLEY_LISTEN=127.0.0.1:0")
	said, err := cmd.CombinedOutput()
	for _, want := range []string{"was made by PostgreSQL 16", "left untouched", "parley backup create"} {
		if err == nil || !strings.Contains(string(said), want) {
			t.Errorf("the newer version on the older's folder does not say %q: %v\n%s", want, err, said)
		}
	}
}

// restored is a server on what was restored into an empty place, after it was compared with the backup.
func restored(t *testing.T, folder, secret, file string, written contents, setting string) *cluster {
	t.Helper()
	key, err := os.ReadFile(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "secret.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	c := newClusterOn(t, nil, "", 0, newUpstream(t, 0), func(string) []string { return []string{"PARLEY_SECRET_KEY=", "PARLEY_DATA=" + folder, setting} })
	var got, again contents
	c.command(&got, "restore", file)
	second := filepath.Join(t.TempDir(), "again.backup")
	c.command(&again, "backup", "create", second)
	same(t, "what was restored with "+setting, written, again)
	c.servers = make([]*process, 1)
	c.start(0)
	return c
}

// same compares counts and sums of every table, and of all files.
func same(t *testing.T, what string, a, b contents) {
	t.Helper()
	if len(a.Tables) < 50 || a.Blobs.Count == 0 || a.Blobs != b.Blobs || !maps.Equal(a.Tables, b.Tables) {
		for name, sum := range a.Tables {
			if b.Tables[name] != sum {
				t.Logf("%s: %+v and %+v", name, sum, b.Tables[name])
			}
		}
		t.Errorf("%s differs: %d tables, files %+v and %+v", what, len(a.Tables), a.Blobs, b.Blobs)
	}
}

// goesOn asks with the key of before in the session of before.
func (c *cluster) goesOn(t *testing.T, a account, session string) {
	t.Helper()
	var answer struct {
		Content string
		Session string `json:"session_id"`
	}
	c.call(t, http.MethodPost, "/api/v1/chat", a.Key, map[string]any{"message": "question 3", "session_id": session}, &answer)
	if answer.Session != session || answer.Content != answerText(3) {
		t.Errorf("the session %s goes on in %+v", session, answer)
	}
	if status, body := c.document(t, a.Key); status != http.StatusCreated {
		t.Errorf("a document is answered %d %s", status, body)
	}
}
