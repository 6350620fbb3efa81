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

type migrateCmd struct {
	Distribute bool `help:"Then distribute the tables by account over the cluster of Citus whose coordinator the database is. Stop the servers first."`
	Plan       bool `help:"Only print the statements that --distribute would run."`
}

// Run applies the migrations that the schema lacks and, when it is told to, distributes the tables.
func (m migrateCmd) Run(ctx context.Context, c *cli) error {
	return c.withDatabase(ctx, func(d *app.Database) error {
		if m.Plan {
			return m.plan(ctx, c, d)
		}
		n, err := d.Migrate(ctx)
		if err != nil {
			return err
		}
		if !m.Distribute {
			return c.print(map[string]int{"applied": n}, func(w io.Writer) { fmt.Fprintf(w, "%d migrations applied\n", n) })
		}
		moved, err := d.Distribute(ctx)
		if err != nil {
			return err
		}
		return c.print(map[string]int{"applied": n, "distributed": moved}, func(w io.Writer) { fmt.Fprintf(w, "%d migrations applied, %d tables distributed\n", n, moved) })
	})
}

// plan prints where the tables of the present schema go.
func (migrateCmd) plan(ctx context.Context, c *cli, d *app.Database) error {
	placements, err := d.Placements(ctx)
	if err != nil {
		return err
	}
	return c.print(placements, func(w io.Writer) {
		for _, p := range placements {
			if p.SQL != "" {
				fmt.Fprintln(w, p.SQL+";")
			}
		}
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
