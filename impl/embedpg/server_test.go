//go:build unix

package embedpg

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestDataSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	begun := time.Now()
	s := start(t, dir)
	first := time.Since(begun)
	conn := open(t, s.DSN())
	run(t, conn, "create table kept (word text)")
	run(t, conn, "insert into kept values ('Grüße')")
	begun = time.Now()
	stop(t, s)
	stopped := time.Since(begun)
	begun = time.Now()
	s = start(t, dir)
	t.Logf("first start %v, stop %v, warm start %v", first, stopped, time.Since(begun))
	if got := ask(t, open(t, s.DSN()), "select word from kept"); got != "Grüße" {
		t.Errorf("after the restart: %q", got)
	}
}

func TestServerIsPrivateAndDurable(t *testing.T) {
	t.Parallel()
	s := start(t, usedFolder(t))
	conn := open(t, s.DSN())
	for setting, want := range map[string]string{
		"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "listen_addresses": "",
		"server_encoding": "UTF8", "timezone": "UTC", "max_connections": "300", "random_page_cost": "1.1",
	} {
		if got := ask(t, conn, "show "+setting); got != want {
			t.Errorf("%s is %q, want %q", setting, got, want)
		}
	}
	info, err := os.Stat(s.socket)
	check(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the socket folder has mode %v", info.Mode())
	}
	mine, err := syscall.Getpgid(0)
	check(t, err)
	theirs, err := syscall.Getpgid(s.PID())
	check(t, err)
	if mine == theirs {
		t.Error("Ctrl-C in the terminal would reach postgres")
	}
}

func TestStopIsIdempotentAndNotAnExit(t *testing.T) {
	t.Parallel()
	s := start(t, usedFolder(t))
	stop(t, s)
	stop(t, s)
	<-s.proc.done
	select {
	case <-s.Exited():
		t.Error("Exited is closed although Stop was called")
	default:
	}
	if alive(s.PID()) {
		t.Error("the postmaster still runs")
	}
}

func TestSecondServerOnTheFolderIsRefused(t *testing.T) {
	t.Parallel()
	dir := usedFolder(t)
	if _, err := Find(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("Find before the start: %v", err)
	}
	s := start(t, dir)
	_, err := Start(t.Context(), Config{DataDir: dir})
	wantError(t, err, "already in use by process", dir)
	if in := new(InUseError); !errors.As(err, &in) || in.PID != os.Getpid() {
		t.Errorf("error is %#v, want an InUseError with our process id", err)
	}
	found, err := Find(t.Context(), dir)
	check(t, err)
	if got := ask(t, open(t, found), "select 1"); got != "1" {
		t.Errorf("the found server answers %q", got)
	}
	stop(t, s)
	if _, err := Find(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("Find after the stop: %v", err)
	}
}

func TestTwoFoldersSideBySide(t *testing.T) {
	t.Parallel()
	a, b := start(t, usedFolder(t)), start(t, usedFolder(t))
	run(t, open(t, a.DSN()), "create table only_in_a ()")
	if got := ask(t, open(t, b.DSN()), "select count(*) from pg_class where relname = 'only_in_a'"); got != "0" {
		t.Error("the two servers share their data")
	}
}

// The folder names hold what separates or ends values in the places where a path
// is written: the DSN, lists of hosts, lists of socket folders, C strings.
func TestAwkwardFolderNames(t *testing.T) {
	t.Parallel()
	for name, folder := range map[string]string{
		"quotes": `it's a "folder", really\`,
		"long":   strings.Repeat("long/", 30),
		"spaces": " a  b ",
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, filepath.Join(t.TempDir(), folder, "data"))
			if got := ask(t, open(t, s.DSN()), "select 1"); got != "1" {
				t.Errorf("answer %q", got)
			}
			if path := filepath.Join(s.socket, socketFile); len(path) >= socketPathMax {
				t.Errorf("the socket's path has %d bytes", len(path))
			}
		})
	}
}

// A user's own Postgres settings must reach neither the server nor, by way of
// defaults, the connection.
func TestUsersPostgresVariablesDoNotLeak(t *testing.T) {
	for name, value := range map[string]string{
		"PGDATA": "/nonexistent", "PGHOST": "db.invalid", "PGPORT": "1", "PGUSER": "somebody", "PGDATABASE": "other",
		"PGSSLMODE": "require", "LC_ALL": "xx_XX", "PARLEY_UPSTREAM_KEY": "secret",
	} {
		t.Setenv(name, value)
	}
	s := start(t, usedFolder(t))
	if got := ask(t, open(t, s.DSN()), "show port"); got != "5432" {
		t.Errorf("port %q", got)
	}
	for _, variable := range childEnv(os.Environ()) {
		if strings.HasPrefix(variable, "PG") || strings.Contains(variable, "secret") {
			t.Errorf("postgres gets %s", variable)
		}
	}
}

// As root the usual home is 0700 and the account cannot enter it: nothing above
// the data folder may be opened up for it.
func TestFolderUnderAPrivateParent(t *testing.T) {
	t.Parallel()
	parent := filepath.Join(t.TempDir(), "home")
	check(t, os.MkdirAll(filepath.Join(parent, "checkout"), 0o700))
	dir := filepath.Join(parent, "checkout", ".parley")
	check(t, os.Mkdir(dir, 0o700))
	s := start(t, dir)
	conn := open(t, s.DSN())
	// Config files, new relations and background workers go through the folder again.
	run(t, conn, "alter system set work_mem = '7MB'")
	run(t, conn, "select pg_reload_conf()")
	run(t, conn, "create table filled as select n from generate_series(1, 10000) n")
	run(t, conn, "checkpoint")
	stop(t, s)
	s = start(t, dir)
	if got := ask(t, open(t, s.DSN()), "show work_mem"); got != "7MB" {
		t.Errorf("work_mem %q", got)
	}
	for _, folder := range []string{parent, filepath.Join(parent, "checkout"), dir} {
		info, err := os.Stat(folder)
		check(t, err)
		if st := info.Sys().(*syscall.Stat_t); info.Mode().Perm() != 0o700 || int(st.Uid) != os.Geteuid() {
			t.Errorf("%s has mode %v and owner %d", folder, info.Mode(), st.Uid)
		}
	}
}

func TestForeignFoldersAreRefusedAndUntouched(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"another major version": {map[string]string{"PG_VERSION": "13\n", "base/1/1234": "data"}, []string{"PostgreSQL 13", "untouched", "PARLEY_POSTGRES_BIN"}},
		"an old scheme":         {map[string]string{"PG_VERSION": "9.6\n"}, []string{"PostgreSQL 9"}},
		"no version":            {map[string]string{"thesis.tex": "data"}, []string{"PG_VERSION", "untouched"}},
		"an empty version":      {map[string]string{"PG_VERSION": ""}, []string{"PG_VERSION", "untouched"}},
		"a strange version":     {map[string]string{"PG_VERSION": "sixteen"}, []string{"PG_VERSION", "untouched"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range c.files {
				write(t, filepath.Join(dir, "postgres", file), content, 0o600)
			}
			before := snapshot(t, filepath.Join(dir, "postgres"))
			_, err := Start(t.Context(), Config{DataDir: dir})
			wantError(t, err, c.want...)
			if after := snapshot(t, filepath.Join(dir, "postgres")); !maps.Equal(before, after) {
				t.Errorf("before:\n%v\nafter:\n%v", before, after)
			}
			left, err := acquireLock(dir)
			check(t, err)
			check(t, left.release())
		})
	}
}

func TestFailureQuotesThePostgresLog(t *testing.T) {
	t.Parallel()
	dir := usedFolder(t)
	s := start(t, dir)
	stop(t, s)
	conf, err := os.OpenFile(filepath.Join(s.home.cluster, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	check(t, err)
	_, err = conf.WriteString("\nno_such_setting = 1\n")
	check(t, errors.Join(err, conf.Close()))
	_, err = Start(t.Context(), Config{DataDir: dir})
	wantError(t, err, "no_such_setting", "postgres.log", "exit status 1")
}

func TestLogDoesNotGrowOverStarts(t *testing.T) {
	t.Parallel()
	dir := usedFolder(t)
	write(t, filepath.Join(dir, "postgres.log"), strings.Repeat("old line\n", logBytesMax/8), 0o600)
	s := start(t, dir)
	_, err := open(t, s.DSN()).ExecContext(t.Context(), "select 'private text'::int")
	if err == nil {
		t.Fatal("the statement does not fail")
	}
	log, err := os.ReadFile(s.home.logPath())
	check(t, err)
	if len(log) > 4096 || strings.Contains(string(log), "private text") {
		t.Errorf("the log has %d bytes: %.4096s", len(log), log)
	}
}

func TestCancelledFirstStartLeavesNoCluster(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	_, err := Start(ctx, Config{DataDir: dir})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "postgres*"))
	check(t, err)
	for _, path := range left {
		if path != lockPath(dir) && filepath.Base(path) != "postgres.log" {
			t.Errorf("%s is left", path)
		}
	}
}
