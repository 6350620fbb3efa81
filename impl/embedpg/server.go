//go:build unix

package embedpg

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
)

const (
	superuser    = "parley"
	marker       = "cluster_name=parley" // in postmaster.opts: tells our own orphan from a server that an operator started
	pollInterval = 10 * time.Millisecond
	fastShutdown = 30 * time.Second // SIGINT has this long to write its checkpoint
	hardShutdown = 10 * time.Second // SIGQUIT writes nothing, so it needs no more
)

// Config says where the server lives. Only DataDir is required.
type Config struct {
	DataDir  string       // holds everything; made with mode 0700 when missing
	BinDir   string       // folder of postgres and initdb; empty means look for one, then fetch
	CacheDir string       // where fetched binaries are kept; empty means a system or user cache folder
	Log      *slog.Logger // nil discards

	// Throwaway gives up what guards the data against a crash of the machine, for
	// a server whose folder goes when it ends. A crash of Postgres still loses nothing.
	Throwaway bool
}

// Server is a running Postgres that belongs to this process.
type Server struct {
	home     *home
	proc     *process
	socket   string
	exited   chan struct{}
	stopping chan struct{}
	stopOnce sync.Once
	stopErr  error
}

// Start brings up the Postgres of cfg.DataDir and returns when it accepts
// connections. It makes the cluster on first use, which takes about as long as
// initdb. It waits for crash recovery as long as ctx allows. An error of type
// [*InUseError] means that another process has the folder; [ErrNoBinaries] means
// that no server program is to be had.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	begun := time.Now()
	h, err := openHome(cfg)
	if err != nil {
		return nil, err
	}
	s, err := h.start(ctx)
	if err != nil {
		return nil, errors.Join(err, h.close())
	}
	h.log.Info("postgres is ready", "folder", h.dir, "pid", s.PID(), "took", time.Since(begun).Round(time.Millisecond))
	return s, nil
}

// DSN returns the connection string of the superuser, for lib/pq. It names the
// port, because drivers otherwise take it from the user's PGPORT.
func (s *Server) DSN() string { return dsn(s.socket) }

// PID returns the process id of the postmaster.
func (s *Server) PID() int { return s.proc.pid() }

// Exited is closed when Postgres ends without [Server.Stop]. Call Stop then too:
// it releases the data folder, and a new Start recovers it.
func (s *Server) Exited() <-chan struct{} { return s.exited }

// Stop ends Postgres: first a fast shutdown, after 30 s an immediate one. It
// returns when the process is gone and the data folder is free. Later and
// concurrent calls wait for the first and return its result.
func (s *Server) Stop() error {
	s.stopOnce.Do(func() {
		close(s.stopping)
		err := s.proc.shutdown()
		// Left in place it only costs an empty folder, which the next start takes over.
		_ = os.Remove(s.socket)
		s.stopErr = errors.Join(err, s.home.close())
	})
	return s.stopErr
}

// watch reports the end of the process unless Stop asked for it.
func (s *Server) watch() {
	<-s.proc.done
	select {
	case <-s.stopping:
	default:
		s.home.log.Error("postgres ended by itself", "folder", s.home.dir, "reason", s.proc.err, "log", s.home.logTail())
		close(s.exited)
	}
}

// home is a data folder that this process has locked.
type home struct {
	cfg      Config
	log      *slog.Logger
	dir      string // absolute
	cluster  string // <dir>/postgres, symlinks resolved
	account  account
	lock     *lock
	logStart int64 // where this start's lines begin in postgres.log
}

func openHome(cfg Config) (*home, error) {
	if cfg.DataDir == "" {
		return nil, errors.New("the data folder of the embedded postgres is not set")
	}
	dir, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	l, err := acquireLock(dir)
	if err != nil {
		return nil, err
	}
	h := &home{cfg: cfg, log: cfg.Log, dir: dir, cluster: clusterPath(dir), lock: l}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	return h, nil
}

func (h *home) close() error { return h.lock.release() }

func (h *home) start(ctx context.Context) (*Server, error) {
	major, err := clusterMajor(h.cluster)
	if err != nil {
		return nil, err
	}
	if h.account, err = chooseAccount(h.cluster); err != nil {
		return nil, err
	}
	bin, err := h.binaries(ctx, major)
	if err != nil {
		return nil, err
	}
	if err := h.prepare(ctx, bin, major); err != nil {
		return nil, err
	}
	socket, err := makeSocketDir(h.dir, h.account)
	if err != nil {
		return nil, err
	}
	if err := h.lock.announce(socket); err != nil {
		return nil, err
	}
	return h.launch(ctx, bin, socket)
}

// prepare leaves a cluster that nothing uses.
func (h *home) prepare(ctx context.Context, bin string, major int) error {
	if major == 0 {
		return h.initCluster(ctx, bin)
	}
	if err := h.account.adopt(h.cluster); err != nil {
		return err
	}
	return h.settle(ctx)
}

func (h *home) launch(ctx context.Context, bin, socket string) (*Server, error) {
	logFile, err := h.openLog()
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	c := newChild(context.WithoutCancel(ctx), h.account, filepath.Join(bin, "postgres"))
	defer c.close()
	c.args("-D", c.dir(h.cluster), "-c", "unix_socket_directories="+c.dir(socket))
	for _, setting := range settings {
		c.args("-c", setting)
	}
	if h.cfg.Throwaway {
		// Tests make hundreds of databases: there would be a worker for one of them every tenth of a second.
		c.args("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "autovacuum_naptime=1min")
	}
	c.cmd.Stdout, c.cmd.Stderr = logFile, logFile
	proc, err := c.spawn()
	if err != nil {
		return nil, err
	}
	if err := h.awaitReady(ctx, proc); err != nil {
		return nil, errors.Join(err, proc.shutdown())
	}
	s := &Server{home: h, proc: proc, socket: socket, exited: make(chan struct{}), stopping: make(chan struct{})}
	go s.watch()
	return s, nil
}

// settings are given on the command line, so that they hold for clusters made
// by any version of this program. fsync and full_page_writes keep their default,
// on. Statements that fail are the application's business (it expects unique
// violations); their text holds user data and stays out of the log.
var settings = []string{
	marker,
	"listen_addresses=",
	"port=5432",
	"unix_socket_permissions=0700",
	"max_connections=300",
	"shared_buffers=128MB",
	"autovacuum_naptime=10s", // young tables need their first statistics soon: what is planned without them reads whole accounts
	"random_page_cost=1.1",   // as on any disk without a moving head; at 4, small collections are read whole instead of searched by their index
	"timezone=UTC",
	"log_timezone=UTC",
	"log_destination=stderr",
	"logging_collector=off",
	"log_min_messages=log",
	"log_checkpoints=off",
	"log_line_prefix=%m [%p] ",
}

// awaitReady returns when the postmaster says so in its lock file.
func (h *home) awaitReady(ctx context.Context, proc *process) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for postgres: %w", ctx.Err())
		case <-proc.done:
			return fmt.Errorf("postgres ended before it was ready (%w); the end of %s: %s", proc.reason(), h.logPath(), h.logTail())
		case <-tick.C:
			if pm, ok := readPostmaster(h.cluster); ok && pm.pid == proc.pid() && pm.status == "ready" {
				return nil
			}
		}
	}
}

// dsn writes a keyword/value connection string; quoting follows libpq.
func dsn(socket string) string {
	quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(socket)
	return fmt.Sprintf("host='%s' port=5432 user=%s dbname=postgres sslmode=disable", quoted, superuser)
}
