package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"

	"parley/db"
	"parley/impl/blobs"
	"parley/impl/core/backup"
	"parley/impl/core/secret"
)

// Backup copies the installation of cfg to out, also beside a running server.
func Backup(ctx context.Context, cfg Config, d *Database, out io.Writer, progress backup.Progress) (backup.Contents, error) {
	store, err := rawStore(ctx, cfg)
	if err != nil {
		return backup.Contents{}, err
	}
	c, err := backup.Write(ctx, d.DB, store, out, cfg.Version, now(), progress)
	return c, errors.Join(err, store.Close())
}

// Restore makes an installation of a backup in the database and the blob store of
// cfg, whose secret key must be that of the installation that was backed up.
func Restore(ctx context.Context, cfg Config, d *Database, in io.Reader, progress backup.Progress) (backup.Manifest, backup.Contents, error) {
	if cfg.SecretKey == "" {
		if _, err := os.Stat(secretFile(cfg)); err != nil {
			return backup.Manifest{}, backup.Contents{}, fmt.Errorf("a backup needs the secret key of the server that made it: set PARLEY_SECRET_KEY, "+
				"or copy that server's file secret.key to %s", secretFile(cfg))
		}
	}
	master, err := secretBox(cfg)
	if err != nil {
		return backup.Manifest{}, backup.Contents{}, err
	}
	store, err := rawStore(ctx, cfg)
	if err != nil {
		return backup.Manifest{}, backup.Contents{}, err
	}
	m, c, err := backup.Restore(ctx, d.DB, store, in, func(q *db.Queries) error { return secret.Check(ctx, q, master) }, progress)
	return m, c, errors.Join(err, store.Close())
}

// rawStore is the blob store for what is copied as it is stored: no key opens anything in it.
func rawStore(ctx context.Context, cfg Config) (*blobs.Store, error) {
	none, err := secret.NewBox(rand.Text() + rand.Text())
	if err != nil {
		return nil, err
	}
	return blobs.Open(ctx, cfg.Blobs, none)
}
