//go:build unix

package embedpg

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	socketFile = ".s.PGSQL.5432"
	// socketPathMax keeps clear of sun_path: 108 bytes on Linux, 104 on macOS,
	// both with a terminator.
	socketPathMax = 100
)

// socketDir is <dir>/socket or, where that cannot be a socket folder, a short
// one in the temporary folder that stands for it.
func socketDir(dir string) string {
	if own := filepath.Join(dir, "socket"); fitsSocket(own) {
		return own
	}
	sum := sha256.Sum256([]byte(dir))
	name := "parley-" + hex.EncodeToString(sum[:8])
	if short := filepath.Join(os.TempDir(), name); fitsSocket(short) {
		return short
	}
	return filepath.Join("/tmp", name)
}

// fitsSocket also refuses what separates list entries: lib/pq splits the host at
// commas, Postgres unix_socket_directories at commas with double quotes.
func fitsSocket(dir string) bool {
	return len(dir)+len("/"+socketFile) < socketPathMax && !strings.ContainsAny(dir, `,"`)
}

// makeSocketDir makes the folder, or takes it over when it is ours. A folder in
// the temporary folder may have been put there by anybody: one that belongs to
// somebody else, or a symlink, is refused.
func makeSocketDir(dir string, who account) (string, error) {
	path := socketDir(dir)
	if err := os.Mkdir(path, 0o700); err != nil && !os.IsExist(err) {
		return "", fmt.Errorf("socket folder: %w", err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return "", fmt.Errorf("socket folder: %w", err)
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	if !info.IsDir() || (owner != who.uid && owner != os.Geteuid()) {
		return "", fmt.Errorf("the socket folder %s was made by somebody else: remove it, or choose a data folder with a shorter path", path)
	}
	if err := os.Chmod(path, 0o700); err != nil {
		return "", fmt.Errorf("socket folder: %w", err)
	}
	return path, who.own(path)
}
