package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"strings"

	"parley/impl/app"
)

type serveCmd struct{}

// Run serves until a signal ends ctx.
func (serveCmd) Run(ctx context.Context, c *cli) (err error) {
	// Before the database: a port that is taken should cost nothing.
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }() // Serve closes it first, unless the start fails
	watched, err := c.metricsListener(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = watched.Close() }() // nobody is left to be told
	log := c.logger()
	database, err := app.OpenDatabase(ctx, c.Config, log)
	if err != nil {
		return err
	}
	c.Config.Version = version
	a, err := app.New(ctx, c.Config, database, log)
	if err != nil {
		return errors.Join(err, database.Close())
	}
	defer func() { err = errors.Join(err, a.Close(context.WithoutCancel(ctx))) }()
	debug.FreeOSMemory() // reading the document left several times what is kept of it
	unmapProgram()
	greet(c, l.Addr(), a.FirstKey, a.SetUp)
	go a.ServeMetrics(watched)
	return a.Serve(ctx, l)
}

// metricsListener is where metrics are told; one that is closed when nobody wants them.
func (c *cli) metricsListener(ctx context.Context) (net.Listener, error) {
	if c.MetricsListen != "" {
		return (&net.ListenConfig{}).Listen(ctx, "tcp", c.MetricsListen)
	}
	return closedListener{}, nil
}

// closedListener admits nobody.
type closedListener struct{}

func (closedListener) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (closedListener) Close() error              { return nil }
func (closedListener) Addr() net.Addr            { return &net.TCPAddr{} }

// greet tells where the server is, on the first start the first key, and until
// somebody is there how to become the first person.
func greet(c *cli, addr net.Addr, firstKey, setUp string) {
	url := c.PublicURL
	if url == "" {
		scheme := "http"
		if c.TLS() {
			scheme = "https"
		}
		url = scheme + "://" + addr.String()
	}
	url = strings.TrimSuffix(url, "/")
	fmt.Fprintf(os.Stdout, "Parley serves on %s\n", url)
	if setUp != "" {
		fmt.Fprintf(os.Stdout, "\nSet up the console (the link works once):\n\n  %s/console/set-up?token=%s\n\n", url, setUp)
	} else {
		fmt.Fprintf(os.Stdout, "Console: %s/console\n", url)
	}
	if firstKey == "" {
		fmt.Fprintln(os.Stdout, "Another key: parley keys create --name NAME")
		return
	}
	fmt.Fprintf(os.Stdout, `
Your first secret key, shown only now:

  %s

Try it:

  curl -s %s/api/v1/chat -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' -d '{"message": "Hello! What are you?"}'

`, firstKey, url, firstKey)
}
