package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"parley/tools/internal/tree"
)

// composer joins the files of a split document: what a reference finds among
// the components of a file becomes a component of the root, whatever else it
// finds (a path item) takes the reference's place.
type composer struct {
	files      map[string]*yaml.Node // by path, as read
	components *yaml.Node            // the root's
}

// compose joins the split document whose root file is root.
func compose(root string) (*yaml.Node, error) {
	c := &composer{files: map[string]*yaml.Node{}}
	document, err := c.read(root)
	if err != nil {
		return nil, err
	}
	if c.components = tree.Member(document, "components"); c.components == nil {
		c.components = &yaml.Node{Kind: yaml.MappingNode}
		tree.Set(document, "components", c.components)
	}
	return document, c.resolve(document, root, nil)
}

func (c *composer) read(path string) (*yaml.Node, error) {
	if node, done := c.files[path]; done {
		return node, nil
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	node, err := tree.Read(source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	withoutComments(node)
	c.files[path] = node
	return node, nil
}

// withoutComments leaves the notes to authors behind.
func withoutComments(node *yaml.Node) {
	node.HeadComment, node.LineComment, node.FootComment = "", "", ""
	for _, child := range node.Content {
		withoutComments(child)
	}
}

// resolve follows every reference below node, which stands in file. What is
// put in place of references on the way here (inside) must not come back.
func (c *composer) resolve(node *yaml.Node, file string, inside []target) error {
	reference := tree.Member(node, "$ref")
	if reference == nil || reference.Kind != yaml.ScalarNode {
		for key, value := range tree.Pairs(node) {
			if key.Value == "mapping" && tree.Member(node, "propertyName") != nil {
				if err := c.resolveMapping(value, file); err != nil {
					return err
				}
			}
		}
		for _, child := range node.Content {
			if err := c.resolve(child, file, inside); err != nil {
				return err
			}
		}
		return nil
	}
	to, err := c.find(reference, file)
	switch {
	case err != nil:
		return err
	case to.component():
		return c.lift(reference, to)
	case slices.ContainsFunc(inside, to.same):
		return fmt.Errorf("%s:%d: reference %q contains itself", file, reference.Line, reference.Value)
	}
	*node = *clone(to.node) // it may stand in several places
	return c.resolve(node, to.file, append(inside, to))
}

// resolveMapping follows what a discriminator names schemas by, which is references without their keyword.
func (c *composer) resolveMapping(mapping *yaml.Node, file string) error {
	for _, reference := range tree.Pairs(mapping) {
		to, err := c.find(reference, file)
		if err != nil {
			return err
		}
		if err := c.lift(reference, to); err != nil {
			return err
		}
	}
	return nil
}

// target is what a reference finds.
type target struct {
	file  string
	names []string // the way from the file's root
	node  *yaml.Node
}

func (t target) same(other target) bool { return t.node == other.node }

func (t target) component() bool { return len(t.names) == 3 && t.names[0] == "components" }

func (c *composer) find(reference *yaml.Node, file string) (target, error) {
	path, pointer, _ := strings.Cut(reference.Value, "#/")
	to := target{file: file}
	if path != "" {
		to.file = filepath.Join(filepath.Dir(file), path)
	}
	source, err := c.read(to.file)
	if err != nil {
		return to, fmt.Errorf("%s:%d: %w", file, reference.Line, err)
	}
	for name := range strings.SplitSeq(pointer, "/") {
		to.names = append(to.names, strings.NewReplacer("~1", "/", "~0", "~").Replace(name))
	}
	if to.node = tree.Find(source, to.names...); to.node == nil {
		return to, fmt.Errorf("%s:%d: reference %q finds nothing", file, reference.Line, reference.Value)
	}
	return to, nil
}

// lift makes what a reference finds a component of the root, unless it is one already, and points the reference there.
func (c *composer) lift(reference *yaml.Node, to target) error {
	reference.Value = "#/" + strings.Join(to.names, "/")
	section := tree.Member(c.components, to.names[1])
	if section == nil {
		section = &yaml.Node{Kind: yaml.MappingNode}
		tree.Set(c.components, to.names[1], section)
	}
	if tree.Member(section, to.names[2]) != nil {
		return nil // names are unique over all files
	}
	tree.Set(section, to.names[2], to.node)
	return c.resolve(to.node, to.file, nil)
}

func clone(node *yaml.Node) *yaml.Node {
	made := *node
	made.Content = nil
	for _, child := range node.Content {
		made.Content = append(made.Content, clone(child))
	}
	return &made
}
