package faults

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "parley-faults-")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(folder, "parley")
	if out, err := exec.Command("go", "build", "-o", binary, "parley/impl/cmd/parley").CombinedOutput(); err != nil {
		panic(string(out))
	}
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// secretKey is what the servers of a cluster share.
const secretKey = "the servers of a cluster of tests"

// cluster is several servers on one Postgres.
type cluster struct {
	t    *testing.T
	db   *db.DB
	dsn  string
	env  []string
	logs string // the folder of what servers log
	http *http.Client

	mu      sync.Mutex
	servers []*process

	measured sync.Once
	hold     int64 // of one besieging call, in micro-units
}

// process is one server: its address for as long as it lives.
type process struct {
	url   string
	cmd   *exec.Cmd
	ended chan struct{}
}

// newCluster starts n servers whose models are the upstream's; "" for none.
func newCluster(t *testing.T, n int, upstream string) *cluster {
	t.Helper()
	return newClusterWith(t, n, upstream, func(string) []string { return nil })
}

// newClusterWith is newCluster with further settings, which may depend on the database's name.
func newClusterWith(t *testing.T, n int, upstream string, settings func(dsn string) []string) *cluster {
	t.Helper()
	d, dsn := dbtest.Own(t)
	return newClusterOn(t, d, dsn, n, upstream, settings)
}

// newClusterOn is newClusterWith on a database that is there, with a schema or without.
func newClusterOn(t *testing.T, d *db.DB, dsn string, n int, upstream string, settings func(dsn string) []string) *cluster {
	t.Helper()
	c := &cluster{t: t, db: d, dsn: dsn, servers: make([]*process, n), logs: t.TempDir(), http: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, MaxConnsPerHost: 256}, Timeout: time.Minute,
	}}
	c.env = append(environment(), "DATABASE_URL="+dsn, "PARLEY_SECRET_KEY="+secretKey, "PARLEY_UPSTREAM="+upstream,
		"PARLEY_DATABASE_CONNS=12", "PARLEY_ALLOW_PRIVATE_NETWORKS=127.0.0.0/8", "PARLEY_DATA="+t.TempDir(), "PARLEY_SHUTDOWN_TIMEOUT=1s")
	c.env = append(c.env, settings(dsn)...)
	for i := range n {
		c.start(i)
	}
	t.Cleanup(c.tellErrors)
	t.Cleanup(func() {
		for i := range c.servers {
			c.kill(i)
		}
		c.http.CloseIdleConnections()
	})
	return c
}

// errorsTold bounds what a test that failed tells of the servers' logs.
const errorsTold = 40

// tellErrors shows, when the test has failed, what went wrong in the servers by their logs.
func (c *cluster) tellErrors() {
	if !c.t.Failed() {
		return
	}
	names, err := filepath.Glob(filepath.Join(c.logs, "server-*"))
	if err != nil {
		c.t.Error(err)
	}
	told := 0
	for _, name := range names {
		said, _ := os.ReadFile(name)
		if at := regexp.MustCompile(`(?m)^(panic|fatal error): `).FindIndex(said); at != nil {
			c.t.Logf("%s", said[at[0]:])
		}
		for line := range strings.Lines(string(said)) {
			if (strings.Contains(line, "level=ERROR") || strings.Contains(line, "level=WARN") && !strings.Contains(line, "operation=getReadiness")) && told < errorsTold {
				told++
				c.t.Log(line)
			}
		}
	}
}

// freePorts are ports that nobody listened on a moment ago.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports
}

// environment is the test's without what would configure the servers.
func environment() []string {
	var env []string
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "PARLEY_") && !strings.HasPrefix(setting, "DATABASE_URL") {
			env = append(env, setting)
		}
	}
	return env
}

var urlLine = regexp.MustCompile(`serves on (https?://\S+)`)

// start runs server i and waits until it tells its address.
func (c *cluster) start(i int) {
	c.t.Helper()
	c.startAs(i, binary)
}

// startAs is start for another build of the program, with settings of its own.
func (c *cluster) startAs(i int, program string, settings ...string) {
	c.t.Helper()
	p := &process{cmd: exec.Command(program, "serve"), ended: make(chan struct{})}
	p.cmd.Env = append(append(slices.Clone(c.env), "PARLEY_LISTEN=127.0.0.1:0"), settings...)
	log, err := os.CreateTemp(c.logs, "server-*")
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close() // the server has its own
	p.cmd.Stderr = log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for p.url == "" && lines.Scan() {
		if m := urlLine.FindStringSubmatch(lines.Text()); m != nil {
			p.url = m[1]
		}
	}
	go func() {
		for lines.Scan() { // what else it says must not fill the pipe
		}
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	if p.url == "" {
		<-p.ended
		said, _ := os.ReadFile(log.Name())
		if !strings.Contains(string(said), "\nfailpoint ") { // at work that others left it may die before it serves
			c.t.Fatalf("server %d does not start:\n%s", i, said)
		}
	}
	c.mu.Lock()
	c.servers[i] = p
	c.mu.Unlock()
}

// kill ends server i as a crash does.
func (c *cluster) kill(i int) {
	c.mu.Lock()
	p := c.servers[i]
	c.mu.Unlock()
	if p == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// url is where server i was seen last.
func (c *cluster) url(i int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.servers[i%len(c.servers)].url
}

// command runs the command line on the cluster's database and decodes its JSON.
func (c *cluster) command(into any, args ...string) {
	c.t.Helper()
	cmd := exec.Command(binary, append(args, "--json")...)
	cmd.Env = c.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("parley %v: %v\n%s", args, err, stderr.String())
	}
	if err := json.Unmarshal(out, into); err != nil {
		c.t.Fatalf("parley %v printed %q: %v", args, out, err)
	}
}

// account is a tenant with a key that may use every surface.
type account struct{ ID, Key, KeyID string }

// account makes a tenant on a plan with credit in micro-units.
func (c *cluster) account(plan string, credit int64) account {
	c.t.Helper()
	a := account{ID: dbtest.Account(c.t, c.db, plan, credit)}
	var made struct{ ID, Key string }
	c.command(&made, "keys", "create", "--name", "faults", "--account", a.ID)
	a.Key, a.KeyID = made.Key, made.ID
	return a
}

// admin is a key that may administer the account.
func (c *cluster) admin(a account) string {
	c.t.Helper()
	var made struct{ Key string }
	c.command(&made, "keys", "create", "--name", "admin", "--account", a.ID, "--scopes", "admin")
	return made.Key
}

// price makes the upstream's model cost the same for input and output, in micro-units per 1,000 tokens.
func (c *cluster) price(micros int64) {
	c.t.Helper()
	models, err := c.db.Models(c.t.Context(), "", "llm", 0, "", 100)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, m := range models {
		if err := c.db.SetModelPrice(c.t.Context(), "", m.ID, micros, micros, 0); err != nil {
			c.t.Fatal(err)
		}
	}
}

// eventually waits for what other processes do.
func eventually(t *testing.T, what string, within time.Duration, done func() bool) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline.C:
			t.Fatal("it does not happen: " + what)
		case <-tick.C:
		}
	}
}
