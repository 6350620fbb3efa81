package main

import (
	"context"
	"fmt"
	"io"

	"parley/impl/app"
)

type secretsCmd struct {
	Rotate secretsRotateCmd `cmd:"" help:"Change the key that seals secrets in the database."`
	Retire secretsRetireCmd `cmd:"" help:"End the keys before the present one, when all servers have it."`
}

type secretsRotateCmd struct {
	NewKey string `name:"new-key" env:"PARLEY_NEW_SECRET_KEY" help:"The new key, at least 32 bytes, where PARLEY_SECRET_KEY is set; a file in the data folder is replaced by itself."`
}

// Run lets the new key open what is sealed. Running servers go on; both keys work until "retire".
func (r secretsRotateCmd) Run(ctx context.Context, c *cli) error {
	return c.withSchema(ctx, func(d *app.Database) error {
		if err := app.RotateSecretKey(ctx, c.Config, d.DB, r.NewKey); err != nil {
			return err
		}
		return c.print(map[string]bool{"rotated": true}, func(w io.Writer) {
			fmt.Fprintln(w, "Both keys open the secrets now.")
			if r.NewKey != "" {
				fmt.Fprintln(w, "Set PARLEY_SECRET_KEY to the new one on every server and restart it.")
			}
			fmt.Fprintln(w, "Then end the old one with: parley secrets retire")
		})
	})
}

type secretsRetireCmd struct{}

// Run ends the keys before the configured one.
func (secretsRetireCmd) Run(ctx context.Context, c *cli) error {
	return c.withSchema(ctx, func(d *app.Database) error {
		ended, err := app.RetireSecretKeys(ctx, c.Config, d.DB)
		if err != nil {
			return err
		}
		return c.print(map[string]int64{"ended": ended}, func(w io.Writer) { fmt.Fprintf(w, "%d earlier keys ended.\n", ended) })
	})
}
