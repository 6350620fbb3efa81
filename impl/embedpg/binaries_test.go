//go:build unix

package embedpg

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// install puts a program that only knows its version into a folder that every
// account can enter, whatever this process's umask.
func install(t *testing.T, parent, name, version string) string {
	t.Helper()
	dir := filepath.Join(parent, name)
	write(t, filepath.Join(dir, "postgres"), fmt.Sprintf("#!/bin/sh\necho 'postgres (PostgreSQL) %s'\n", version), 0o755)
	write(t, filepath.Join(dir, "initdb"), "#!/bin/sh\n", 0o755)
	for _, path := range []string{parent, filepath.Dir(parent), dir, filepath.Join(dir, "postgres")} {
		check(t, os.Chmod(path, 0o755))
	}
	return dir
}

// onlyFolders makes the search see nothing but these.
func onlyFolders(t *testing.T, pattern string) {
	t.Helper()
	usual := distributionFolders
	distributionFolders = []string{pattern}
	t.Cleanup(func() { distributionFolders = usual })
	t.Setenv("PATH", t.TempDir())
	t.Setenv("npm_config_registry", "")
	t.Setenv("NPM_CONFIG_REGISTRY", "")
}

func searchHome(t *testing.T, binDir string) *home {
	t.Helper()
	cluster := filepath.Join(t.TempDir(), "postgres")
	who, err := chooseAccount(cluster)
	check(t, err)
	cfg := Config{BinDir: binDir, CacheDir: filepath.Join(t.TempDir(), "cache")}
	return &home{cfg: cfg, log: slog.New(slog.DiscardHandler), cluster: cluster, account: who}
}

func TestBinariesFitTheCluster(t *testing.T) {
	parent := t.TempDir()
	for name, version := range map[string]string{"a": "15.18 (Debian 15.18-0+deb12u1)", "b": "18beta1", "c": "13.20", "d": "16.4"} {
		install(t, parent, name, version)
	}
	write(t, filepath.Join(parent, "broken", "postgres"), "#!/bin/sh\nexit 1\n", 0o755)
	onlyFolders(t, filepath.Join(parent, "*"))
	for want, folder := range map[int]string{0: "b", 15: "a", 16: "d", 18: "b"} {
		bin, err := searchHome(t, "").binaries(t.Context(), want)
		if err != nil || filepath.Base(bin) != folder {
			t.Errorf("for a cluster of %d: %s, %v; want folder %s", want, bin, err, folder)
		}
	}
	for _, unsupported := range []int{13, 19} {
		_, err := searchHome(t, "").binaries(t.Context(), unsupported)
		wantError(t, err, fmt.Sprintf("made by PostgreSQL %d", unsupported), "15, 18, 13, 16")
	}
}

// A symlinked program's share files are beside the real one.
func TestBinariesResolveSymlinks(t *testing.T) {
	parent := t.TempDir()
	real := install(t, parent, "real", "16.1")
	onlyFolders(t, filepath.Join(parent, "none"))
	links := t.TempDir()
	check(t, os.Symlink(filepath.Join(real, "postgres"), filepath.Join(links, "postgres")))
	t.Setenv("PATH", links)
	bin, err := searchHome(t, "").binaries(t.Context(), 0)
	if err != nil || bin != real {
		t.Errorf("found %q (%v), want %q", bin, err, real)
	}
}

func TestConfiguredBinariesWin(t *testing.T) {
	parent := t.TempDir()
	old, older := install(t, parent, "old", "14.2"), install(t, parent, "older", "12.9")
	install(t, parent, "new", "18.0")
	onlyFolders(t, filepath.Join(parent, "*"))
	bin, err := searchHome(t, old).binaries(t.Context(), 0)
	if err != nil || bin != old {
		t.Errorf("found %q (%v), want %q", bin, err, old)
	}
	_, err = searchHome(t, old).binaries(t.Context(), 18)
	wantError(t, err, "made by PostgreSQL 18", "found are: 14")
	_, err = searchHome(t, older).binaries(t.Context(), 0)
	wantError(t, err, "version 12", "oldest supported")
	_, err = searchHome(t, filepath.Join(parent, "missing")).binaries(t.Context(), 0)
	wantError(t, err, "configured folder of postgres", "missing")
}

func TestNothingToBeHadSaysWhatToDo(t *testing.T) {
	onlyFolders(t, filepath.Join(t.TempDir(), "*"))
	_, err := searchHome(t, "").binaries(t.Context(), 0)
	if !errors.Is(err, ErrNoBinaries) {
		t.Errorf("error %v, want ErrNoBinaries", err)
	}
	wantError(t, err, "install PostgreSQL 14 or newer", "PARLEY_POSTGRES_BIN", "DATABASE_URL", "npm is not installed")
}
