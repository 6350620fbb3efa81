package embedpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

// processesIn returns the Postgres processes whose working folder is dir: every
// process of a cluster enters its data folder and stays there. The name is
// checked so that a shell that stands in the folder is not taken for one. A
// process of the account that cannot be looked at is an error, because taking a
// running postmaster for a dead one would let two write to the same files.
func processesIn(_ context.Context, who account, dir string) (found []int, err error) {
	want, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("look for postgres processes: %w", err)
	}
	who.look(func() { found, err = scanProcesses(want) })
	if err != nil {
		return nil, fmt.Errorf("look for postgres processes: %w", err)
	}
	return found, nil
}

// look runs fn with the file access of the account. Root in a container usually
// lacks CAP_SYS_PTRACE and may then not see the working folder of another uid's
// process; that uid itself may.
func (a account) look(fn func()) {
	if !a.drop {
		fn()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked: the thread ends with the goroutine instead of being reused.
		runtime.LockOSThread()
		// They answer with the previous id, not with an error; a refusal leaves
		// root's access, and then the scan reports what it cannot see.
		_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSGID, uintptr(a.gid), 0, 0)
		_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, uintptr(a.uid), 0, 0)
		fn()
	}()
	<-done
}

func scanProcesses(want fs.FileInfo) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || !isPostgres(pid) || !runs(pid) {
			continue
		}
		cwd, err := os.Stat(procFile(pid, "cwd"))
		switch {
		case err == nil && os.SameFile(want, cwd):
			found = append(found, pid)
		case errors.Is(err, fs.ErrPermission) && ownerOf(pid) == want.Sys().(*syscall.Stat_t).Uid:
			return nil, fmt.Errorf("process %d: %w", pid, err)
		}
	}
	return found, nil
}

func procFile(pid int, name string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), name)
}

func isPostgres(pid int) bool {
	name, err := os.ReadFile(procFile(pid, "comm"))
	return err == nil && string(name) == "postgres\n"
}

// ownerOf returns root for a process that is gone.
func ownerOf(pid int) uint32 {
	info, err := os.Stat(procFile(pid, ""))
	if err != nil {
		return 0
	}
	return info.Sys().(*syscall.Stat_t).Uid
}

// runs reports whether the process exists and is more than a zombie.
func runs(pid int) bool {
	stat, err := os.ReadFile(procFile(pid, "stat"))
	if err != nil {
		return false
	}
	// The name is in parentheses and may itself hold any character.
	rest := bytes.TrimSpace(stat[bytes.LastIndexByte(stat, ')')+1:])
	return len(rest) > 0 && rest[0] != 'Z' && rest[0] != 'X'
}
