package main

import (
	"context"
	"fmt"
	"io"

	"parley/db"
	"parley/impl/app"
)

// aliasesListed bounds the list, which no account's aliases exceed.
const aliasesListed = 1000

type modelsAliasCmd struct {
	Alias   string `arg:"" optional:"" help:"A name, or the beginning of names and a *; without one, the aliases are listed."`
	Model   string `arg:"" optional:"" help:"Id of the model that it means; without one, the alias is deleted."`
	Account string `help:"Id or name of the only account for which it holds; every account by default."`
}

type aliasJSON struct {
	Alias string `json:"alias"`
	Model string `json:"model"`
}

// Run defines, deletes or lists aliases.
func (m modelsAliasCmd) Run(ctx context.Context, c *cli) error {
	return c.withServices(ctx, func(s *app.Services) error {
		owner, err := accountID(ctx, s, m.Account)
		switch {
		case err != nil:
			return err
		case m.Alias == "":
			return m.list(ctx, c, s, owner)
		case m.Model == "":
			if err := s.Models.DeleteAlias(ctx, owner, m.Alias); err != nil {
				return err
			}
			return c.print(aliasJSON{Alias: m.Alias}, func(w io.Writer) { fmt.Fprintln(w, m.Alias, "means nothing any more") })
		}
		a, _, err := s.Models.PutAlias(ctx, owner, m.Alias, m.Model)
		if err != nil {
			return err
		}
		return c.print(toAliasJSON(a), func(w io.Writer) { fmt.Fprintln(w, a.Alias, "means", a.ModelID) })
	})
}

func (m modelsAliasCmd) list(ctx context.Context, c *cli, s *app.Services, owner string) error {
	rows, err := s.Models.Aliases(ctx, owner, "", aliasesListed)
	if err != nil {
		return err
	}
	out := make([]aliasJSON, len(rows))
	for i, row := range rows {
		out[i] = toAliasJSON(row)
	}
	return c.print(out, func(w io.Writer) {
		fmt.Fprintln(w, "ALIAS\tMODEL")
		for _, a := range out {
			fmt.Fprintf(w, "%s\t%s\n", a.Alias, a.Model)
		}
	})
}

func toAliasJSON(a db.ModelAlias) aliasJSON { return aliasJSON{Alias: a.Alias, Model: a.ModelID} }
