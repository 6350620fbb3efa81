// Command contract tells what of the document no test has exercised: each
// operation with each status and content type that it documents, and each
// credential that it takes. It reads the logs that package testkit wrote
// (PARLEY_CONTRACT_LOG) and fails on anything missing that excused.yaml does
// not excuse with a reason, and on excuses that have become needless.
//
//	contract LOG [LOG ...]
package main

import (
	_ "embed"
	"fmt"
	"io"
	"os"

	"parley/gen"
)

//go:embed excused.yaml
var excusedYAML []byte

func main() {
	complaints, err := run(os.Stdout, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "contract:", err)
		os.Exit(1)
	}
	for _, c := range complaints {
		fmt.Fprintln(os.Stderr, c)
	}
	if len(complaints) > 0 {
		fmt.Fprintf(os.Stderr, "contract: %d complaints; a test is the answer, tools/contract/excused.yaml only where none can be\n", len(complaints))
		os.Exit(1)
	}
}

func run(out io.Writer, logs []string) ([]string, error) {
	if len(logs) == 0 {
		return nil, fmt.Errorf("usage: contract LOG [LOG ...]")
	}
	wanted, err := promises(gen.JSON)
	if err != nil {
		return nil, err
	}
	excused, err := readExcuses(excusedYAML)
	if err != nil {
		return nil, err
	}
	seen := map[promise]bool{}
	for _, path := range logs {
		if err := readFile(path, seen); err != nil {
			return nil, err
		}
	}
	if _, err := fmt.Fprintln(out, "contract:", count(wanted, seen, excused)); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return compare(wanted, seen, excused), nil
}

func readFile(path string, seen map[promise]bool) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	return readLog(f, seen)
}
