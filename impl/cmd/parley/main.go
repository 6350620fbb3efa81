// Command parley is the server and the tool of its operator.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"os/user"
	"strconv"
	"syscall"

	"github.com/alecthomas/kong"

	"parley/impl/app"
	"parley/impl/core/audit"
	"parley/impl/core/extract"
)

// version is set by the build.
var version = "dev"

// cli is the command line: the options of app.Config are global.
type cli struct {
	app.Config `embed:"" group:"Options"`
	JSON       bool `name:"json" help:"Print the result as JSON."`

	mistakes error // of the configuration

	Serve     serveCmd     `cmd:"" help:"Run the server."`
	Migrate   migrateCmd   `cmd:"" help:"Bring the database's schema up to date."`
	Keys      keysCmd      `cmd:"" help:"Create, list and revoke API keys."`
	Users     usersCmd     `cmd:"" help:"Invite, list and remove people."`
	Accounts  accountsCmd  `cmd:"" help:"Create, list and top up accounts."`
	Providers providersCmd `cmd:"" help:"Add and list providers of models."`
	Models    modelsCmd    `cmd:"" help:"List and price models."`
	Ledger    ledgerCmd    `cmd:"" help:"Verify the book of money."`
	Secrets   secretsCmd   `cmd:"" help:"Change the key that seals secrets."`
	Doctor    doctorCmd    `cmd:"" help:"Look at what the server needs and tell what to fix."`
	Verify    verifyCmd    `cmd:"" help:"Hold a running server against the document."`
	Backup    backupCmd    `cmd:"" help:"Copy rows and blobs, and check copies."`
	Restore   restoreCmd   `cmd:"" help:"Make an installation of a backup, in an empty database."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
}

func main() {
	extract.RunChild() // "parley extract": how the server starts itself to read one file
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "parley:", err)
		stop()
		os.Exit(exitCode(err))
	}
}

// exitCode is the exit status of a command that failed: 1, unless its error knows better.
func exitCode(err error) int {
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return 1
}

// operatorName is who runs the command, for the audit log.
func operatorName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "uid " + strconv.Itoa(os.Getuid())
}

func run(ctx context.Context, args []string) error {
	var c cli
	parser, err := kong.New(&c, kong.Name("parley"),
		kong.Description("A self-hosted server for AI conversations. Every option is also an environment variable."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.UsageOnError())
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return err
	}
	if c.mistakes = c.Check(); c.mistakes != nil && parsed.Command() != "doctor" {
		return c.mistakes
	}
	ctx = audit.WithActor(ctx, audit.Actor{Kind: "command", ID: operatorName()})
	parsed.BindTo(ctx, (*context.Context)(nil))
	return parsed.Run(&c)
}
