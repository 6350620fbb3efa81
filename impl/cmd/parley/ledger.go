package main

import (
	"context"
	"fmt"
	"io"

	"parley/impl/app"
	"parley/impl/core/money"
)

type ledgerCmd struct {
	Verify ledgerVerifyCmd `cmd:"" help:"Compare every account with the ledger; fails when money appeared or vanished."`
}

type ledgerVerifyCmd struct{}

// imbalanceJSON is a wrong account as programs read it; amounts are micro-units.
type imbalanceJSON struct {
	AccountID string `json:"account_id"`
	Granted   int64  `json:"granted_micros"`
	Grants    int64  `json:"grants_micros"`
	Spent     int64  `json:"spent_micros"`
	Usage     int64  `json:"usage_micros"`
	Held      int64  `json:"held_micros"`
	Holds     int64  `json:"holds_micros"`
}

// Run verifies the ledger. It may run while servers work.
func (ledgerVerifyCmd) Run(ctx context.Context, c *cli) error {
	return c.withDatabase(ctx, func(d *app.Database) error {
		found, err := d.Imbalances(ctx)
		if err != nil {
			return err
		}
		rows := make([]imbalanceJSON, len(found))
		for i, f := range found {
			rows[i] = imbalanceJSON{f.AccountID, f.GrantedMicros, f.GrantsMicros, f.SpentMicros, f.UsageMicros, f.HeldMicros, f.HoldsMicros}
		}
		err = c.print(map[string]any{"balanced": len(rows) == 0, "imbalances": rows}, func(w io.Writer) {
			if len(rows) == 0 {
				fmt.Fprintln(w, "The ledger balances.")
				return
			}
			fmt.Fprintln(w, "ACCOUNT\tGRANTED\tIN LEDGER\tSPENT\tIN LEDGER\tHELD\tBY TURNS")
			for _, r := range rows {
				fmt.Fprintf(w, "%s\t%.6f\t%.6f\t%.6f\t%.6f\t%.6f\t%.6f\n", r.AccountID, money.Decimal(r.Granted), money.Decimal(r.Grants),
					money.Decimal(r.Spent), money.Decimal(r.Usage), money.Decimal(r.Held), money.Decimal(r.Holds))
			}
		})
		if err == nil && len(rows) > 0 {
			err = fmt.Errorf("%d accounts do not balance", len(rows))
		}
		return err
	})
}
