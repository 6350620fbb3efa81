package db

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/lib/pq"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migrate brings the schema up to date and returns how many migrations it
// applied. Of several servers that start at once one does the work under an
// advisory lock and the others wait.
func (d *DB) Migrate(ctx context.Context) (int, error) {
	p, err := d.migrator()
	if err != nil {
		return 0, err
	}
	if err := d.checkKnown(ctx, p); err != nil {
		return 0, err
	}
	done, err := p.Up(ctx)
	if err != nil {
		return len(done), fmt.Errorf("migrate: %w", err)
	}
	return len(done), nil
}

// Pending returns how many migrations this binary has that the schema has not.
func (d *DB) Pending(ctx context.Context) (int, error) {
	p, err := d.migrator()
	if err != nil {
		return 0, err
	}
	if err := d.checkKnown(ctx, p); err != nil {
		return 0, err
	}
	status, err := p.Status(ctx)
	if err != nil {
		return 0, fmt.Errorf("migration status: %w", translate(err))
	}
	pending := 0
	for _, s := range status {
		if s.State == goose.StatePending {
			pending++
		}
	}
	return pending, nil
}

// checkKnown is ErrNewerSchema when the schema has migrations that this program
// does not know: a newer one made them, and may store what this one misunderstands.
func (d *DB) checkKnown(ctx context.Context, p *goose.Provider) error {
	var there bool
	if err := d.pool.GetContext(ctx, &there, `select to_regclass('goose_db_version') is not null`); err != nil || !there {
		return translate(err)
	}
	known := make([]int64, 0, len(p.ListSources()))
	for _, s := range p.ListSources() {
		known = append(known, s.Version)
	}
	var unknown []int64
	err := d.pool.SelectContext(ctx, &unknown, `
		select version_id from goose_db_version where version_id > 0 and is_applied and version_id <> all ($1) order by version_id limit 1`,
		pq.Array(known))
	if err == nil && len(unknown) > 0 {
		err = fmt.Errorf("%w (it has migration %d)", ErrNewerSchema, unknown[0])
	}
	return translate(err)
}

func (d *DB) migrator() (*goose.Provider, error) {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open migrations: %w", err)
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return nil, fmt.Errorf("make migration lock: %w", err)
	}
	// Names are stored, so that migrations of two branches can land in any order.
	return goose.NewProvider(goose.DialectPostgres, d.pool.DB, files,
		goose.WithSessionLocker(locker), goose.WithAllowOutofOrder(true))
}
