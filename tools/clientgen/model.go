package main

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"parley/tools/internal/tree"
)

// model is what the templates show.
type model struct {
	Surfaces []surface
}

type surface struct {
	Name   string // tag and package
	Field  string // member of the facade
	Unions []union
}

// union is the schema of a stream's events. Without branches it is open: the
// events have whatever names and data, and LastData, if not empty, ends the stream.
type union struct {
	GoName, Description string
	LastData            string
	Branches            []branch
}

// Open tells whether the client knows nothing of the events.
func (u union) Open() bool { return len(u.Branches) == 0 }

// Names lists the union's event names for a comment.
func (u union) Names() string {
	var names []string
	for _, b := range u.Branches {
		names = append(names, strconv.Quote(b.Event))
	}
	return strings.Join(names, ", ")
}

// branch is one kind of event.
type branch struct {
	Event, Field, Data, Description string
	Last                            bool
}

// reader turns a document into a model.
type reader struct {
	document *yaml.Node
	out      string // folder with the packages of oapi-codegen
}

func read(document *yaml.Node, out string) (model, error) {
	r := reader{document: document, out: out}
	var m model
	for _, tag := range tree.Member(document, "tags").Content {
		s, err := r.surface(tree.Text(tag, "name"))
		if err != nil {
			return model{}, fmt.Errorf("surface %s: %w", tree.Text(tag, "name"), err)
		}
		m.Surfaces = append(m.Surfaces, s)
	}
	return m, nil
}

func (r reader) surface(name string) (surface, error) {
	s := surface{Name: name, Field: strings.ToUpper(name[:1]) + name[1:]}
	code, err := parse(filepath.Join(r.out, name, "client.gen.go"))
	if err != nil {
		return surface{}, err
	}
	for _, item := range tree.Pairs(tree.Member(r.document, "paths")) {
		for _, operation := range tree.Pairs(item) {
			if ref := eventsOf(operation); ref != "" && tagged(operation, name) {
				if err := r.add(&s, code, path.Base(ref)); err != nil {
					return surface{}, fmt.Errorf("%s: %w", tree.Text(operation, "operationId"), err)
				}
			}
		}
	}
	return s, nil
}

func (r reader) add(s *surface, code source, schema string) error {
	if slices.ContainsFunc(s.Unions, func(known union) bool { return known.GoName == schema }) {
		return nil
	}
	u, err := r.union(code, schema)
	if err != nil {
		return fmt.Errorf("events %s: %w", schema, err)
	}
	s.Unions = append(s.Unions, u)
	return nil
}

func (r reader) union(code source, name string) (union, error) {
	schema := tree.Find(r.document, "components", "schemas", name)
	u := union{GoName: name, Description: oneLine(tree.Text(schema, "description")), LastData: tree.Text(schema, "x-last-data")}
	branches := tree.Member(schema, "oneOf")
	if tree.Find(schema, "properties", "data") != nil {
		return u, nil // open: one schema for events of any name, or of none
	}
	if branches == nil || tree.Text(schema, "discriminator", "propertyName") != "event" {
		return union{}, errors.New("must be a oneOf discriminated by event")
	}
	for _, ref := range branches.Content {
		b, err := r.branch(code, path.Base(tree.Text(ref, "$ref")))
		if err != nil {
			return union{}, err
		}
		u.Branches = append(u.Branches, b)
	}
	return u, nil
}

func (r reader) branch(code source, name string) (branch, error) {
	schema := tree.Find(r.document, "components", "schemas", name)
	values := tree.Find(schema, "properties", "event", "enum")
	if values == nil || len(values.Content) != 1 {
		return branch{}, fmt.Errorf("%s: member event must have one value", name)
	}
	event := values.Content[0].Value
	data, err := code.typeName(path.Base(tree.Text(schema, "properties", "data", "$ref")))
	if err != nil {
		return branch{}, fmt.Errorf("%s: member data must be a named schema: %w", name, err)
	}
	field := camel(event)
	if field == "Event" || field == "ID" || field == "Data" {
		return branch{}, fmt.Errorf("%s: event name %q collides with a member of every event", name, event)
	}
	return branch{
		Event: event, Field: field, Data: data,
		Description: oneLine(tree.Text(schema, "description")),
		Last:        tree.Text(schema, "x-last-event") == "true",
	}, nil
}

// eventsOf returns the reference of the schema of an operation's event stream,
// "" when it has none.
func eventsOf(operation *yaml.Node) string {
	for _, response := range tree.Pairs(tree.Member(operation, "responses")) {
		if ref := tree.Text(response, "content", "text/event-stream", "schema", "$ref"); ref != "" {
			return ref
		}
	}
	return ""
}

func tagged(operation *yaml.Node, name string) bool {
	tags := tree.Member(operation, "tags")
	return tags != nil && slices.ContainsFunc(tags.Content, func(tag *yaml.Node) bool { return tag.Value == name })
}

// camel makes a Go name of an event name such as "rate_limits.updated".
func camel(event string) string {
	var name strings.Builder
	for _, word := range strings.FieldsFunc(event, func(c rune) bool { return strings.ContainsRune("_.- ", c) }) {
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return name.String()
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
