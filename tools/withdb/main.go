// Command withdb runs a command with a Postgres for tests: it starts one in a
// temporary folder, names it in PARLEY_TEST_DATABASE_URL, and throws it away. When
// the command fails, it tells what troubles Postgres had.
// When the variable is set already, that server is used.
//
//	go run ./tools/withdb go test ./...
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"

	"parley/impl/embedpg"
)

const serverEnv = "PARLEY_TEST_DATABASE_URL"

func main() {
	err := run(os.Args[1:])
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "withdb:", err)
		os.Exit(1)
	}
}

func run(command []string) (err error) {
	if len(command) == 0 {
		return errors.New("usage: withdb COMMAND [ARGUMENT ...]")
	}
	if os.Getenv(serverEnv) == "" {
		stop, folder, startErr := start()
		if startErr != nil {
			return startErr
		}
		defer stop()
		defer func() {
			if err != nil {
				tellTroubles(os.Stderr, filepath.Join(folder, "postgres.log"))
			}
		}()
	}
	// Interrupts go to the command, which shares the terminal; Postgres stops when it has ended.
	signal.Ignore(os.Interrupt)
	cmd := exec.CommandContext(context.Background(), command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// troublesTold bounds what tellTroubles tells.
const troublesTold = 20

// trouble is what Postgres logs when it cannot serve: a process that it cannot make or that died, no room for a
// connection. That a test ends connections, or leaves them, is none.
var trouble, usual = regexp.MustCompile(`FATAL|PANIC|could not|terminated by|exited with`), regexp.MustCompile(`administrator command|data (to|from) client`)

// tellTroubles writes the last troubles of Postgres, whose log is thrown away with it: they may be why the command failed.
func tellTroubles(w io.Writer, log string) {
	raw, err := os.ReadFile(log)
	if err != nil {
		return // there was none
	}
	var told []string
	for line := range strings.Lines(string(raw)) {
		if trouble.MatchString(line) && !usual.MatchString(line) {
			told = append(told, line)
		}
	}
	for _, line := range told[max(0, len(told)-troublesTold):] {
		_, _ = fmt.Fprint(w, "postgres: ", line)
	}
}

func start() (stop func(), folder string, err error) {
	folder, err = os.MkdirTemp("", "parley-test-")
	if err != nil {
		return nil, "", err
	}
	server, err := embedpg.Start(context.Background(), embedpg.Config{DataDir: folder, Log: slog.New(slog.DiscardHandler), Throwaway: true})
	if err != nil {
		return nil, "", errors.Join(err, os.RemoveAll(folder))
	}
	if err := os.Setenv(serverEnv, server.DSN()); err != nil {
		return nil, "", err
	}
	return func() {
		_ = server.Stop()
		_ = os.RemoveAll(folder)
	}, folder, nil
}
