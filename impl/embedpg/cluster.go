//go:build unix

package embedpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// clusterPath follows symlinks, so that a cluster that was moved to another disk
// is compared and replaced where it really is.
func clusterPath(dir string) string {
	path := filepath.Join(dir, "postgres")
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved
	}
	return path
}

// clusterMajor returns the major version that made the cluster, 0 when there is
// no cluster yet. A folder with content of unknown kind is an error: it may be
// somebody's data.
func clusterMajor(cluster string) (int, error) {
	entries, err := os.ReadDir(cluster)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && len(entries) == 0) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the cluster as uid %d: %w", os.Geteuid(), err)
	}
	data, err := os.ReadFile(filepath.Join(cluster, "PG_VERSION"))
	if err == nil {
		whole, _, _ := strings.Cut(strings.TrimSpace(string(data)), ".")
		var major int
		if major, err = strconv.Atoi(whole); err == nil && major > 0 {
			return major, nil
		}
	}
	return 0, fmt.Errorf("the folder %s is not empty, but its PG_VERSION cannot be read, so it is left untouched: restore it or choose another data folder", cluster)
}

// locales to try, best first: C.UTF-8 sorts by code point and knows the case of
// every letter. Where the system lacks it, PostgreSQL 17 brings its own; macOS
// offers a bare UTF-8 for characters; C exists everywhere but knows ASCII only.
var locales = [][]string{
	{"--locale=C.UTF-8"},
	{"--locale=C", "--lc-ctype=UTF-8"},
	{"--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"},
	{"--locale=C"},
}

// noSuchLocale are initdb's words for a locale that the system lacks and for an
// option that its version lacks.
var noSuchLocale = regexp.MustCompile("invalid locale|unrecognized")

// initCluster makes the cluster beside its place and moves it there when it is
// complete and on disk, so that an interrupted first start leaves nothing that
// looks like data.
func (h *home) initCluster(ctx context.Context, bin string) error {
	parent := filepath.Dir(h.cluster)
	h.removeUnfinished(parent)
	var lastErr error
	for _, locale := range locales {
		tmp, err := os.MkdirTemp(parent, unfinished)
		if err != nil {
			return fmt.Errorf("make the cluster: %w", err)
		}
		lastErr = h.fillCluster(ctx, bin, tmp, locale)
		if lastErr == nil {
			return nil
		}
		if err := os.RemoveAll(tmp); err != nil {
			return errors.Join(lastErr, err)
		}
		if !noSuchLocale.MatchString(lastErr.Error()) {
			return lastErr
		}
	}
	return lastErr
}

const unfinished = "postgres.unfinished-"

// removeUnfinished clears what an interrupted first start left. Nothing was ever
// stored in these; one that cannot be removed only takes room.
func (h *home) removeUnfinished(parent string) {
	left, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, entry := range left {
		if strings.HasPrefix(entry.Name(), unfinished) {
			if err := os.RemoveAll(filepath.Join(parent, entry.Name())); err != nil {
				h.log.Warn("an unfinished cluster stays behind", "error", err)
			}
		}
	}
}

func (h *home) fillCluster(ctx context.Context, bin, tmp string, locale []string) error {
	if err := h.account.own(tmp); err != nil {
		return err
	}
	c := newChild(ctx, h.account, filepath.Join(bin, "initdb"))
	// Trust is for whoever can enter the 0700 socket folder; there is no other way in.
	c.args("-D", c.dir(tmp), "--no-sync", "--encoding=UTF8", "--username="+superuser,
		"--auth-local=trust", "--auth-host=reject", "--lc-messages=C", "--text-search-config=english")
	c.args(locale...)
	_, err := c.output()
	if ctx.Err() != nil {
		return fmt.Errorf("make the cluster: %w", ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("make the cluster: initdb as uid %d: %w", h.account.uid, err)
	}
	if err := syncTree(tmp); err != nil {
		return fmt.Errorf("make the cluster: %w", err)
	}
	return moveIntoPlace(tmp, h.cluster)
}

// moveIntoPlace renames and makes the new name durable. An empty folder in the
// way (a prepared mount point's folder, a first attempt) gives way.
func moveIntoPlace(from, to string) error {
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("move %s into place: %w", filepath.Base(from), err)
	}
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("move into place: %w", err)
	}
	return syncPath(filepath.Dir(to))
}

// syncTree flushes every file and folder below root. Several at a time, so that
// the file system commits them together: on ext4 that halves the time for the
// 1000 files of a new cluster, more where a flush is slow.
func syncTree(root string) error {
	paths := make(chan string)
	errs := make([]error, 16)
	var workers sync.WaitGroup
	for i := range errs {
		workers.Go(func() {
			for path := range paths {
				errs[i] = errors.Join(errs[i], syncPath(path))
			}
		})
	}
	walkErr := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && (entry.IsDir() || entry.Type().IsRegular()) {
			paths <- path
		}
		return err
	})
	close(paths)
	workers.Wait()
	return errors.Join(append(errs, walkErr)...)
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}
