// Command withdb runs a command with a Postgres for tests: it starts one in a
// temporary folder, names it in PARLEY_TEST_DATABASE_URL, and throws it away.
// When the variable is set already, that server is used.
//
//	go run ./tools/withdb go test ./...
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"

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
		stop, err := start()
		if err != nil {
			return err
		}
		defer stop()
	}
	// Interrupts go to the command, which shares the terminal; Postgres stops when it has ended.
	signal.Ignore(os.Interrupt)
	cmd := exec.CommandContext(context.Background(), command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

func start() (stop func(), err error) {
	folder, err := os.MkdirTemp("", "parley-test-")
	if err != nil {
		return nil, err
	}
	server, err := embedpg.Start(context.Background(), embedpg.Config{DataDir: folder, Log: slog.New(slog.DiscardHandler), Throwaway: true})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	if err := os.Setenv(serverEnv, server.DSN()); err != nil {
		return nil, err
	}
	return func() {
		_ = server.Stop()
		_ = os.RemoveAll(folder)
	}, nil
}
