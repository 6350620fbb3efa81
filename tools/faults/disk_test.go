//go:build diskfull && linux

package faults

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"parley/db/dbtest"
	"parley/impl/embedpg"
)

// disk is a small file system of its own. Making one needs root.
type disk struct {
	t      *testing.T
	folder string
}

func newDisk(t *testing.T, megabytes int) disk {
	t.Helper()
	d := disk{t, t.TempDir()}
	if err := syscall.Mount("tmpfs", d.folder, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=755", megabytes)); err != nil {
		t.Fatalf("mount a file system, which needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(d.folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d disk) ballast() string { return filepath.Join(d.folder, "ballast") }

// fill leaves no byte.
func (d disk) fill() {
	d.t.Helper()
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			d.t.Fatal(err)
		}
	}
}

func (d disk) free() {
	d.t.Helper()
	if err := os.Remove(d.ballast()); err != nil {
		d.t.Fatal(err)
	}
}

// files are what is there beside the ballast.
func (d disk) files() (found []string) {
	d.t.Helper()
	err := filepath.WalkDir(d.folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && path != d.ballast() {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return found
}

// get answers one request without a body.
func (c *cluster) get(t *testing.T, path, key string) (int, http.Header, string) {
	t.Helper()
	return c.answer(t, c.request(http.MethodGet, 0, path, key, nil))
}

func (c *cluster) answer(t *testing.T, r *http.Request) (int, http.Header, string) {
	t.Helper()
	res, err := c.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(body)
}

// upload sends a text of so many bytes as a file.
func (c *cluster) upload(t *testing.T, path, key string, size int) (int, http.Header, string) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "notes.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(bytes.Repeat([]byte("all work and no play "), size/21))
	_ = form.Close()
	r := c.request(http.MethodPost, 0, path, key, nil)
	r.Body, r.ContentLength = io.NopCloser(&body), int64(body.Len())
	r.Header.Set("Content-Type", form.FormDataContentType())
	return c.answer(t, r)
}

// wantNoRoom is 503 with a time to come back and a reason.
func wantNoRoom(t *testing.T, what string, status int, header http.Header, body string) {
	t.Helper()
	after, err := strconv.Atoi(header.Get("Retry-After"))
	if status != http.StatusServiceUnavailable || err != nil || after < 1 || !strings.Contains(body, "no room") {
		t.Errorf("%s: %d, Retry-After %q: %s", what, status, header.Get("Retry-After"), body)
	}
}

// Without room for files, uploads are refused with 503 and leave nothing;
// everything else goes on, and so do they as soon as there is room.
func TestAFullDiskOfFiles(t *testing.T) {
	kept, spooled := newDisk(t, 16), newDisk(t, 16)
	c := newClusterWith(t, 1, "", func(string) []string { return []string{"PARLEY_BLOBS=" + kept.folder, "TMPDIR=" + spooled.folder} })
	a := c.account("unlimited", 1_000_000)
	const size = 2 << 20
	for name, full := range map[string]disk{"of blobs": kept, "of forms": spooled} {
		before := len(full.files())
		full.fill()
		for range 3 {
			status, header, body := c.upload(t, "/api/v1/documents", a.Key, size)
			wantNoRoom(t, "a document on a full disk "+name, status, header, body)
		}
		if left := full.files(); len(left) != before {
			t.Errorf("on the full disk %s there were %d files before, then %v", name, before, left)
		}
		var answer struct{ Content string }
		c.call(t, http.MethodPost, "/api/v1/chat", a.Key, map[string]any{"message": "Hello!"}, &answer)
		if status, _, body := c.get(t, "/readyz", ""); status != http.StatusOK {
			t.Errorf("/readyz answers %d: %s", status, body)
		}
		if full == kept {
			c.wantPart(t, "files", "down")
		}
		full.free()
		if status, _, body := c.upload(t, "/api/v1/documents", a.Key, size); status != http.StatusCreated {
			t.Errorf("after room was made on the disk %s: %d %s", name, status, body)
		}
	}
	c.wantPart(t, "files", "ok")
}

// wantPart waits until /status says so of a part.
func (c *cluster) wantPart(t *testing.T, name, state string) {
	t.Helper()
	eventually(t, name+" is "+state, 30*time.Second, func() bool {
		_, _, body := c.get(t, "/status", "")
		return strings.Contains(strings.ReplaceAll(body, " ", ""), fmt.Sprintf(`{"name":%q,"status":%q}`, name, state))
	})
}

// embedded is a server with a Postgres of its own in folder.
func embedded(t *testing.T, folder, upstream string) *cluster {
	t.Helper()
	c := newClusterOn(t, nil, "", 0, upstream, func(string) []string { return []string{"PARLEY_DATA=" + folder, "PARLEY_BLOBS=" + t.TempDir()} })
	c.servers = make([]*process, 1)
	c.start(0)
	dsn, err := embedpg.Find(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	c.dsn, c.db = dsn, dbtest.Open(t, dsn, 4)
	return c
}

// Without room for Postgres, what writes is refused with 503 and what reads is
// answered; when Postgres then has none for its log either and dies again and
// again, everything is refused. When there is room the server is well again, by
// itself, and whatever it acknowledged is there.
func TestAFullDiskOfPostgres(t *testing.T) {
	s, d := seed(t), newDisk(t, 320)
	c := embedded(t, filepath.Join(d.folder, "data"), newUpstream(t, 8*time.Millisecond))
	c.price(1_000)
	a := c.account("unlimited", 1_000_000_000)
	clients := &driver{cluster: c, key: a.Key, stop: make(chan struct{})}
	done := make(chan struct{})
	go func() { clients.run(6, s); close(done) }()
	answered := func() (n int) {
		clients.mu.Lock()
		defer clients.mu.Unlock()
		for _, one := range clients.log {
			if one.complete {
				n++
			}
		}
		return n
	}
	eventually(t, "questions are answered", time.Minute, func() bool { return answered() >= 50 })
	c.fullForTables(t, d, a)
	d.free()
	c.recovers(t, "its tables", answered)
	c.fullForTheLog(t, d)
	d.free()
	c.recovers(t, "its log", answered)
	close(clients.stop)
	<-done
	for status, n := range clients.bad {
		if status != http.StatusServiceUnavailable {
			t.Errorf("%d answers with status %d", n, status)
		}
	}
	t.Logf("%d answers with 503", clients.bad[http.StatusServiceUnavailable])
	c.check(t, a.ID, clients.log)
	c.checkOnce(t, a.ID)
}

// fullForTables fills the disk until a write finds no room, and reads.
func (c *cluster) fullForTables(t *testing.T, d disk, a account) {
	t.Helper()
	d.fill()
	eventually(t, "/readyz says that there is no room", time.Minute, func() bool {
		status, _, _ := c.get(t, "/readyz", "")
		return status == http.StatusServiceUnavailable
	})
	c.wantPart(t, "database", "degraded")
	for _, path := range []string{"/v1/models", "/api/v1/sessions", "/api/v1/agents"} {
		if status, _, body := c.get(t, path, a.Key); status != http.StatusOK {
			t.Errorf("GET %s: %d %s", path, status, body)
		}
	}
	refused := 0
	eventually(t, "writes are refused", time.Minute, func() bool {
		r := c.request(http.MethodPost, 0, "/api/v1/agents", a.Key, map[string]any{"name": "Ada", "personality_prompt": strings.Repeat("patient and kind, ", 200)})
		status, header, body := c.answer(t, r)
		if status == http.StatusServiceUnavailable {
			refused++
		}
		if status != http.StatusCreated && status != http.StatusServiceUnavailable || (header.Get("Retry-After") == "") != (status == http.StatusCreated) {
			t.Fatalf("on a full disk an agent is answered %d, Retry-After %q: %s", status, header.Get("Retry-After"), body)
		}
		return refused == 20
	})
}

// fullForTheLog fills the disk and uses up what room Postgres has in its log, of which it dies.
func (c *cluster) fullForTheLog(t *testing.T, d disk) {
	t.Helper()
	raw := c.raw(t)
	postmaster, err := os.ReadFile(filepath.Join(d.folder, "data", "postgres", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	d.fill()
	eventually(t, "Postgres dies for want of room for its log", time.Minute, func() bool {
		_, err := raw.Exec(`select pg_logical_emit_message(false, 'test', repeat('x', 1000000)), pg_switch_wal()`)
		return err != nil
	})
	eventually(t, "/readyz says so", time.Minute, func() bool {
		status, _, _ := c.get(t, "/readyz", "")
		return status == http.StatusServiceUnavailable
	})
	<-time.After(3 * time.Second) // some tries to start it in vain
	now, _ := os.ReadFile(filepath.Join(d.folder, "data", "postgres", "postmaster.pid"))
	t.Logf("the postmaster was started anew: %v", !bytes.Equal(now, postmaster))
}

// recovers waits until the server is ready and answers.
func (c *cluster) recovers(t *testing.T, of string, answered func() int) {
	t.Helper()
	since, before := time.Now(), answered()
	eventually(t, "/readyz is well", 2*time.Minute, func() bool {
		status, _, _ := c.get(t, "/readyz", "")
		return status == http.StatusOK
	})
	ready := time.Since(since)
	eventually(t, "questions are answered again", time.Minute, func() bool { return answered() >= before+20 })
	t.Logf("with room for %s again: ready after %v", of, ready.Round(10*time.Millisecond))
}
