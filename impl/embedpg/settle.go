//go:build unix

package embedpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// leftoverGrace is how long backends without a postmaster may take: they notice
// its death when they next wait, which a long computation puts off.
const leftoverGrace = 2 * time.Second

// postmaster is what postmaster.pid says.
type postmaster struct {
	pid    int
	status string // "starting", "stopping", "ready", "standby"; empty while it is being written
}

// readPostmaster reads the lock file that Postgres keeps; its lines are pid,
// data folder, start time, port, socket folder, address, shared memory, status.
func readPostmaster(cluster string) (postmaster, bool) {
	data, err := os.ReadFile(postmasterPath(cluster))
	if err != nil {
		return postmaster{}, false
	}
	lines := strings.Split(string(data), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 0 {
		return postmaster{}, false
	}
	pm := postmaster{pid: pid}
	if len(lines) > 7 {
		pm.status = strings.TrimSpace(lines[7])
	}
	return pm, true
}

func postmasterPath(cluster string) string { return filepath.Join(cluster, "postmaster.pid") }

// settle ends what an earlier server of this folder left running. The caller
// holds the lock, so whatever runs here has no owner.
func (h *home) settle(ctx context.Context) error {
	pm, found := readPostmaster(h.cluster)
	if !found {
		return h.endLeftovers(ctx)
	}
	here, err := processesIn(ctx, h.account, h.cluster)
	if err != nil {
		return err
	}
	for _, pid := range here {
		if pid == pm.pid {
			if err := h.endOrphan(ctx, pm); err != nil {
				return err
			}
		}
	}
	if err := h.endLeftovers(ctx); err != nil {
		return err
	}
	return h.dropStalePID()
}

// endOrphan shuts down a postmaster that outlived its server. One that is
// stopping already is hastened: a smart shutdown would wait for its clients.
func (h *home) endOrphan(ctx context.Context, pm postmaster) error {
	opts, err := os.ReadFile(filepath.Join(h.cluster, "postmaster.opts"))
	if err != nil || !strings.Contains(string(opts), marker) {
		return fmt.Errorf("the cluster %s is in use by postgres process %d, which was started by other means: stop it first", h.cluster, pm.pid)
	}
	h.log.Warn("ending a postgres that an earlier server left", "pid", pm.pid, "status", pm.status)
	return endProcesses(ctx, []int{pm.pid}, []endStep{
		{syscall.SIGINT, fastShutdown}, {syscall.SIGQUIT, hardShutdown}, {syscall.SIGKILL, hardShutdown},
	})
}

// endLeftovers ends backends whose postmaster is gone. While one lives it holds
// the shared memory, and Postgres refuses to start.
func (h *home) endLeftovers(ctx context.Context) error {
	pids, err := processesIn(ctx, h.account, h.cluster)
	if err != nil || len(pids) == 0 {
		return err
	}
	h.log.Warn("waiting for postgres processes that lost their postmaster", "pids", pids)
	return endProcesses(ctx, pids, []endStep{
		{0, leftoverGrace}, {syscall.SIGQUIT, leftoverGrace}, {syscall.SIGKILL, hardShutdown},
	})
}

// dropStalePID removes a lock file whose process id now belongs to an unrelated
// process (usual after a container restart) or to a zombie that nobody reaps:
// Postgres would take either for a running postmaster. With a dead process it is
// left to Postgres, which also looks at the shared memory.
func (h *home) dropStalePID() error {
	pm, found := readPostmaster(h.cluster)
	if !found || !alive(pm.pid) {
		return nil
	}
	if err := os.Remove(postmasterPath(h.cluster)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the stale lock file: %w", err)
	}
	return nil
}

// endStep is a signal and how long it may take; signal 0 only waits.
type endStep struct {
	signal syscall.Signal
	within time.Duration
}

// endProcesses takes the steps until all of pids are gone.
func endProcesses(ctx context.Context, pids []int, steps []endStep) error {
	for _, step := range steps {
		for _, pid := range pids {
			if err := syscall.Kill(pid, step.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("end postgres process %d: %w", pid, err)
			}
		}
		gone, err := awaitGone(ctx, pids, step.within)
		if gone || err != nil {
			return err
		}
	}
	return fmt.Errorf("the postgres processes %v do not end: end them by hand", pids)
}

func awaitGone(ctx context.Context, pids []int, within time.Duration) (bool, error) {
	deadline := time.After(within)
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for anyRuns(pids) {
		select {
		case <-ctx.Done():
			return false, fmt.Errorf("wait for an earlier postgres to end: %w", ctx.Err())
		case <-deadline:
			return false, nil
		case <-tick.C:
		}
	}
	return true, nil
}

func anyRuns(pids []int) bool {
	for _, pid := range pids {
		if runs(pid) {
			return true
		}
	}
	return false
}

// alive reports whether a process with this id exists, whoever owns it.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
