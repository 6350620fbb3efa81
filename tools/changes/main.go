// Command changes compares the bundled document with the one that was released
// last, which stands in openapi/released, so that a shallow clone suffices.
//
//	changes breaking    fails on a break that the version does not announce
//	changes changelog   prints what changed, as Markdown
//	changes release     makes the document the released one and adds to the changelog
//
// A version is major.minor.patch. Whatever can make a client fail raises major,
// or minor while major is 0; an operation may go without that when it was
// deprecated and its x-sunset has passed.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	in := flag.String("in", "gen/openapi.json", "bundled document")
	home := flag.String("released", "openapi/released", "folder of the document that was released last")
	flag.Parse()
	if err := run(os.Stdout, flag.Arg(0), *in, *home, time.Now()); err != nil {
		fmt.Fprintln(os.Stderr, "changes:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, command, in, home string, now time.Time) error {
	current, err := os.ReadFile(in)
	if err != nil {
		return fmt.Errorf("read document: %w", err)
	}
	released, err := readReleased(home)
	if err != nil {
		return err
	}
	switch command {
	case "breaking":
		return breaking(out, released, current)
	case "changelog":
		return changelog(out, released, current)
	case "release":
		return release(out, home, released, current, now)
	default:
		return fmt.Errorf("no command %q: breaking, changelog or release", command)
	}
}
