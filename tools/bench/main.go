// Command bench measures the server as it is built against the targets of the
// project and prints a table of figures, most of them ratios to a thin proxy
// that runs in the same minute, because a shared machine knows no other truth.
//
//	go run ./tools/bench [-rounds 3] [-each 2s] [-only throughput,memory] [-million] [-json FILE]
//	go run ./tools/bench peers
//
// The same program is, as processes of their own, the mock upstream, the thin
// proxy and the load driver.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := role(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func role(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "upstream":
		return serveUpstream(args[1])
	case len(args) == 3 && args[0] == "proxy":
		return serveProxy(args[1], args[2])
	case len(args) == 1 && args[0] == "load":
		return runLoad(os.Stdin, os.Stdout)
	case len(args) > 0 && args[0] == "peers":
		return run1(args[1:], comparePeers)
	}
	return run1(args, (*bench).all)
}

// bench is a run of the benchmark.
type bench struct {
	rig      *rig
	report   *report
	rounds   int
	each     time.Duration // of one load
	only     []string
	million  bool
	profile  string // folder for profiles; "" for none
	streams  int    // held open to measure their memory
	against  string // another build of the server to compare with
	settings string // of the rival's connections, such as "jit=off"
	conns    int    // of the comparison
	wire     *wire
	counted  *server // behind wire
}

func run1(args []string, measure func(*bench) error) (err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	b := &bench{}
	flags.IntVar(&b.rounds, "rounds", 3, "how often each load is run")
	flags.DurationVar(&b.each, "each", 2*time.Second, "how long a load is")
	flags.BoolVar(&b.million, "million", false, "also compare with a database of a million messages, which takes a minute to fill")
	flags.IntVar(&b.streams, "streams", 2_000, "streams to hold open, as far as descriptors allow")
	flags.StringVar(&b.against, "against", "", "another build of the server, made with -tags bench, to compare with")
	flags.StringVar(&b.settings, "settings", "", "settings of Postgres for the rival's connections, such as jit=off")
	flags.IntVar(&b.conns, "conns", connections, "connections of the comparison with a rival")
	keep := flags.Bool("keep", false, "leave the folder with logs and data")
	flags.StringVar(&b.profile, "profile", "", "folder to keep profiles of the server in")
	only := flags.String("only", "", "measures to run, by comma: "+strings.Join(names(), ","))
	file := flags.String("json", ".cache/bench.json", "file for all figures")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *only != "" {
		b.only = strings.Split(*only, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b.report = newReport(b.rounds)
	if b.rig, err = newRig(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.rig.close()) }()
	b.rig.keep = *keep
	err = measure(b)
	if saved := b.report.save(*file); saved != nil {
		err = errors.Join(err, saved)
	}
	b.report.print(os.Stdout)
	return err
}

// measures are the parts of a run in order.
var measures = []struct {
	name string
	run  func(*bench) error
}{
	{"memory", (*bench).memory}, // while the server is fresh
	{"throughput", (*bench).throughput},
	{"rival", (*bench).rival},
	{"profiles", (*bench).profiles},
	{"statements", (*bench).statements},
	{"first", (*bench).firstToken},
	{"paced", (*bench).pacedStreams},
	{"chunks", (*bench).chunks},
	{"store", (*bench).store},
	{"tokens", (*bench).durableTokens},
	{"replica", (*bench).replica},
	{"bodies", (*bench).bodies},
	{"long", (*bench).longConversations},
	{"million", (*bench).aMillion},
}

func names() []string {
	var found []string
	for _, m := range measures {
		found = append(found, m.name)
	}
	return found
}

// all runs every measure that is asked for. One that fails is a line of the table and an error at the end.
func (b *bench) all() error {
	var failures []error
	for _, m := range measures {
		if b.only != nil && !slices.Contains(b.only, m.name) {
			continue
		}
		begun := time.Now()
		fmt.Fprintln(os.Stderr, m.name)
		if err := m.run(b); err != nil {
			b.report.add(row{Measure: m.name, Missing: err.Error()})
			failures = append(failures, fmt.Errorf("%s: %w", m.name, err))
		}
		fmt.Fprintf(os.Stderr, "  %.1f s\n", time.Since(begun).Seconds())
	}
	return errors.Join(failures...)
}
