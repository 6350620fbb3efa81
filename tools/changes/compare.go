package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oasdiff/oasdiff/checker"
	"github.com/oasdiff/oasdiff/diff"
	"github.com/oasdiff/oasdiff/load"
)

// sunsetDays is how long a deprecated operation works at least.
const sunsetDays = 180

// change is something that differs, as oasdiff words it.
type change struct {
	level checker.Level // of ERR a client can fail, of WARN one that is careless, of INFO none
	where string        // method and path; "" for the whole document
	what  string
}

func (c change) String() string { return strings.TrimSpace(c.where + ": " + c.what) }

// comparison is what changed between two documents.
type comparison struct {
	from, to string // versions
	changes  []change
}

func compare(released, current []byte) (comparison, error) {
	old, err := loadSpec("released", released)
	if err != nil {
		return comparison{}, err
	}
	now, err := loadSpec("current", current)
	if err != nil {
		return comparison{}, err
	}
	report, sources, err := diff.GetWithOperationsSourcesMap(diff.NewConfig(), old, now)
	if err != nil {
		return comparison{}, fmt.Errorf("compare documents: %w", err)
	}
	config := checker.NewConfig(checker.GetAllChecks(), checker.WithDeprecation(sunsetDays, sunsetDays))
	words := checker.NewDefaultLocalizer()
	result := comparison{from: old.Version, to: now.Version}
	for _, c := range checker.CheckBackwardCompatibilityUntilLevel(config, report, sources, checker.INFO) {
		if strings.HasPrefix(c.GetId(), "api-version-") || strings.HasPrefix(c.GetId(), "api-major-version-") {
			continue // raises judges versions, and knows what 0 means
		}
		where := strings.TrimSpace(c.GetOperation() + " " + c.GetPath())
		result.changes = append(result.changes, change{level: c.GetLevel(), where: where, what: c.GetUncolorizedText(words)})
	}
	slices.SortStableFunc(result.changes, func(a, b change) int { return strings.Compare(a.String(), b.String()) })
	return result, nil
}

func loadSpec(name string, raw []byte) (*load.SpecInfo, error) {
	spec, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		return nil, fmt.Errorf("load %s document: %w", name, err)
	}
	return &load.SpecInfo{Url: name, Spec: spec, Version: spec.Info.Version}, nil
}

// of returns the changes of a level.
func (c comparison) of(level checker.Level) []change {
	return slices.DeleteFunc(slices.Clone(c.changes), func(x change) bool { return x.level != level })
}

// breaking fails when a client of the released document can fail and the version does not say so.
func breaking(out io.Writer, released, current []byte) error {
	if released == nil {
		_, err := fmt.Fprintln(out, "nothing was released yet, so nothing can break")
		return err
	}
	c, err := compare(released, current)
	if err != nil {
		return err
	}
	breaks := c.of(checker.ERR)
	if _, err := fmt.Fprintf(out, "since %s: %d changes, %d of them worth a warning, %d breaking\n", c.from, len(c.changes), len(c.of(checker.WARN)), len(breaks)); err != nil {
		return err
	}
	if len(breaks) == 0 {
		return nil
	}
	announced, err := announces(c.from, c.to)
	if err != nil || announced {
		return err
	}
	for _, b := range breaks {
		if _, err := fmt.Fprintln(out, b); err != nil {
			return err
		}
	}
	return errors.New("clients of " + c.from + " can fail: take the change back, deprecate first, or raise info.version (the middle number while the first is 0)")
}
