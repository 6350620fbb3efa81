package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"parley/db"
	"parley/impl/blobs"
	"parley/impl/core/health"
	"parley/impl/core/provider"
	"parley/impl/core/secret"
)

const (
	// doctorPatience bounds each check.
	doctorPatience = 15 * time.Second
	// clockOff is how far this machine's clock may be from the database's before times look wrong to people, and
	// clockWrong from when on credentials and signatures are refused.
	clockOff, clockWrong = 500 * time.Millisecond, 30 * time.Second
	// slowDatabase is a latency from which on every request is slow: each waits for four statements.
	slowDatabase = 10 * time.Millisecond
	// diskLow and diskFull are free bytes of the data folder.
	diskLow, diskFull = 5 << 30, 256 << 20
	// wrapsSoon is a number of transactions below which Postgres's own warnings begin.
	wrapsSoon = 100_000_000
)

// Doctor looks at everything that a server with these options needs and changes
// nothing but a file and a blob that it writes and removes. Mistakes are what Check said of cfg.
func Doctor(ctx context.Context, cfg Config, mistakes error, log *slog.Logger) *health.Report {
	d := &doctor{Report: &health.Report{}, cfg: cfg, log: log}
	d.configuration(mistakes)
	if cfg.Data == "" || !filepath.IsAbs(cfg.Data) {
		return d.Report
	}
	d.folder()
	d.certificate()
	d.descriptors()
	for _, check := range []func(context.Context){d.database, d.blobs, d.upstream} {
		limited, cancel := context.WithTimeout(ctx, doctorPatience)
		check(limited)
		cancel()
	}
	return d.Report
}

type doctor struct {
	*health.Report
	cfg Config
	log *slog.Logger
}

func (d *doctor) configuration(mistakes error) {
	if mistakes == nil {
		d.Fine("configuration", "The options fit together.")
		return
	}
	for text := range strings.Lines(mistakes.Error()) {
		d.Problem("configuration", strings.TrimSpace(text), "Correct the option; parley serve --help and the README's table list all of them.")
	}
}

// folder looks at the data folder: secret.key, blobs and the embedded Postgres live there.
func (d *doctor) folder() {
	if err := os.MkdirAll(d.cfg.Data, 0o755); err != nil {
		d.Problem("data folder", err.Error(), "Make the folder, or name another one in PARLEY_DATA.")
		return
	}
	probe, err := os.CreateTemp(d.cfg.Data, "doctor-*")
	if err != nil {
		d.Problem("data folder", err.Error(), "Let the user that runs the server write to "+d.cfg.Data+".")
		return
	}
	_ = probe.Close()
	_ = os.Remove(probe.Name())
	switch free, err := freeBytes(d.cfg.Data); {
	case err != nil:
		d.Warn("disk", err.Error(), "Look at the disk of "+d.cfg.Data+" yourself.")
	case free < diskFull:
		d.Problem("disk", fmt.Sprintf("%d MB are free in %s.", free>>20, d.cfg.Data), "Make room: Postgres stops writing when the disk is full.")
	case free < diskLow:
		d.Warn("disk", fmt.Sprintf("%d MB are free in %s.", free>>20, d.cfg.Data), "Make room before it is full.")
	default:
		d.Fine("disk", fmt.Sprintf("%d GB are free in %s.", free>>30, d.cfg.Data))
	}
	d.keyFile()
}

func (d *doctor) keyFile() {
	if d.cfg.SecretKey != "" {
		return
	}
	info, err := os.Stat(secretFile(d.cfg))
	switch {
	case errors.Is(err, os.ErrNotExist) && d.cfg.DatabaseURL != "":
		d.Warn("secret key", "There is no secret.key yet; the first start makes one for this machine alone.",
			"Set PARLEY_SECRET_KEY, the same on all servers of this database.")
	case err != nil && !errors.Is(err, os.ErrNotExist):
		d.Problem("secret key", err.Error(), "Let the user that runs the server read it.")
	case err == nil && info.Mode().Perm()&0o077 != 0:
		d.Problem("secret key", fmt.Sprintf("Others may read %s (mode %#o).", secretFile(d.cfg), info.Mode().Perm()), "chmod 600 "+secretFile(d.cfg))
	case err == nil:
		d.Fine("secret key", "Only its owner can read it. It is in no backup: keep a copy.")
	}
}

// database looks at the Postgres, the schema, the clock between, and whether the secrets can be opened.
func (d *doctor) database(ctx context.Context) {
	cfg := d.cfg
	cfg.Beside, cfg.DatabaseConns = true, 2
	pool, err := OpenDatabase(ctx, cfg, d.log)
	if err != nil {
		fix := "See that it runs, that DATABASE_URL names it, and that the network lets this machine through."
		if cfg.DatabaseURL == "" {
			fix = "The log beside the data folder's Postgres (postgres.log) tells more."
		}
		d.Problem("database", err.Error(), fix)
		return
	}
	defer func() { _ = pool.Close() }()
	found, err := pool.Diagnose(ctx)
	if err != nil {
		d.Problem("database", err.Error(), "Give the user of DATABASE_URL a database of its own.")
		return
	}
	d.postgres(found)
	d.clock(found)
	d.schema(ctx, pool)
	if pool.pooled {
		if direct, err := db.Open(ctx, pool.direct, 1); err != nil {
			d.Problem("database", "DATABASE_DIRECT_URL: "+err.Error(), "It must lead past the pooler to the same Postgres.")
		} else {
			_ = direct.Close()
		}
	}
}

func (d *doctor) clock(found db.Diagnosis) {
	off := time.Since(found.Clock).Abs()
	switch {
	case off > clockWrong:
		d.Problem("clock", fmt.Sprintf("This machine and the database are %v apart.", off.Round(time.Second)), "Let both follow NTP: credentials expire by this machine's clock.")
	case off > clockOff+found.Latency:
		d.Warn("clock", fmt.Sprintf("This machine and the database are %v apart.", off.Round(time.Millisecond)), "Let both follow NTP.")
	default:
		d.Fine("clock", "This machine and the database agree.")
	}
}

func (d *doctor) schema(ctx context.Context, pool *Database) {
	pending, err := pool.Pending(ctx)
	switch {
	case errors.Is(err, db.ErrNewerSchema):
		d.Problem("schema", err.Error(), "Run the version that made it, or a newer one.")
		return
	case err != nil:
		d.Problem("schema", err.Error(), "See the database's log.")
		return
	case pending > 0:
		d.Warn("schema", fmt.Sprintf("%d migrations are to be applied.", pending), "The next start does it, or parley migrate before it.")
		return
	}
	d.Fine("schema", "It is that of this version.")
	if d.cfg.SecretKey == "" {
		if _, err := os.Stat(secretFile(d.cfg)); err != nil {
			return // keyFile has told
		}
	}
	master, err := secretBox(d.cfg)
	if err == nil {
		err = secret.Check(ctx, pool.Queries, master)
	}
	if err != nil {
		d.Problem("secret key", err.Error(), "Set the key that the other servers have.")
	}
}

// blobs writes a blob, reads it and removes it.
func (d *doctor) blobs(ctx context.Context) {
	const fix = "See that PARLEY_BLOBS names the store, and that the credentials in the environment may read, write, list and delete there."
	none, err := secret.NewBox(rand.Text() + rand.Text())
	if err != nil {
		d.Problem("blob store", err.Error(), fix)
		return
	}
	store, err := blobs.Open(ctx, d.cfg.Blobs, none)
	if err != nil {
		d.Problem("blob store", err.Error(), fix)
		return
	}
	defer func() { _ = store.Close() }()
	name, text := blobs.Name{AccountID: "doctor", Kind: "probes", ID: rand.Text()}, rand.Text()
	_, err = store.Put(ctx, name, 1024, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
	if err == nil {
		err = errors.Join(readBack(ctx, store, name, text), store.Delete(ctx, name))
	}
	if err != nil {
		d.Problem("blob store", err.Error(), fix)
		return
	}
	d.Fine("blob store", "A blob was written, read and removed.")
}

func readBack(ctx context.Context, store *blobs.Store, name blobs.Name, want string) error {
	in, err := store.Get(ctx, name)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	got, err := io.ReadAll(in)
	if err == nil && string(got) != want {
		err = errors.New("what was read is not what was written")
	}
	return err
}

func (d *doctor) upstream(ctx context.Context) {
	if d.cfg.Upstream == "" {
		d.Fine("upstream", "None is set: the built-in model answers, besides those of providers that were added.")
		return
	}
	models, err := provider.NewOpenAI(provider.OpenAIOptions{BaseURL: d.cfg.Upstream, Key: d.cfg.UpstreamKey}).Models(ctx)
	switch {
	case err != nil:
		d.Problem("upstream", err.Error(), "See that PARLEY_UPSTREAM ends with /v1, that it answers from this machine, and that PARLEY_UPSTREAM_KEY is its key.")
	case len(models) == 0:
		d.Warn("upstream", "It offers no models.", "Load a model there.")
	default:
		d.Fine("upstream", fmt.Sprintf("It offers %d models.", len(models)))
	}
}
