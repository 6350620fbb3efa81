package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"text/tabwriter"

	"parley/impl/app"
)

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(c *cli) error {
	return c.print(map[string]string{"version": version}, func(w io.Writer) { fmt.Fprintln(w, version) })
}

type migrateCmd struct{}

// Run applies the migrations that the schema lacks.
func (migrateCmd) Run(ctx context.Context, c *cli) error {
	return c.withDatabase(ctx, func(d *app.Database) error {
		n, err := d.Migrate(ctx)
		if err != nil {
			return err
		}
		return c.print(map[string]int{"applied": n}, func(w io.Writer) { fmt.Fprintf(w, "%d migrations applied\n", n) })
	})
}

// withDatabase runs do on the configured database, beside a running server if there is one.
func (c *cli) withDatabase(ctx context.Context, do func(*app.Database) error) error {
	cfg := c.Config
	cfg.Beside = true
	cfg.DatabaseConns = 2
	d, err := app.OpenDatabase(ctx, cfg, c.logger())
	if err != nil {
		return err
	}
	return errors.Join(do(d), d.Close())
}

// withSchema runs do on a migrated database.
func (c *cli) withSchema(ctx context.Context, do func(*app.Database) error) error {
	return c.withDatabase(ctx, func(d *app.Database) error {
		if _, err := d.Migrate(ctx); err != nil {
			return err
		}
		return do(d)
	})
}

// withServices runs do on the services of a migrated database.
func (c *cli) withServices(ctx context.Context, do func(*app.Services) error) error {
	return c.withSchema(ctx, func(d *app.Database) error {
		s, err := app.NewServices(ctx, c.Config, d.DB)
		if err != nil {
			return err
		}
		return do(s)
	})
}

func (c *cli) logger() *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // the option admits only levels
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}

// print writes a result for programs or, through human, for people.
func (c *cli) print(result any, human func(io.Writer)) error {
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(result)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	human(table)
	return table.Flush()
}
