package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"parley/impl/app"
	"parley/impl/core/backup"
)

type backupCmd struct {
	Create backupCreateCmd `cmd:"" help:"Write a backup of all rows and blobs, also while the server runs."`
	Verify backupVerifyCmd `cmd:"" help:"Read a backup to its end and check all of it."`
}

type backupCreateCmd struct {
	File string `arg:"" help:"File to write, which must not exist; - for standard output."`
}

// Run writes a backup. A file appears under its name only when it is complete and on disk.
func (b backupCreateCmd) Run(ctx context.Context, c *cli) error {
	c.Config.Version = version
	return c.withDatabase(ctx, func(d *app.Database) error {
		var contents backup.Contents
		err := writeFile(b.File, func(out io.Writer) (err error) {
			contents, err = app.Backup(ctx, c.Config, d, out, told())
			return err
		})
		if err != nil || b.File == "-" {
			return err
		}
		return c.print(contents, func(w io.Writer) {
			summarize(w, contents)
			fmt.Fprintln(w, "Keep the secret key with it, but elsewhere: without PARLEY_SECRET_KEY, or the file secret.key, it cannot be restored.")
		})
	})
}

type backupVerifyCmd struct {
	File string `arg:"" help:"Backup to check; - for standard input."`
}

// verifiedJSON is a sound backup as programs read it.
type verifiedJSON struct {
	backup.Manifest
	backup.Contents
}

// Run checks a backup.
func (b backupVerifyCmd) Run(c *cli) error {
	return readFile(b.File, func(in io.Reader) error {
		m, contents, err := backup.Verify(in, told())
		if err != nil {
			return err
		}
		return c.print(verifiedJSON{m, contents}, func(w io.Writer) {
			fmt.Fprintf(w, "A whole backup, made %s by version %s.\n", m.CreatedAt.Format(time.RFC3339), m.Version)
			summarize(w, contents)
		})
	})
}

type restoreCmd struct {
	File string `arg:"" help:"Backup to restore; - for standard input."`
}

// Run restores a backup into the configured database, which must be empty, and blob store.
func (r restoreCmd) Run(ctx context.Context, c *cli) error {
	c.Config.Version = version
	return readFile(r.File, func(in io.Reader) error {
		return c.withDatabase(ctx, func(d *app.Database) error {
			m, contents, err := app.Restore(ctx, c.Config, d, in, told())
			if err != nil {
				return err
			}
			return c.print(verifiedJSON{m, contents}, func(w io.Writer) {
				fmt.Fprintf(w, "Restored the backup of %s.\n", m.CreatedAt.Format(time.RFC3339))
				summarize(w, contents)
			})
		})
	})
}

func summarize(w io.Writer, c backup.Contents) {
	var rows int64
	for _, t := range c.Tables {
		rows += t.Count
	}
	fmt.Fprintf(w, "%d rows of %d tables, %d blobs of %d bytes.\n", rows, len(c.Tables), c.Blobs.Count, c.Blobs.Bytes)
}

// progressEvery is how often progress is told.
const progressEvery = time.Second

// told tells progress on standard error.
func told() backup.Progress {
	last := time.Now()
	return func(what string, count, bytes int64) {
		if now := time.Now(); now.Sub(last) >= progressEvery {
			last = now
			fmt.Fprintf(os.Stderr, "%s: %d (%d MB)\n", what, count, bytes>>20)
		}
	}
}

func writeFile(name string, write func(io.Writer) error) error {
	if name == "-" {
		return write(os.Stdout)
	}
	if _, err := os.Stat(name); err == nil {
		return fmt.Errorf("%s exists", name)
	}
	part, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".part-*") // readable by its owner alone
	if err != nil {
		return err
	}
	err = write(part)
	if err == nil {
		err = part.Sync()
	}
	if err = errors.Join(err, part.Close()); err == nil {
		err = os.Rename(part.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part.Name()))
	}
	return nil
}

func readFile(name string, read func(io.Reader) error) error {
	if name == "-" {
		return read(os.Stdin)
	}
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	return read(in)
}
