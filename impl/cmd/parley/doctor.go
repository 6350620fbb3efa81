package main

import (
	"context"
	"fmt"
	"io"

	"parley/impl/app"
)

type doctorCmd struct{}

// Run looks at what the server needs and tells what to fix. It fails when something keeps the server from serving.
func (doctorCmd) Run(ctx context.Context, c *cli) error {
	report := app.Doctor(ctx, c.Config, c.mistakes, c.logger())
	err := c.print(report.Findings, func(w io.Writer) {
		for _, f := range report.Findings {
			fmt.Fprintf(w, "%s\t%s\t%s\n", f.Rank, f.Check, f.Says)
			if f.Fix != "" {
				fmt.Fprintf(w, "\t\t→ %s\n", f.Fix)
			}
		}
	})
	if n := report.Problems(); err == nil && n > 0 {
		err = fmt.Errorf("%d problems", n)
	}
	return err
}
