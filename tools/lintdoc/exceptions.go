package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// finding is what a linter says about one place of the document.
type finding struct {
	Rule    string
	Pointer string // JSON pointer, "#/…"
	Message string
}

func (f finding) String() string { return fmt.Sprintf("%s at %s: %s", f.Rule, f.Pointer, f.Message) }

// exception excuses the findings of one rule of one linter.
type exception struct {
	Tool   string   `yaml:"tool"`
	Rule   string   `yaml:"rule"`
	At     []string `yaml:"at"` // regular expressions; each must match the whole pointer of some finding
	Reason string   `yaml:"reason"`

	places []*regexp.Regexp
}

func readExceptions(path string) ([]exception, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read exceptions: %w", err)
	}
	var all []exception
	if err := yaml.Unmarshal(source, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for i := range all {
		if err := all[i].prepare(); err != nil {
			return nil, fmt.Errorf("%s: exception %d: %w", path, i+1, err)
		}
	}
	return all, nil
}

func (e *exception) prepare() error {
	if e.Tool == "" || e.Rule == "" || len(e.At) == 0 || strings.TrimSpace(e.Reason) == "" {
		return fmt.Errorf("%s needs tool, rule, at and reason", e.Rule)
	}
	for _, at := range e.At {
		place, err := regexp.Compile("^(?:" + at + ")$")
		if err != nil {
			return fmt.Errorf("%s: %w", e.Rule, err)
		}
		e.places = append(e.places, place)
	}
	return nil
}

// judge returns what is left to complain about: findings of tool that nothing
// excuses, and places of its exceptions where there is nothing to excuse.
func judge(tool string, found []finding, exceptions []exception) []string {
	exceptions = slices.DeleteFunc(slices.Clone(exceptions), func(e exception) bool { return e.Tool != tool })
	used := map[*regexp.Regexp]bool{}
	var complaints []string
	for _, f := range found {
		if !excused(f, exceptions, used) {
			complaints = append(complaints, tool+": "+f.String())
		}
	}
	for _, e := range exceptions {
		for i, place := range e.places {
			if !used[place] {
				complaints = append(complaints, fmt.Sprintf("%s: exception for %s at %s excuses nothing", tool, e.Rule, e.At[i]))
			}
		}
	}
	return complaints
}

func excused(f finding, exceptions []exception, used map[*regexp.Regexp]bool) bool {
	for _, e := range exceptions {
		for _, place := range e.places {
			if e.Rule == f.Rule && place.MatchString(f.Pointer) {
				used[place] = true
				return true
			}
		}
	}
	return false
}
