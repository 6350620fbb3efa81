package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"parley/db/dbtest"
)

// run runs a command of the program and returns what it prints.
func runCommand(t *testing.T, env []string, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = append(environment(), env...)
	var told strings.Builder
	cmd.Stderr = &told
	out, err := cmd.Output()
	if err != nil {
		t.Logf("%v: %v: %s", args, err, told.String())
	}
	return out, err
}

func command(t *testing.T, env []string, args ...string) []byte {
	t.Helper()
	out, err := runCommand(t, env, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// contents are what a backup holds, as commands print it.
func contents(t *testing.T, out []byte) (c struct{ Tables, Blobs any }) {
	t.Helper()
	if err := json.Unmarshal(out, &c); err != nil || c.Tables == nil {
		t.Fatalf("%s: %v", out, err)
	}
	return c
}

// From the embedded Postgres to one of the operator's, with the commands that
// the README names: a backup beside the running server, a check, a restore. Nothing is lost.
func TestEmbeddedMovesToAnotherPostgres(t *testing.T) {
	external, data, moved := dbtest.Empty(t), t.TempDir(), t.TempDir()
	s := start(t, data)
	out, err := exec.CommandContext(t.Context(), "sh", "-c", s.curl).Output()
	var answer struct {
		Session string `json:"session_id"`
	}
	if err != nil || json.Unmarshal(out, &answer) != nil {
		t.Fatalf("%s: %v", out, err)
	}
	file := filepath.Join(t.TempDir(), "parley.backup")
	command(t, nil, "backup", "create", file, "--data", data) // the server runs
	s.stop()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	made := contents(t, command(t, nil, "backup", "create", file, "--data", data, "--json"))
	if got := contents(t, command(t, nil, "backup", "verify", file, "--json")); !reflect.DeepEqual(got, made) {
		t.Errorf("verified %v, made %v", got, made)
	}
	if _, err := runCommand(t, nil, "backup", "create", file, "--data", data); err == nil {
		t.Error("a backup was written over another")
	}
	secret, err := os.ReadFile(filepath.Join(data, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(moved, "secret.key"), secret, 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"DATABASE_URL=" + external, "PARLEY_DATA=" + moved}
	if got := contents(t, command(t, env, "restore", file, "--json")); !reflect.DeepEqual(got, made) {
		t.Errorf("restored %v, made %v", got, made)
	}
	again := filepath.Join(t.TempDir(), "again.backup")
	if got := contents(t, command(t, env, "backup", "create", again, "--json")); !reflect.DeepEqual(got, made) {
		t.Errorf("the restored server's backup holds %v, the first %v", got, made)
	}
	assertSession(t, startWith(t, moved, env...), s.key, answer.Session)
}
