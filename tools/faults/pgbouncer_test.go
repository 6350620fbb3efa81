//go:build pgbouncer

package faults

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/lib/pq"

	"parley/db/dbtest"
)

// Two servers behind a PgBouncer in transaction mode answer, resume each
// other's streams and lose nothing when one of them is killed.
func TestServersBehindPgBouncer(t *testing.T) {
	var through string
	c := newClusterWith(t, 2, newUpstream(t, 8*time.Millisecond), func(dsn string) []string {
		through = pgBouncer(t, dsn)
		return []string{"DATABASE_URL=" + through, "DATABASE_DIRECT_URL=" + dsn, "PARLEY_DATABASE_UNPREPARED=true"}
	})
	c.price(1_000)
	a := c.account("unlimited", 1_000_000_000)
	d := &driver{cluster: c, key: a.Key, stop: make(chan struct{})}
	done := make(chan struct{})
	s := seed(t)
	go func() { d.run(8, s); close(done) }()
	for i := range 4 {
		<-time.After(2 * time.Second)
		c.kill(i % 2)
		c.start(i % 2)
	}
	close(d.stop)
	<-done
	c.check(t, a.ID, d.log)
	c.checkOnce(t, a.ID)
}

// pgBouncer starts one before the database of dsn and returns the way through it.
func pgBouncer(t *testing.T, dsn string) string {
	t.Helper()
	// PgBouncer runs as somebody else, who may not use the socket of the test's Postgres.
	cfg, err := pq.NewConfig(dbtest.NewProxy(t, dsn).DSN)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	folder, err := os.MkdirTemp("", "pgbouncer-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	server := fmt.Sprintf("%s = host=%s port=%d user=%s", cfg.Database, cfg.Host, cfg.Port, cfg.User)
	if cfg.Password != "" {
		server += " password=" + cfg.Password
	}
	ini := filepath.Join(folder, "pgbouncer.ini")
	text := fmt.Sprintf(`[databases]
%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
server_tls_sslmode = disable
pool_mode = transaction
default_pool_size = 12
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
`, server, port)
	if err := os.WriteFile(ini, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("pgbouncer", ini)
	cmd.Stderr = t.Output()
	if os.Getuid() == 0 { // it refuses to run as root
		const nobody = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		for _, path := range []string{folder, ini} {
			if err := os.Chown(path, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("PgBouncer is needed (apt install pgbouncer): %v", err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	address := fmt.Sprintf("127.0.0.1:%d", port)
	eventually(t, "PgBouncer listens", 10*time.Second, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", cfg.User, address, cfg.Database)
}
