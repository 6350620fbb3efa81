package testkit

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	_ "gocloud.dev/blob/memblob" // mem:// for the shared server

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/app"
)

// Server is a server of this process, listening on a loopback port.
type Server struct {
	App      *app.App
	URL      string        // for example http://127.0.0.1:40123
	Logs     *Logs         // everything that the server logs, from debug up
	Database *dbtest.Proxy // the way to its database, which can be cut; nil for Shared
	DSN      string        // of its database, past the proxy
	Blobs    string        // the folder of its blobs; "" for Shared, which keeps them in memory
	DB       *db.DB        // the test's own connections to the database, past the proxy

	secret string // that all servers of the installation have
	cancel context.CancelFunc
	served chan error
}

// Option changes the configuration of a server.
type Option func(*app.Config)

// WithUpstream makes the models of an OpenAI-compatible API the server's own.
func WithUpstream(baseURL, key string) Option {
	return func(c *app.Config) { c.Upstream, c.UpstreamKey = baseURL, key }
}

// RealtimeSessions sets how many sessions an account and a key may have open.
func RealtimeSessions(account, key int) Option {
	return func(c *app.Config) { c.RealtimeSessions, c.RealtimePerKey = account, key }
}

// stopTimeout bounds how long a server of a test may take to stop.
const stopTimeout = 20 * time.Second

var shared struct {
	sync.Mutex
	server *Server
}

// Shared returns the test binary's server, on the test binary's database. It
// may reach providers on loopback addresses.
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		return shared.server
	}
	s := &Server{DSN: dbtest.DSN(t), DB: dbtest.New(t)}
	if err := s.start(context.Background(), s.DSN); err != nil {
		t.Fatal(err)
	}
	shared.server = s
	return s
}

// New starts a server on a fresh database of its own and stops it with the test.
func New(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s := &Server{DSN: dbtest.Empty(t)}
	s.Database, s.Blobs = dbtest.NewProxy(t, s.DSN), t.TempDir()
	opts = append([]Option{func(c *app.Config) { c.Blobs = s.Blobs }}, opts...)
	if err := s.start(t.Context(), s.Database.DSN, opts...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stop the server: %v", err)
		}
	})
	s.DB = dbtest.Open(t, s.DSN, 4)
	return s
}

// Beside starts another server of the installation that New started the first
// of: on its database, with its secret and its blobs.
func Beside(t testing.TB, first *Server, opts ...Option) *Server {
	t.Helper()
	s := &Server{DSN: first.DSN, DB: first.DB, Database: first.Database, Blobs: first.Blobs}
	opts = append([]Option{func(c *app.Config) { c.Blobs, c.SecretKey = first.Blobs, first.secret }}, opts...)
	if err := s.start(t.Context(), s.Database.DSN, opts...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stop the server beside: %v", err)
		}
	})
	return s
}

func (s *Server) start(ctx context.Context, dsn string, opts ...Option) error {
	ctx = context.WithoutCancel(ctx) // it outlives what starts it
	cfg, err := config(dsn, opts)
	if err != nil {
		return err
	}
	s.Logs, s.secret = &Logs{}, cfg.SecretKey
	log := slog.New(slog.NewJSONHandler(s.Logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	database, err := app.OpenDatabase(ctx, cfg, log)
	if err != nil {
		return err
	}
	if s.App, err = app.New(ctx, cfg, database, log); err != nil {
		return errors.Join(err, database.Close())
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return errors.Join(err, s.App.Close(ctx))
	}
	s.URL = "http://" + l.Addr().String()
	ctx, s.cancel = context.WithCancel(ctx)
	s.served = make(chan error, 1)
	go func() { s.served <- s.App.Serve(ctx, l) }()
	return nil
}

func config(dsn string, opts []Option) (app.Config, error) {
	cfg := app.Config{
		Listen: "127.0.0.1:0", DatabaseURL: dsn, DatabaseConns: 16, SecretKey: rand.Text() + rand.Text(),
		AllowPrivate: []string{"127.0.0.0/8"}, ShutdownTimeout: stopTimeout, Blobs: "mem://",
	}
	for _, o := range opts {
		o(&cfg)
	}
	return cfg, cfg.Check()
}

// Shutdown asks the server to stop, as a signal does, without waiting for it.
func (s *Server) Shutdown() { s.cancel() }

// Stop stops the server and waits until it has ended; later calls return nil.
func (s *Server) Stop() error {
	s.cancel()
	err, first := <-s.served
	if !first {
		return nil
	}
	close(s.served)
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return errors.Join(err, s.App.Close(ctx))
}
