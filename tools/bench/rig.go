package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"parley/impl/embedpg"
)

const (
	modelName     = "mock"
	contextTokens = 4000 // of the mock: the history that a turn reads is bounded by it
	tenants       = 64
	secretKey     = "a key that guards nothing but a benchmark"
)

// rig is what a run measures with: Postgres, the mock upstream, the thin proxy
// and the servers, each a process, all in a folder that is thrown away.
type rig struct {
	ctx       context.Context
	folder    string
	self      string // this program, which is upstream, proxy and driver too
	binary    string // the server
	keep      bool   // leave the folder at the end
	loadEnv   []string
	postgres  *embedpg.Server
	processes []*process
	upstream  *process
	proxy     *process
	main      *server
}

// server is a Parley of the rig.
type server struct {
	*process
	dsn      string
	debug    string // address that tells its allocations
	pid      int
	accounts []string
	keys     []string // one of each account
	operator string
}

func newRig(ctx context.Context) (_ *rig, err error) {
	folder, err := os.MkdirTemp("", "parley-bench-")
	if err != nil {
		return nil, err
	}
	g := &rig{ctx: ctx, folder: folder}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.close())
		}
	}()
	if g.self, err = os.Executable(); err != nil {
		return nil, err
	}
	g.binary = filepath.Join(folder, "parley")
	build := exec.CommandContext(ctx, "go", "build", "-tags", "bench,disable_grpc_modules", "-trimpath", "-ldflags", "-s -w", "-o", g.binary, "./impl/cmd/parley")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as make build does
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the server: %w\n%s", err, out)
	}
	if g.postgres, err = embedpg.Start(ctx, embedpg.Config{DataDir: filepath.Join(folder, "data"), Log: slog.New(slog.DiscardHandler)}); err != nil {
		return nil, err
	}
	if err := g.startMocks(); err != nil {
		return nil, err
	}
	if g.main, err = g.startServer("parley", g.postgres.DSN()); err != nil {
		return nil, err
	}
	return g, g.furnish(g.main)
}

func (g *rig) startMocks() (err error) {
	if g.upstream, err = g.startRole("upstream"); err != nil {
		return err
	}
	if err := g.upstream.await(g.ctx, "/v1/models"); err != nil {
		return err
	}
	g.proxy, err = g.startRole("proxy", "http://"+g.upstream.addr)
	if err != nil {
		return err
	}
	return g.proxy.await(g.ctx, "/v1/models")
}

// startRole starts this program as something else.
func (g *rig) startRole(role string, args ...string) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	return g.start(role, addr, nil, g.self, append([]string{role, addr}, args...)...)
}

// startServer starts a server on a database and waits until it is ready.
func (g *rig) startServer(name, dsn string) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	debug, err := freeAddr()
	if err != nil {
		return nil, err
	}
	env := append(g.serverEnv(dsn), "PARLEY_LISTEN="+addr, "PARLEY_BENCH_LISTEN="+debug)
	p, err := g.start(name, addr, env, g.binary, "serve")
	if err != nil {
		return nil, err
	}
	return &server{process: p, dsn: dsn, debug: debug, pid: p.cmd.Process.Pid}, p.await(g.ctx, "/readyz")
}

func (g *rig) serverEnv(dsn string) []string {
	return []string{"DATABASE_URL=" + dsn, "PARLEY_DATA=" + filepath.Join(g.folder, "files"), "PARLEY_SECRET_KEY=" + secretKey,
		"PARLEY_UPSTREAM=http://" + g.upstream.addr + "/v1", "PARLEY_LOG_FORMAT=json"}
}

func (g *rig) close() error {
	var failures []error
	for _, p := range g.processes {
		failures = append(failures, p.stop(), p.log.Close())
	}
	if g.postgres != nil {
		failures = append(failures, g.postgres.Stop())
	}
	if g.keep {
		fmt.Fprintln(os.Stderr, "logs and data:", g.folder)
		return errors.Join(failures...)
	}
	return errors.Join(append(failures, os.RemoveAll(g.folder))...)
}

// furnish prices the model and makes accounts with money and a key each.
func (g *rig) furnish(s *server) error {
	var made struct{ Key string }
	out, err := g.command(s, "keys", "create", "--name", "bench", "--scopes", "operator,admin", "--plan", "unlimited", "--json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, &made); err != nil {
		return err
	}
	s.operator = made.Key
	if _, err := g.command(s, "models", "set-price", modelName, "--input", "0.001", "--output", "0.002"); err != nil {
		return err
	}
	for i := range tenants {
		if err := g.addTenant(s, fmt.Sprintf("bench %d", i)); err != nil {
			return err
		}
	}
	return nil
}

// command runs the server's command line on the database of a server.
func (g *rig) command(s *server, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(g.ctx, g.binary, args...)
	cmd.Env = append(os.Environ(), g.serverEnv(s.dsn)...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("parley %s: %w\n%s", args[0], err, complaint.Bytes())
	}
	return out, nil
}

func (g *rig) addTenant(s *server, name string) error {
	var account struct{ ID string }
	if err := s.operate(g.ctx, "/api/v1/admin/accounts", map[string]any{"name": name, "plan": "unlimited"}, &account); err != nil {
		return err
	}
	own := "/api/v1/admin/accounts/" + account.ID
	if err := s.operate(g.ctx, own+"/adjustments", map[string]any{"amount_micros": 1_000_000_000, "reason": "bench"}, nil); err != nil {
		return err
	}
	var key struct{ Key string }
	err := s.operate(g.ctx, own+"/keys", map[string]any{"name": "tenant", "scopes": []string{"openai", "webchat"}}, &key)
	s.accounts, s.keys = append(s.accounts, account.ID), append(s.keys, key.Key)
	return err
}

// operate sends a request of the operator.
func (s *server) operate(ctx context.Context, path string, body, into any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.addr+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+s.operator)
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s %s", path, response.Status, answer)
	}
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(answer, into)
}

// tell programs the upstream.
func (g *rig) tell(p program) error {
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(g.ctx, http.MethodPut, "http://"+g.upstream.addr+"/program", bytes.NewReader(raw))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// ask sends a request to what only builds for the benchmark answer.
func (s *server) ask(ctx context.Context, path string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.debug+path, nil)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(r)
}

// allocated returns how many objects and bytes a server has allocated so far.
func (s *server) allocated(ctx context.Context) (objects, size float64, err error) {
	response, err := s.ask(ctx, "/allocations")
	if err != nil {
		return 0, 0, err
	}
	defer response.Body.Close()
	var a struct{ Objects, Bytes float64 }
	err = json.NewDecoder(response.Body).Decode(&a)
	return a.Objects, a.Bytes, err
}

// database makes another database on the rig's Postgres and returns its connection string.
func (g *rig) database(name string) (string, error) {
	admin, err := sqlx.ConnectContext(g.ctx, "postgres", g.postgres.DSN())
	if err != nil {
		return "", err
	}
	defer admin.Close()
	if _, err := admin.ExecContext(g.ctx, "create database "+pq.QuoteIdentifier(name)); err != nil {
		return "", err
	}
	return strings.Replace(g.postgres.DSN(), "dbname=postgres", "dbname="+name, 1), nil
}

// socket is the folder of Postgres's socket, for pgbench.
func (g *rig) socket() (string, error) {
	cfg, err := pq.NewConfig(g.postgres.DSN())
	if err != nil {
		return "", err
	}
	return cfg.Host, nil
}
