// Command lintdoc holds the bundled document against four linters: Redocly
// (recommended-strict and more), Spectral (OpenAPI and OWASP rules, all of them),
// speakeasy-api's Go linter (all rules), and the rules of this project. Every finding
// fails, whatever its severity, unless exceptions.yaml excuses it with a reason; an
// exception that excuses nothing fails too.
//
// The last two also run as tests of this package, which need no Node.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
)

func main() {
	in := flag.String("in", "gen/openapi.yaml", "bundled document")
	home := flag.String("home", "tools/lintdoc", "folder of this tool, with node_modules")
	flag.Parse()
	if err := run(context.Background(), *in, *home); err != nil {
		fmt.Fprintln(os.Stderr, "lintdoc:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, in, home string) error {
	exceptions, err := readExceptions(home + "/exceptions.yaml")
	if err != nil {
		return err
	}
	linters := []struct {
		name string
		lint func(ctx context.Context, in, home string) ([]finding, error)
	}{{"house", lintHouse}, {"go", lintGo}, {"redocly", lintRedocly}, {"spectral", lintSpectral}}
	failed := 0
	for _, linter := range linters {
		found, err := linter.lint(ctx, in, home)
		if err != nil {
			return fmt.Errorf("%s: %w", linter.name, err)
		}
		complaints := judge(linter.name, found, exceptions)
		for _, complaint := range complaints {
			fmt.Println(complaint)
		}
		failed += len(complaints)
		fmt.Printf("%s: %d findings, %d of them not excused\n", linter.name, len(found), len(complaints))
	}
	if failed > 0 {
		return fmt.Errorf("%d findings; fix the document, or excuse them with a reason in %s/exceptions.yaml", failed, home)
	}
	return nil
}
