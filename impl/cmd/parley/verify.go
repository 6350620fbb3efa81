package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"parley/gen"
	"parley/impl/contract"
	"parley/impl/verify"
)

type verifyCmd struct {
	Target     string   `required:"" placeholder:"URL" help:"Address of the server, for example http://127.0.0.1:8080."`
	Key        string   `required:"" env:"PARLEY_KEY" help:"Key that is used; what its scopes do not admit is left out."`
	Only       []string `placeholder:"TAG|OPERATION" help:"Verify these tags and operationIds alone, and run what they need."`
	ReadOnly   bool     `help:"Only read, and ask for what is to be refused."`
	Disposable bool     `help:"The server is there for this alone: also make what cannot be deleted, and change settings."`
	Model      string   `help:"Model that answers are asked of; the cheapest one otherwise."`
	Document   bool     `help:"Hold the server against its own document instead of this program's."`
	JUnit      string   `name:"junit" placeholder:"FILE" help:"Write the report as JUnit XML, too."`
}

// notVerified is an error that says nothing about the server: the command ends with 2, not with 1.
type notVerified struct{ error }

// ExitCode is the command's exit status.
func (notVerified) ExitCode() int { return 2 }

// Run holds a running server against the document. It fails when the server breaks it.
func (v verifyCmd) Run(ctx context.Context, c *cli) error {
	target := strings.TrimSuffix(v.Target, "/")
	document, err := v.document(ctx, target)
	if err != nil {
		return notVerified{err}
	}
	seen, failed := 0, 0
	report, err := verify.Run(ctx, verify.Options{
		Target: target, Key: v.Key, Document: document, Only: v.Only, ReadOnly: v.ReadOnly, Disposable: v.Disposable, Model: v.Model,
		Say: func(text string) { fmt.Fprintln(os.Stderr, text) },
		Progress: func(r verify.Result) {
			if r.Verdict == verify.Failed {
				failed++
				fmt.Fprintf(os.Stderr, "FAILED %s: %s: %s\n", r.Operation, r.Case, firstLine(r.Reason))
			}
			if seen++; seen%100 == 0 {
				fmt.Fprintf(os.Stderr, "%d cases, %d failed\n", seen, failed)
			}
		},
	})
	if report != nil {
		if written := v.write(report, c); written != nil {
			return notVerified{errors.Join(err, written)}
		}
	}
	if err != nil {
		return notVerified{err}
	}
	if n := report.Count(verify.Failed); n > 0 {
		return fmt.Errorf("%d cases failed", n)
	}
	return nil
}

func (v verifyCmd) document(ctx context.Context, target string) (*contract.Document, error) {
	if !v.Document {
		return contract.Load(gen.JSON)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target+"/openapi.json", nil)
	if err != nil {
		return nil, fmt.Errorf("read target: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("fetch document: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end below
	const documentBytesMax = 64 << 20
	source, err := io.ReadAll(io.LimitReader(response.Body, documentBytesMax))
	if err != nil || response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch document: status %d: %w", response.StatusCode, err)
	}
	return contract.Load(source)
}

// write prints the report, and writes it as JUnit XML where that is wanted.
func (v verifyCmd) write(report *verify.Report, c *cli) error {
	if v.JUnit != "" {
		raw, err := xml.MarshalIndent(junit(report), "", "  ")
		if err == nil {
			err = os.WriteFile(v.JUnit, append([]byte(xml.Header), raw...), 0o644)
		}
		if err != nil {
			return fmt.Errorf("write JUnit report: %w", err)
		}
	}
	return c.print(report, func(w io.Writer) { printReport(w, report) })
}

func printReport(w io.Writer, report *verify.Report) {
	fmt.Fprintln(w, "SURFACE\tPASSED\tFAILED\tLEFT OUT")
	for _, s := range bySurface(report) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\n", s.name, s.count(verify.Passed), s.count(verify.Failed), s.count(verify.Skipped))
	}
	fmt.Fprintf(w, "all\t%d\t%d\t%d\n", report.Count(verify.Passed), report.Count(verify.Failed), report.Count(verify.Skipped))
	for _, cause := range report.Causes {
		fmt.Fprintf(w, "left out\t%d\t%s\n", cause.Cases, cause.Text)
	}
	for _, r := range report.Results {
		if r.Verdict != verify.Passed {
			fmt.Fprintf(w, "%s %s: %s: %s\n", r.Verdict, r.Operation, r.Case, firstLine(r.Reason))
		}
	}
	for _, path := range report.Left {
		fmt.Fprintf(w, "not deleted: %s\n", path)
	}
	fmt.Fprintf(w, "%d answers were asked for\n", report.Answers)
}

type surface struct {
	name    string
	results []verify.Result
}

func (s surface) count(verdict string) int {
	return (&verify.Report{Results: s.results}).Count(verdict)
}

// bySurface groups results, the surfaces by name.
func bySurface(report *verify.Report) []surface {
	var all []surface
	for _, r := range report.Results {
		i := slices.IndexFunc(all, func(s surface) bool { return s.name == r.Surface })
		if i < 0 {
			i, all = len(all), append(all, surface{name: r.Surface})
		}
		all[i].results = append(all[i].results, r)
	}
	slices.SortFunc(all, func(a, b surface) int { return strings.Compare(a.name, b.name) })
	return all
}

// The elements of a JUnit report.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string      `xml:"name,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Timestamp string      `xml:"timestamp,attr"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string     `xml:"classname,attr"`
		Name    string     `xml:"name,attr"`
		Seconds string     `xml:"time,attr"`
		Failure *junitText `xml:"failure,omitempty"`
		Skipped *junitText `xml:"skipped,omitempty"`
	}
	junitText struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func junit(report *verify.Report) junitSuites {
	out := junitSuites{
		Name: "parley verify " + report.Target, Tests: len(report.Results), Failures: report.Count(verify.Failed), Skipped: report.Count(verify.Skipped),
	}
	for _, s := range bySurface(report) {
		suite := junitSuite{
			Name: s.name, Tests: len(s.results), Failures: s.count(verify.Failed), Skipped: s.count(verify.Skipped),
			Timestamp: report.Started.Format(time.RFC3339),
		}
		for _, r := range s.results {
			suite.Cases = append(suite.Cases, caseOf(r))
		}
		out.Suites = append(out.Suites, suite)
	}
	return out
}

func caseOf(r verify.Result) junitCase {
	one := junitCase{Class: r.Surface + "." + r.Operation, Name: r.Case, Seconds: fmt.Sprintf("%.3f", r.Took.Seconds())}
	text := &junitText{firstLine(r.Reason), r.Reason}
	switch r.Verdict {
	case verify.Failed:
		one.Failure = text
	case verify.Skipped:
		one.Skipped = text
	}
	return one
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
