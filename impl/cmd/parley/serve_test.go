package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "parley-bin-")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(folder, "parley")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		panic(string(out))
	}
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// instance is a running server with an embedded Postgres.
type instance struct {
	t     *testing.T
	data  string
	cmd   *exec.Cmd
	url   string
	key   string // the first key; "" on a later start
	curl  string // the line to paste; "" on a later start
	ended chan struct{}
}

var (
	urlLine = regexp.MustCompile(`serves on (http://\S+)`)
	keyLine = regexp.MustCompile(`^\s+(parley_sk_\w+)$`)
)

// start runs `parley serve` on the data folder and waits until it tells its address.
func start(t *testing.T, data string) *instance {
	t.Helper()
	return startWith(t, data)
}

// startWith is start with more environment.
func startWith(t *testing.T, data string, env ...string) *instance {
	t.Helper()
	s := &instance{t: t, data: data, ended: make(chan struct{})}
	s.cmd = exec.Command(binary, "serve", "--data", data, "--listen", "127.0.0.1:0")
	s.cmd.Env = append(environment(), env...)
	s.cmd.Stderr = testLog{t}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.killWhole)
	s.readGreeting(bufio.NewScanner(out))
	go func() { _ = s.cmd.Wait(); close(s.ended) }()
	return s
}

// environment is the test's without what would choose another database or folder.
func environment() []string {
	var env []string
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "PARLEY_") && !strings.HasPrefix(setting, "DATABASE_URL") {
			env = append(env, setting)
		}
	}
	return env
}

type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	if testing.Verbose() {
		fmt.Fprint(os.Stderr, string(p))
	}
	return len(p), nil
}

func (s *instance) readGreeting(lines *bufio.Scanner) {
	s.t.Helper()
	for lines.Scan() {
		line := lines.Text()
		if m := urlLine.FindStringSubmatch(line); m != nil {
			s.url = m[1]
		}
		if m := keyLine.FindStringSubmatch(line); m != nil {
			s.key = m[1]
		}
		if strings.Contains(line, "Another key:") {
			return
		}
		if strings.HasPrefix(strings.TrimSpace(line), "curl ") {
			s.curl = strings.TrimSpace(line)
			return
		}
	}
	s.t.Fatal("the server ended before it served")
}

// stop ends the server as an operator does.
func (s *instance) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	s.wait()
}

// kill ends the server as a crash does.
func (s *instance) kill() {
	_ = s.cmd.Process.Kill()
	s.wait()
}

// killWhole is kill and the end of its Postgres, which writes into the data
// folder until then.
func (s *instance) killWhole() {
	postmaster, err := readPostmaster(s.data)
	s.kill()
	if err != nil {
		return // it has stopped Postgres already
	}
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !gone(postmaster) {
		select {
		case <-deadline:
			s.t.Error("Postgres does not end with its server")
			return
		case <-tick.C:
		}
	}
}

func (s *instance) wait() {
	select {
	case <-s.ended:
	case <-time.After(20 * time.Second):
		s.t.Error("the server does not end")
	}
}

// command runs the command line on the instance's data and decodes its JSON.
func (s *instance) command(into any, args ...string) {
	s.t.Helper()
	cmd := exec.Command(binary, append(args, "--json", "--data", s.data)...)
	cmd.Env = environment()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("parley %v: %v\n%s", args, err, stderr.String())
	}
	if err := json.Unmarshal(out, into); err != nil {
		s.t.Fatalf("parley %v printed %q: %v", args, out, err)
	}
}

func (s *instance) get(path, key string, into any) int {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(raw, into); err != nil {
			s.t.Fatalf("GET %s: %s: %v", path, raw, err)
		}
	}
	return res.StatusCode
}

// postmaster is the process id of the instance's Postgres.
func (s *instance) postmaster() int {
	s.t.Helper()
	pid, err := readPostmaster(s.data)
	if err != nil {
		s.t.Fatal(err)
	}
	return pid
}

func readPostmaster(data string) (int, error) {
	raw, err := os.ReadFile(filepath.Join(data, "postgres", "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	return strconv.Atoi(first)
}

// eventually waits for what another process does.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatal("it does not happen: " + what)
		case <-tick.C:
		}
	}
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

type sessionsAnswer struct {
	Sessions []struct {
		ID string `json:"session_id"`
	} `json:"sessions"`
}

func TestServeFromNothingAndThroughCrashes(t *testing.T) {
	s := start(t, t.TempDir())
	out, err := exec.Command("sh", "-c", s.curl).Output()
	if err != nil {
		t.Fatalf("the curl line fails: %v\n%s", err, s.curl)
	}
	var answer struct {
		Success bool   `json:"success"`
		Session string `json:"session_id"`
	}
	if err := json.Unmarshal(out, &answer); err != nil || !answer.Success {
		t.Fatalf("the curl line answers %s", out)
	}

	var key struct{ ID, Key, AccountID string }
	s.command(&key, "keys", "create", "--name", "beside a running server")
	if status := s.get("/api/v1/sessions", key.Key, nil); status != http.StatusOK {
		t.Errorf("a key made beside the server gets %d", status)
	}
	s.command(&struct{}{}, "keys", "revoke", key.ID)
	if status := s.get("/api/v1/sessions", key.Key, nil); status != http.StatusUnauthorized {
		t.Errorf("a revoked key gets %d", status)
	}

	postmaster := s.postmaster()
	s.kill()
	eventually(t, "Postgres ends with a killed server", func() bool { return gone(postmaster) })

	again := start(t, s.data)
	if again.key != "" {
		t.Error("a later start shows a key")
	}
	assertSession(t, again, s.key, answer.Session)

	killed := again.postmaster()
	if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a killed Postgres comes back", func() bool {
		// The killed one's sessions may answer for a moment more, so an answer alone tells nothing.
		pid, err := readPostmaster(again.data)
		return err == nil && pid != killed && again.get("/api/v1/sessions", s.key, nil) == http.StatusOK
	})
	assertSession(t, again, s.key, answer.Session)

	postmaster = again.postmaster()
	again.stop()
	if code := again.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("a stopped server exits with %d", code)
	}
	if !gone(postmaster) {
		t.Error("a stopped server leaves Postgres behind")
	}
}

func assertSession(t *testing.T, s *instance, key, want string) {
	t.Helper()
	var list sessionsAnswer
	if status := s.get("/api/v1/sessions", key, &list); status != http.StatusOK || len(list.Sessions) != 1 || list.Sessions[0].ID != want {
		t.Fatalf("status %d, sessions %v; want the one of before the crash", status, list.Sessions)
	}
}

func TestTwoInstancesSideBySide(t *testing.T) {
	a, b := start(t, t.TempDir()), start(t, t.TempDir())
	if status := a.get("/api/v1/agents", a.key, nil); status != http.StatusOK {
		t.Errorf("first instance: %d", status)
	}
	if status := b.get("/api/v1/agents", a.key, nil); status != http.StatusUnauthorized {
		t.Errorf("the key of the first instance on the second: %d", status)
	}
}

func TestSecondServerOnTheSameDataIsRefused(t *testing.T) {
	s := start(t, t.TempDir())
	cmd := exec.Command(binary, "serve", "--data", s.data, "--listen", "127.0.0.1:0")
	cmd.Env = environment()
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "in use") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestCommandLineWithoutAServer(t *testing.T) {
	s := &instance{t: t, data: t.TempDir()}
	var account struct{ ID, Plan string }
	s.command(&account, "accounts", "create", "--name", "acme", "--plan", "unlimited")
	if account.ID == "" || account.Plan != "unlimited" {
		t.Fatalf("account %+v", account)
	}
	var topped struct {
		Balance int64 `json:"balance_micros"`
	}
	s.command(&topped, "accounts", "top-up", "12.345678", "--account", "acme")
	if topped.Balance != 12_345_678 {
		t.Errorf("balance %d", topped.Balance)
	}
	var warned struct {
		At int64 `json:"balance_low_micros"`
	}
	if s.command(&warned, "accounts", "warn-at", "2.5", "--account", "acme"); warned.At != 2_500_000 {
		t.Errorf("warned at %d", warned.At)
	}
	letsOperate(t, s)
	var book struct{ Balanced bool }
	if s.command(&book, "ledger", "verify"); !book.Balanced {
		t.Error("the ledger does not balance")
	}
	var key map[string]any
	s.command(&key, "keys", "create", "--name", "k", "--account", "acme", "--kind", "publishable", "--origins", "https://a.example,http://localhost:3000")
	for _, member := range []string{"id", "key", "account_id", "scopes", "origins", "kind", "status", "created_at"} {
		if key[member] == nil {
			t.Errorf("keys create prints no %s: %v", member, key)
		}
	}
	if key["account_id"] != account.ID || !strings.HasPrefix(key["key"].(string), "parley_pk_") {
		t.Errorf("key %v", key)
	}
	var keys []map[string]any
	s.command(&keys, "keys", "list", "--account", account.ID)
	if len(keys) != 1 || keys[0]["key"] != nil {
		t.Errorf("keys list prints %v", keys)
	}
	var version map[string]string
	s.command(&version, "version")
	if version["version"] == "" {
		t.Error("no version")
	}
	var migrated map[string]int
	if s.command(&migrated, "migrate"); migrated["applied"] != 0 {
		t.Errorf("a migrated schema is migrated again: %v", migrated)
	}
	secretKey := filepath.Join(s.data, "secret.key")
	before, err := os.ReadFile(secretKey)
	if err != nil {
		t.Fatal(err)
	}
	s.command(&struct{}{}, "secrets", "rotate")
	after, err := os.ReadFile(secretKey)
	if err != nil || bytes.Equal(before, after) {
		t.Errorf("the key file was not replaced: %v", err)
	}
	var ended struct{ Ended int }
	if s.command(&ended, "secrets", "retire"); ended.Ended != 1 {
		t.Errorf("%d keys ended", ended.Ended)
	}
	s.command(&keys, "keys", "list")
}

func TestMistakesAreAllToldAtOnce(t *testing.T) {
	cmd := exec.Command(binary, "serve", "--data", t.TempDir(), "--listen", "0.0.0.0:0", "--upstream", "nowhere", "--trusted-proxies", "")
	cmd.Env = append(environment(), "PARLEY_ALLOW_PRIVATE_NETWORKS=10.0.0.0/8,ten")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatal("the server starts")
	}
	for _, want := range []string{"PARLEY_UPSTREAM", "PARLEY_ALLOW_PRIVATE_NETWORKS", "without TLS"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no word of %s in: %s", want, out)
		}
	}
}
