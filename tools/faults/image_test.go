//go:build container

package faults

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/db/dbtest"
)

// The image's program serves from a root that is read-only, as a user without a
// name or a privilege, and stops when it is told to. PARLEY_IMAGE_ROOT is where
// the image is mounted; mounting what a container has needs root.
func TestTheImageServes(t *testing.T) {
	root := os.Getenv("PARLEY_IMAGE_ROOT")
	if root == "" {
		t.Fatal("PARLEY_IMAGE_ROOT is not set: run `make image-check`")
	}
	wrapper := filepath.Join(t.TempDir(), "contained")
	text := fmt.Sprintf(`#!/bin/sh
exec unshare --mount sh -ec '
  mount --bind "%[1]s" "%[1]s"
  mount -t tmpfs tmpfs "%[1]s/tmp"
  mount -t tmpfs -o uid=65532,gid=65532,mode=700 tmpfs "%[1]s/data"
  mount -o remount,bind,ro "%[1]s"
  exec setpriv --no-new-privs --bounding-set -all,+sys_chroot,+setuid,+setgid chroot --userspec=65532:65532 "%[1]s" /parley "$@"' sh "$@"
`, root)
	if err := os.WriteFile(wrapper, []byte(text), 0o700); err != nil { //nolint:gosec // it is to be executed
		t.Fatal(err)
	}
	c := newClusterWith(t, 0, "", func(dsn string) []string {
		return []string{"DATABASE_URL=" + dbtest.NewProxy(t, dsn).DSN, "PARLEY_DATA=/data", "PARLEY_ALLOW_PLAIN_HTTP=true"}
	})
	c.servers = make([]*process, 1)
	c.startAs(0, wrapper)
	a := c.account("unlimited", 1_000_000)
	var answer struct{ Content string }
	c.call(t, http.MethodPost, "/api/v1/chat", a.Key, map[string]any{"message": "Hello!"}, &answer)
	if answer.Content == "" {
		t.Error("no answer")
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.servers[0].cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(status), "\n")
	for _, want := range []string{"Uid:\t65532\t65532\t65532\t65532", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"} {
		if !slices.Contains(lines, want) {
			t.Errorf("the process is not %q:\n%s", want, status)
		}
	}
	asked := time.Now()
	c.stop(0)
	t.Logf("it answered %q and stopped within %v", answer.Content, time.Since(asked).Round(time.Millisecond))
}
