//go:build unix

package embedpg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrNotRunning is returned by [Find] when no server answers for the folder.
var ErrNotRunning = errors.New("no embedded postgres runs on this data folder")

// InUseError says that another process has the data folder.
type InUseError struct {
	Dir string // absolute path of the data folder
	PID int    // of the process that has it; 0 when it did not say
}

// Error names the folder, the process and the way out.
func (e *InUseError) Error() string {
	holder := "another process"
	if e.PID != 0 {
		holder = "process " + strconv.Itoa(e.PID)
	}
	return fmt.Sprintf("the data folder %s is already in use by %s: stop it or choose another folder", e.Dir, holder)
}

// lock is an flock that ends with this process, however it ends. Its file tells
// other processes who has the folder and where the socket is.
type lock struct{ file *os.File }

func lockPath(dir string) string { return filepath.Join(dir, "postgres.lock") }

func acquireLock(dir string) (*lock, error) {
	f, err := os.OpenFile(lockPath(dir), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		l := &lock{file: f}
		return l, l.announce("")
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		pid, _ := readLock(dir)
		return nil, &InUseError{Dir: dir, PID: pid}
	}
	return nil, fmt.Errorf("lock the data folder %s: %w", dir, err)
}

// announce writes the two lines of the lock file: process id, socket folder.
func (l *lock) announce(socket string) error {
	if err := l.file.Truncate(0); err != nil {
		return fmt.Errorf("write the lock file: %w", err)
	}
	if _, err := l.file.WriteAt(fmt.Appendf(nil, "%d\n%s\n", os.Getpid(), socket), 0); err != nil {
		return fmt.Errorf("write the lock file: %w", err)
	}
	return nil
}

// release unlocks before it closes: a child that is being forked at this moment
// still has the file, and the lock with it, until it becomes another program.
func (l *lock) release() error {
	return errors.Join(syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN), l.file.Close())
}

func readLock(dir string) (pid int, socket string) {
	data, err := os.ReadFile(lockPath(dir))
	if err != nil {
		return 0, ""
	}
	first, rest, _ := strings.Cut(string(data), "\n")
	pid, err = strconv.Atoi(first)
	if err != nil {
		return 0, ""
	}
	return pid, strings.TrimSuffix(rest, "\n")
}

// Find returns the connection string of the Postgres that another process keeps
// on dataDir, for commands that work beside a running server. It returns
// [ErrNotRunning] when there is none or it does not accept connections yet.
func Find(ctx context.Context, dataDir string) (string, error) {
	dir, err := filepath.Abs(dataDir)
	if err != nil {
		return "", fmt.Errorf("data folder: %w", err)
	}
	_, socket := readLock(dir)
	pm, ok := readPostmaster(clusterPath(dir))
	if socket == "" || !ok || pm.status != "ready" {
		return "", ErrNotRunning
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", filepath.Join(socket, socketFile))
	if err != nil {
		return "", ErrNotRunning
	}
	conn.Close()
	return dsn(socket), nil
}
