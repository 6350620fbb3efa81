package apitest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/app"
	"parley/impl/blobs"
	"parley/impl/core/backup"
	"parley/impl/core/provider/providertest"
	"parley/impl/core/secret"
	"parley/impl/testkit"
)

func quiet(string, int64, int64) {}

// folder opens a blob store for what is copied as it is.
func folder(t *testing.T, path string) *blobs.Store {
	t.Helper()
	box, err := secret.NewBox(rand.Text() + rand.Text())
	if err != nil {
		t.Fatal(err)
	}
	store, err := blobs.Open(t.Context(), path, box)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// backUp copies the installation of a server.
func backUp(t *testing.T, s *testkit.Server) ([]byte, backup.Contents) {
	t.Helper()
	var out bytes.Buffer
	c, err := backup.Write(t.Context(), s.DB, folder(t, s.Blobs), &out, "test", time.Now().UTC(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), c
}

// restore restores into a database and a folder of its own.
func restore(t *testing.T, dsn, to string, raw []byte) error {
	t.Helper()
	_, _, err := backup.Restore(t.Context(), dbtest.Open(t, dsn, 2), folder(t, to), bytes.NewReader(raw), agreed, quiet)
	return err
}

func agreed(*db.Queries) error { return nil }

// tableDigests are those of the rows of every table, without the migrations' own.
func tableDigests(t *testing.T, dsn string) map[string]string {
	t.Helper()
	conn, err := sqlx.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var tables []string
	if err := conn.Select(&tables, `select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'goose_db_version'`); err != nil {
		t.Fatal(err)
	}
	digests := map[string]string{}
	for _, table := range tables {
		var digest string
		if err := conn.Get(&digest, `select count(*) || ' ' || coalesce(md5(string_agg(r::text, e'\n' order by r::text)), '') from `+table+` r`); err != nil {
			t.Fatal(err)
		}
		digests[table] = digest
	}
	return digests
}

// fileContents are the contents of the files of a folder.
func fileContents(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		files[name] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Everything that a server holds is in its backup, row by row and blob by blob,
// and a server on what was restored serves the same keys, secrets and files.
func TestARestoredBackupIsTheSameServer(t *testing.T) {
	t.Parallel()
	s := testkit.New(t)
	x := tenantOf(t, s, testkit.Unlimited, 1_000_000)
	u := x.Upstream(t, providertest.SSE("Of the provider whose key is sealed"))
	x.everything(t)
	picture := x.paint(t, map[string]any{"prompt": "A beach", "sd_model_id": "parley-builtin-drawing"})
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	raw, written := backUp(t, s)
	if _, verified, err := backup.Verify(bytes.NewReader(raw), quiet); err != nil || !maps.Equal(verified.Tables, written.Tables) || verified.Blobs != written.Blobs {
		t.Fatalf("verified %+v, written %+v: %v", verified, written, err)
	}
	dsn, to := dbtest.Empty(t), t.TempDir()
	if err := restore(t, dsn, to, raw); err != nil {
		t.Fatal(err)
	}
	before, after := tableDigests(t, s.DSN), tableDigests(t, dsn)
	if !maps.Equal(before, after) {
		for table := range before {
			if before[table] != after[table] {
				t.Errorf("%s was %s and is %s", table, before[table], after[table])
			}
		}
	}
	if was, is := fileContents(t, s.Blobs), fileContents(t, to); len(was) == 0 || !maps.Equal(was, is) {
		t.Errorf("%d blobs were backed up, %d restored, or others", len(was), len(is))
	}
	x.server = testkit.Beside(t, s, func(c *app.Config) { c.DatabaseURL, c.Blobs = dsn, to })
	if got := x.chat(t, "Hi", ""); got.Content != "Of the provider whose key is sealed" || len(u.Received()) == 0 {
		t.Errorf("the restored server answers %q", got.Content)
	}
	if got := x.download(t, x.server.URL+strings.TrimPrefix(picture.URL, s.URL), nil); got.Status != http.StatusOK || len(got.Body) == 0 {
		t.Errorf("a restored picture: %d, %d bytes", got.Status, len(got.Body))
	}
}

// A backup of a server at work is of one moment: the book of money balances in it.
func TestABackupOfABusyServerIsOfOneMoment(t *testing.T) {
	t.Parallel()
	s := testkit.New(t)
	x := tenantOf(t, s, testkit.Unlimited, 1_000_000_000)
	x.Upstream(t, providertest.SSE("One", " two", " three"))
	x.Price(t, testkit.UpstreamModel, 1000, 2000)
	ctx, stop := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	for range 4 {
		busy.Go(func() {
			for ctx.Err() == nil {
				x.do(t, testkit.Request{Path: "/api/v1/chat", Body: `{"message":"Hi"}`})
			}
		})
	}
	x.chat(t, "Hi", "")
	raw, _ := backUp(t, s)
	stop()
	busy.Wait()
	dsn := dbtest.Empty(t)
	if err := restore(t, dsn, t.TempDir(), raw); err != nil {
		t.Fatal(err)
	}
	if wrong, err := dbtest.Open(t, dsn, 2).Imbalances(t.Context()); err != nil || len(wrong) > 0 {
		t.Errorf("the restored book does not balance: %+v %v", wrong, err)
	}
}

// What is cut off or changed is noticed, and leaves the database without accounts, ready for the whole backup.
func TestADamagedBackupRestoresNothing(t *testing.T) {
	t.Parallel()
	s := testkit.New(t)
	x := tenantOf(t, s, testkit.Unlimited, 1_000_000)
	x.paint(t, map[string]any{"prompt": "A beach", "sd_model_id": "parley-builtin-drawing"})
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	raw, _ := backUp(t, s)
	dsn, to := dbtest.Empty(t), t.TempDir()
	broken := map[string][]byte{"nothing": {}, "text": []byte("select 1;\n")}
	for _, percent := range []int{1, 30, 60, 99} {
		at := len(raw) * percent / 100
		broken[fmt.Sprintf("cut off at %d%%", percent)] = raw[:at]
		changed := bytes.Clone(raw)
		changed[at] ^= 0x10
		broken[fmt.Sprintf("changed at %d%%", percent)] = changed
	}
	broken["without its last byte"] = raw[:len(raw)-1]
	for name, b := range broken {
		if _, _, err := backup.Verify(bytes.NewReader(b), quiet); !errors.Is(err, backup.ErrDamaged) {
			t.Errorf("%s: verified with %v", name, err)
		}
		if err := restore(t, dsn, to, b); err == nil {
			t.Fatalf("%s: restored", name)
		}
	}
	if err := restore(t, dsn, to, raw); err != nil {
		t.Errorf("the whole one after the broken ones: %v", err)
	}
	if err := restore(t, dsn, to, raw); !errors.Is(err, db.ErrNotEmpty) {
		t.Errorf("once more into the same database: %v", err)
	}
}

// A backup whose secrets the configured key does not open is refused before anything is stored.
func TestABackupNeedsItsSecretKey(t *testing.T) {
	t.Parallel()
	s := testkit.New(t)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	raw, _ := backUp(t, s)
	dsn := dbtest.Empty(t)
	cfg := app.Config{Listen: "127.0.0.1:0", DatabaseURL: dsn, DatabaseConns: 2, Data: t.TempDir()}
	if err := cfg.Check(); err != nil {
		t.Fatal(err)
	}
	database, err := app.OpenDatabase(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer database.Close()
	if _, _, err := app.Restore(t.Context(), cfg, database, bytes.NewReader(raw), quiet); err == nil {
		t.Error("restored without any key")
	}
	cfg.SecretKey = rand.Text() + rand.Text()
	if _, _, err := app.Restore(t.Context(), cfg, database, bytes.NewReader(raw), quiet); !errors.Is(err, secret.ErrOtherKey) {
		t.Errorf("with another key: %v", err)
	}
	if accounts, err := database.Accounts(t.Context()); err != nil || len(accounts) > 0 {
		t.Errorf("%d accounts were stored all the same: %v", len(accounts), err)
	}
}
