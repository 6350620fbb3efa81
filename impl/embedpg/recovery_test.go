//go:build unix

package embedpg

import (
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
)

func TestKilledServerLeavesNoPostgres(t *testing.T) {
	t.Parallel()
	dir := usedFolder(t)
	other, postmaster := startOther(t, dir)
	found, err := Find(t.Context(), dir)
	check(t, err)
	conn := open(t, found)
	run(t, conn, "create table kept as select 'committed' as word")
	kill(t, other.Process.Pid, syscall.SIGKILL)
	_ = other.Wait()
	if runtime.GOOS == "linux" {
		wantGone(t, postmaster)
	}
	s := start(t, dir)
	if got := ask(t, open(t, s.DSN()), "select word from kept"); got != "committed" {
		t.Errorf("after the kill: %q", got)
	}
}

// The next start does not wait for the old server's shutdown to be over.
func TestStartRightAfterAKill(t *testing.T) {
	t.Parallel()
	dir := usedFolder(t)
	other, _ := startOther(t, dir)
	found, err := Find(t.Context(), dir)
	check(t, err)
	run(t, open(t, found), "create table kept as select n from generate_series(1, 200000) n")
	kill(t, other.Process.Pid, syscall.SIGKILL)
	_ = other.Wait()
	s := start(t, dir)
	if got := ask(t, open(t, s.DSN()), "select count(*) from kept"); got != "200000" {
		t.Errorf("%s rows", got)
	}
}

// A backend that computes does not notice that its postmaster is gone, and holds
// the shared memory that the next one needs.
func TestKilledPostmasterWithBusyBackend(t *testing.T) {
	t.Parallel()
	dir := usedFolder(t)
	s := start(t, dir)
	run(t, open(t, s.DSN()), "create table kept as select 'committed' as word")
	busy := open(t, s.DSN())
	backend, err := strconv.Atoi(ask(t, busy, "select pg_backend_pid()"))
	check(t, err)
	go func(ctx *sql.Conn) { _, _ = ctx.ExecContext(t.Context(), "do $$ begin loop end loop; end $$") }(busy)
	kill(t, s.PID(), syscall.SIGKILL)
	<-s.Exited()
	_ = s.Stop()
	s = start(t, dir)
	wantGone(t, backend)
	if got := ask(t, open(t, s.DSN()), "select word from kept"); got != "committed" {
		t.Errorf("after the kill: %q", got)
	}
}

// orphan makes a live postmaster without an owner, as a system without a
// parent-death signal leaves it.
func orphan(t *testing.T, dir string) *Server {
	t.Helper()
	s := start(t, dir)
	check(t, s.home.lock.release())
	return s
}

func TestOrphanIsEndedAndItsDataKept(t *testing.T) {
	t.Parallel()
	dir := usedFolder(t)
	old := orphan(t, dir)
	run(t, open(t, old.DSN()), "create table kept as select 'committed' as word")
	s := start(t, dir)
	<-old.proc.done
	if got := ask(t, open(t, s.DSN()), "select word from kept"); got != "committed" {
		t.Errorf("after the orphan: %q", got)
	}
}

// A smart shutdown waits for its clients, for ever if they stay.
func TestStoppingOrphanIsWaitedFor(t *testing.T) {
	t.Parallel()
	dir := usedFolder(t)
	old := orphan(t, dir)
	open(t, old.DSN())
	kill(t, old.PID(), syscall.SIGTERM)
	await(t, func() bool { pm, _ := readPostmaster(old.home.cluster); return pm.status == "stopping" })
	s := start(t, dir)
	if s.PID() == old.PID() {
		t.Error("the stopping postmaster was reused")
	}
}

func TestPostmasterOfSomebodyElseIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := usedFolder(t)
	old := orphan(t, dir)
	write(t, filepath.Join(old.home.cluster, "postmaster.opts"), `/usr/bin/postgres "-D" "here"`, 0o600)
	_, err := Start(t.Context(), Config{DataDir: dir})
	wantError(t, err, "in use by postgres process "+strconv.Itoa(old.PID()))
	if got := ask(t, open(t, old.DSN()), "select 1"); got != "1" {
		t.Errorf("it answers %q", got)
	}
}

// After a container restart the recorded process id usually belongs to another
// process of the same account.
func TestStaleLockFileWithALivingProcess(t *testing.T) {
	t.Parallel()
	dir := usedFolder(t)
	s := start(t, dir)
	content, err := os.ReadFile(postmasterPath(s.home.cluster))
	check(t, err)
	stop(t, s)
	unrelated := exec.CommandContext(t.Context(), "sleep", "60")
	unrelated.SysProcAttr = &syscall.SysProcAttr{Credential: s.home.account.credential()}
	unrelated.Dir = "/"
	check(t, unrelated.Start())
	t.Cleanup(func() { _ = unrelated.Process.Kill(); _ = unrelated.Wait() })
	stale := strconv.Itoa(unrelated.Process.Pid) + string(content[len(strconv.Itoa(s.PID())):])
	write(t, postmasterPath(s.home.cluster), stale, 0o600)
	check(t, s.home.account.own(postmasterPath(s.home.cluster)))
	start(t, dir)
	if !runs(unrelated.Process.Pid) {
		t.Error("the unrelated process was ended")
	}
}

// A shell in the data folder is no leftover.
func TestOnlyPostgresProcessesCountAsLeftovers(t *testing.T) {
	t.Parallel()
	dir := usedFolder(t)
	s := start(t, dir)
	stop(t, s)
	shell := exec.CommandContext(t.Context(), "sleep", "60")
	shell.Dir = s.home.cluster
	check(t, shell.Start())
	t.Cleanup(func() { _ = shell.Process.Kill(); _ = shell.Wait() })
	start(t, dir)
	if !runs(shell.Process.Pid) {
		t.Error("the process in the data folder was ended")
	}
}

// As root: a copy that was restored by root has to be given to the account.
func TestClusterOfRootIsAdopted(t *testing.T) {
	t.Parallel()
	dir := usedFolder(t)
	s := start(t, dir)
	stop(t, s)
	check(t, filepath.Walk(s.home.cluster, func(path string, _ os.FileInfo, err error) error {
		check(t, err)
		return os.Lchown(path, os.Geteuid(), os.Getegid())
	}))
	s = start(t, dir)
	if got := ask(t, open(t, s.DSN()), "select 1"); got != "1" {
		t.Errorf("answer %q", got)
	}
}

func TestSocketFolderOfSomebodyElseIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target := t.TempDir()
	check(t, os.Symlink(target, filepath.Join(dir, "socket")))
	_, err := makeSocketDir(dir, account{uid: os.Geteuid(), gid: os.Getegid()})
	wantError(t, err, "made by somebody else")
}

func await(t *testing.T, holds func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatal("it does not come to hold")
		case <-tick.C:
		}
	}
}
