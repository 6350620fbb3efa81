package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"parley/tools/internal/tree"
)

// sections is the order of the bundle's components, the most looked-up first.
var sections = []string{
	"schemas", "parameters", "headers", "requestBodies", "responses", "links", "examples", "callbacks", "securitySchemes",
}

// component is one named component as its author wrote it.
type component struct {
	section, name, file string
	line, rank          int // rank is its place over all files
}

func (c component) String() string {
	return fmt.Sprintf("%s.%s (%s:%d)", c.section, c.name, c.file, c.line)
}

// scan finds every component that the YAML files under folder declare, in the
// order of paths and lines. It fails when a name is declared twice.
func scan(folder string) (map[string]component, error) {
	declared := map[string]component{}
	var clashes []error
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" || entry.Name() == socketsName {
			return err
		}
		found, err := componentsOf(path)
		for _, c := range found {
			if first, taken := declared[c.name]; taken {
				clashes = append(clashes, fmt.Errorf("component name %q is declared twice: %v and %v", c.name, first, c))
				continue
			}
			c.rank = len(declared)
			declared[c.name] = c
		}
		return err
	})
	return declared, errors.Join(append(clashes, err)...)
}

func componentsOf(path string) ([]component, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read component file: %w", err)
	}
	document, err := tree.Read(source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var found []component
	for section, members := range tree.Pairs(tree.Member(document, "components")) {
		for name := range tree.Pairs(members) {
			found = append(found, component{section: section.Value, name: name.Value, file: path, line: name.Line})
		}
	}
	return found, nil
}

// arrange puts the bundle's components into the order in which they were
// written. A declared component that the bundle lacks is used by nothing,
// and one that nobody declared was renamed on the way: both are errors.
func arrange(node *yaml.Node, declared map[string]component) error {
	used := map[string]bool{}
	var problems []error
	components := tree.Member(node, "components")
	for section, members := range tree.Pairs(components) {
		for name := range tree.Pairs(members) {
			used[name.Value] = true
			if c, ok := declared[name.Value]; !ok || c.section != section.Value {
				problems = append(problems, fmt.Errorf("component %s.%s is declared in no file", section.Value, name.Value))
			}
		}
		tree.SortPairs(members, func(name string) int { return declared[name].rank })
	}
	for name, c := range declared {
		if !used[name] {
			problems = append(problems, fmt.Errorf("nothing uses component %v", c))
		}
	}
	tree.SortPairs(components, func(name string) int { return slices.Index(sections, name) })
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(problems...)
}

// checkRefs fails on a reference that still leaves the document.
func checkRefs(node *yaml.Node) error {
	for key, value := range tree.Pairs(node) {
		if key.Value == "$ref" && value.Kind == yaml.ScalarNode && !strings.HasPrefix(value.Value, "#/") {
			return fmt.Errorf("reference %q was not resolved", value.Value)
		}
	}
	for _, child := range node.Content {
		if err := checkRefs(child); err != nil {
			return err
		}
	}
	return nil
}
