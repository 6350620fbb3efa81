//go:build unix

package embedpg

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/lib/pq" // the driver that DSN is written for
)

// serveVariable makes the test binary a server of the folder it names, for tests
// that kill the whole process.
const serveVariable = "EMBEDPG_TEST_SERVE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveVariable); dir != "" {
		serve(dir)
		return
	}
	var err error
	if scratch, err = os.MkdirTemp("", "embedpg"); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(scratch)
	os.Exit(code)
}

// scratch is a folder for the whole run.
var scratch string

// prepared makes one cluster for the tests that need any cluster: initdb takes
// most of the time of a first start.
var prepared = sync.OnceValues(func() (string, error) {
	s, err := Start(context.Background(), Config{DataDir: filepath.Join(scratch, "prepared")})
	if err != nil {
		return "", err
	}
	return s.home.cluster, s.Stop()
})

// usedFolder returns a data folder with a cluster that was used and stopped.
func usedFolder(t *testing.T) string {
	t.Helper()
	source, err := prepared()
	check(t, err)
	dir := filepath.Join(t.TempDir(), "data")
	check(t, os.Mkdir(dir, 0o700))
	check(t, filepath.Walk(source, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(source, path)
		if err != nil {
			return err
		}
		return copyOne(path, filepath.Join(dir, "postgres", relative), info)
	}))
	return dir
}

func copyOne(from, to string, info os.FileInfo) error {
	owner := info.Sys().(*syscall.Stat_t)
	if info.IsDir() {
		return errors.Join(os.Mkdir(to, 0o700), os.Lchown(to, int(owner.Uid), int(owner.Gid)))
	}
	data, err := os.ReadFile(from)
	return errors.Join(err, os.WriteFile(to, data, 0o600), os.Lchown(to, int(owner.Uid), int(owner.Gid)))
}

// serve prints the postmaster's id and stays until its input ends.
func serve(dir string) {
	s, err := Start(context.Background(), Config{DataDir: dir})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.PID())
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = s.Stop()
}

// startOther runs a server in a process of its own and returns that process and
// the postmaster's id.
func startOther(t *testing.T, dir string) (*exec.Cmd, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), serveVariable+"="+dir)
	_, err := cmd.StdinPipe()
	check(t, err)
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	check(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the other process says %q", line)
	}
	return cmd, pid
}

func start(t *testing.T, dir string) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := Start(ctx, Config{DataDir: dir})
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	check(t, s.Stop())
}

// open returns one connection, so that a session's state and process stay.
func open(t *testing.T, dsn string) *sql.Conn {
	t.Helper()
	db, err := sql.Open("postgres", dsn)
	check(t, err)
	t.Cleanup(func() { db.Close() })
	conn, err := db.Conn(t.Context())
	check(t, err)
	return conn
}

func run(t *testing.T, conn *sql.Conn, statement string) {
	t.Helper()
	if _, err := conn.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func ask(t *testing.T, conn *sql.Conn, query string) string {
	t.Helper()
	var answer string
	if err := conn.QueryRowContext(t.Context(), query).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return answer
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError also asserts that the message is one line, as users see it.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q lacks %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error has several lines: %q", err)
	}
}

// wantGone waits for a process that is not our child.
func wantGone(t *testing.T, pid int) {
	t.Helper()
	gone, err := awaitGone(t.Context(), []int{pid}, 10*time.Second)
	if err != nil || !gone {
		t.Fatalf("process %d is still there (%v)", pid, err)
	}
}

func kill(t *testing.T, pid int, signal syscall.Signal) {
	t.Helper()
	check(t, syscall.Kill(pid, signal))
}

// snapshot maps every path below dir to its mode, time and content.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	check(t, filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		content := []byte{}
		if info.Mode().IsRegular() {
			content, err = os.ReadFile(path)
		}
		seen[path] = fmt.Sprintf("%v %v %v %q", info.Mode(), info.Sys().(*syscall.Stat_t).Uid, info.ModTime(), content)
		return err
	}))
	return seen
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path, []byte(content), mode))
}
