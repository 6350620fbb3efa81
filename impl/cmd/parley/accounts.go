package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"parley/db"
	"parley/impl/app"
	"parley/impl/core/account"
	"parley/impl/core/money"
)

type accountsCmd struct {
	Create  accountsCreateCmd  `cmd:"" help:"Create an account."`
	List    accountsListCmd    `cmd:"" help:"List the accounts."`
	TopUp   accountsTopUpCmd   `cmd:"" name:"top-up" help:"Add to an account's balance."`
	WarnAt  accountsWarnAtCmd  `cmd:"" name:"warn-at" help:"Set the balance below which an account is warned."`
	Operate accountsOperateCmd `cmd:"" help:"Let an account's owners, signed in, operate the server."`
}

// accountJSON is an account as programs read it; amounts are micro-units.
type accountJSON struct {
	ID               string    `json:"id"`
	Name             string    `json:"name"`
	Plan             string    `json:"plan"`
	BalanceMicros    int64     `json:"balance_micros"`
	HeldMicros       int64     `json:"held_micros"`
	SpentMicros      int64     `json:"spent_micros"`
	BalanceLowMicros int64     `json:"balance_low_micros"`
	Operates         bool      `json:"operates"`
	CreatedAt        time.Time `json:"created_at"`
}

func toAccountJSON(a db.Account) accountJSON {
	return accountJSON{ID: a.ID, Name: a.Name, Plan: a.Plan, BalanceMicros: a.BalanceMicros, HeldMicros: a.HeldMicros,
		SpentMicros: a.SpentMicros, BalanceLowMicros: a.BalanceLowMicros, Operates: a.Operates, CreatedAt: a.CreatedAt}
}

func (c *cli) printAccounts(result any, accounts ...db.Account) error {
	return c.print(result, func(w io.Writer) {
		fmt.Fprintln(w, "ID\tNAME\tPLAN\tBALANCE\tHELD\tSPENT\tWARNED AT\tOPERATES")
		for _, a := range accounts {
			fmt.Fprintf(w, "%s\t%s\t%s\t%.6f\t%.6f\t%.6f\t%.6f\t%s\n", a.ID, a.Name, a.Plan, money.Decimal(a.BalanceMicros),
				money.Decimal(a.HeldMicros), money.Decimal(a.SpentMicros), money.Decimal(a.BalanceLowMicros), map[bool]string{true: "yes", false: "no"}[a.Operates])
		}
	})
}

type accountsCreateCmd struct {
	Name string `required:"" help:"Name of the account."`
	Plan string `default:"free" help:"Plan: free, pro, unlimited."`
}

// Run makes an account.
func (a accountsCreateCmd) Run(ctx context.Context, c *cli) error {
	return c.withServices(ctx, func(s *app.Services) error {
		account, err := s.Accounts.Create(ctx, a.Name, a.Plan)
		if err != nil {
			return err
		}
		return c.printAccounts(toAccountJSON(account), account)
	})
}

type accountsListCmd struct{}

// Run lists accounts.
func (accountsListCmd) Run(ctx context.Context, c *cli) error {
	return c.withServices(ctx, func(s *app.Services) error {
		accounts, err := s.Accounts.List(ctx)
		if err != nil {
			return err
		}
		rows := make([]accountJSON, len(accounts))
		for i, a := range accounts {
			rows[i] = toAccountJSON(a)
		}
		return c.printAccounts(rows, accounts...)
	})
}

type accountsTopUpCmd struct {
	Amount  float64 `arg:"" help:"Amount in currency units, up to six decimals."`
	Account string  `help:"Id or name of the account; the first account by default."`
}

// Run adds to a balance.
func (a accountsTopUpCmd) Run(ctx context.Context, c *cli) error {
	return c.withServices(ctx, func(s *app.Services) error {
		account, err := s.Accounts.Find(ctx, a.Account)
		if err != nil {
			return err
		}
		done, err := s.Accounts.Adjust(ctx, account.ID, int64(math.Round(a.Amount*money.Unit)), "top-up")
		if err != nil {
			return err
		}
		return c.printAccounts(toAccountJSON(done.Account), done.Account)
	})
}

type accountsWarnAtCmd struct {
	Amount  float64 `arg:"" help:"Amount in currency units, up to six decimals; 0 never warns."`
	Account string  `help:"Id or name of the account; the first account by default."`
}

// Run sets what an account is warned at.
func (a accountsWarnAtCmd) Run(ctx context.Context, c *cli) error {
	return c.withServices(ctx, func(s *app.Services) error {
		found, err := s.Accounts.Find(ctx, a.Account)
		if err != nil {
			return err
		}
		micros := int64(math.Round(a.Amount * money.Unit))
		changed, err := s.Accounts.Update(ctx, found.ID, account.UpdateInput{BalanceLow: &micros})
		if err != nil {
			return err
		}
		return c.printAccounts(toAccountJSON(changed), changed)
	})
}

type accountsOperateCmd struct {
	Account string `arg:"" help:"Id or name of the account."`
	End     bool   `help:"Take the right away again."`
}

// Run says whether an account's owners operate the server.
func (a accountsOperateCmd) Run(ctx context.Context, c *cli) error {
	return c.withServices(ctx, func(s *app.Services) error {
		found, err := s.Accounts.Find(ctx, a.Account)
		if err != nil {
			return err
		}
		operates := !a.End
		changed, err := s.Accounts.Update(ctx, found.ID, account.UpdateInput{Operates: &operates})
		if err != nil {
			return err
		}
		return c.printAccounts(toAccountJSON(changed), changed)
	})
}
