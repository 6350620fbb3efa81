package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"parley/db"
	"parley/impl/core/secret"
	"parley/impl/embedpg"
)

// Database is a pool and, when this process started it, the Postgres behind it.
type Database struct {
	*db.DB
	direct string // names the same Postgres, past any pooler
	pooled bool   // the pool is not direct
	stop   func() error
}

// Close ends the pool, then the Postgres that OpenDatabase started.
func (d *Database) Close() error { return errors.Join(d.DB.Close(), d.stop()) }

// Migrate brings the schema up to date, past any pooler: the lock that lets one
// server do it is held by a session.
func (d *Database) Migrate(ctx context.Context) (int, error) {
	if !d.pooled {
		return d.DB.Migrate(ctx)
	}
	direct, err := db.Open(ctx, d.direct, migrationConns)
	if err != nil {
		return 0, err
	}
	done, err := direct.Migrate(ctx)
	return done, errors.Join(err, direct.Close())
}

// migrationConns is one for the lock and one for the work.
const migrationConns = 2

// OpenDatabase connects to DATABASE_URL or, without one, to the embedded
// Postgres of the data folder. A command that works beside a running server
// (cfg.Beside) uses the Postgres that the server has started.
func OpenDatabase(ctx context.Context, cfg Config, log *slog.Logger) (*Database, error) {
	dsn, stop, err := postgres(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	open := db.Open
	if cfg.DatabasePlain {
		open = db.OpenUnprepared
	}
	pool, err := open(ctx, dsn, cfg.DatabaseConns)
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	direct := cfg.DatabaseDirect
	if direct == "" {
		direct = dsn
	}
	return &Database{DB: pool, direct: direct, pooled: direct != dsn, stop: stop}, nil
}

func postgres(ctx context.Context, cfg Config, log *slog.Logger) (dsn string, stop func() error, err error) {
	if cfg.DatabaseURL != "" {
		return cfg.DatabaseURL, func() error { return nil }, nil
	}
	if err := os.MkdirAll(cfg.Data, 0o755); err != nil {
		return "", nil, fmt.Errorf("make data folder: %w", err)
	}
	forgetClientSettings()
	s := &supervisor{cfg: embedpg.Config{DataDir: cfg.Data, BinDir: cfg.PostgresBin, Log: log}, log: log, done: make(chan struct{})}
	s.server, err = embedpg.Start(ctx, s.cfg)
	if inUse := (*embedpg.InUseError)(nil); errors.As(err, &inUse) && cfg.Beside {
		dsn, err = embedpg.Find(ctx, cfg.Data)
		return dsn, func() error { return nil }, err
	}
	if err != nil {
		return "", nil, err
	}
	go s.watch()
	return s.server.DSN(), s.stop, nil
}

// forgetClientSettings drops the PG* variables of this process: the driver
// would let PGHOSTADDR and the like redirect connections to the embedded Postgres.
func forgetClientSettings() {
	for _, setting := range os.Environ() {
		if name, _, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "PG") {
			_ = os.Unsetenv(name)
		}
	}
}

// supervisor brings the embedded Postgres back when it dies under the server.
type supervisor struct {
	cfg  embedpg.Config
	log  *slog.Logger
	done chan struct{}

	mu     sync.Mutex
	server *embedpg.Server
}

// restartPause keeps a Postgres that cannot live from being started in a tight loop.
const restartPause = time.Second

func (s *supervisor) watch() {
	for {
		s.mu.Lock()
		exited := s.server.Exited()
		s.mu.Unlock()
		select {
		case <-s.done:
			return
		case <-exited:
		}
		s.log.Error("the embedded Postgres ended; starting it again")
		if !s.restart() {
			return
		}
	}
}

func (s *supervisor) restart() bool {
	for {
		s.mu.Lock()
		select {
		case <-s.done:
			s.mu.Unlock()
			return false
		default:
		}
		_ = s.server.Stop() // gives the folder free; how the dead one ended is no news
		server, err := embedpg.Start(context.Background(), s.cfg)
		if err == nil {
			s.server = server
		}
		s.mu.Unlock()
		if err == nil {
			return true
		}
		s.log.Error("starting the embedded Postgres failed", "error", err)
		select {
		case <-s.done:
			return false
		case <-time.After(restartPause):
		}
	}
}

func (s *supervisor) stop() error {
	close(s.done)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server.Stop()
}

// secretBox is the operator's key, or the file's in the data folder.
func secretBox(cfg Config) (*secret.Box, error) {
	if cfg.SecretKey != "" {
		return secret.NewBox(cfg.SecretKey)
	}
	if err := os.MkdirAll(cfg.Data, 0o755); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	return secret.FileBox(secretFile(cfg))
}

func secretFile(cfg Config) string { return filepath.Join(cfg.Data, "secret.key") }

// RotateSecretKey lets newKey open the database's secrets beside the present
// key; servers then change over and RetireSecretKeys ends the old one. Where the
// key is a file of the data folder it is replaced at once and newKey must be "".
func RotateSecretKey(ctx context.Context, cfg Config, d *db.DB, newKey string) error {
	if (cfg.SecretKey == "") != (newKey == "") {
		return errors.New("a new key is given when, and only when, the present one is PARLEY_SECRET_KEY")
	}
	from, err := secretBox(cfg)
	if err != nil {
		return err
	}
	if newKey == "" {
		return secret.ReplaceFile(secretFile(cfg), func(to *secret.Box) error { return secret.Rotate(ctx, d, from, to, now()) })
	}
	to, err := secret.NewBox(newKey)
	if err != nil {
		return err
	}
	return secret.Rotate(ctx, d, from, to, now())
}

// RetireSecretKeys makes the configured key the only one that opens the
// database's secrets and returns how many others it ended.
func RetireSecretKeys(ctx context.Context, cfg Config, d *db.DB) (int64, error) {
	box, err := secretBox(cfg)
	if err != nil {
		return 0, err
	}
	return secret.Retire(ctx, d, box)
}
