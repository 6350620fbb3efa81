package main

import (
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"parley/tools/internal/tree"
)

// sized are formats whose values are as long as the format says; the size of a file is its operation's x-max-upload-bytes.
var sized = []string{"date", "date-time", "uuid", "binary"}

// named judges a component schema: the only place where an object may be described.
func (h *house) named(pointer string, schema *yaml.Node) {
	if !sentence(tree.Text(schema, "description"), 2) {
		h.complain("schema-description", pointer, "%q does not describe the schema", tree.Text(schema, "description"))
	}
	h.bounds(pointer, schema)
	h.inside(pointer, schema)
}

// schema judges a schema that stands in something else.
func (h *house) schema(pointer string, schema *yaml.Node) {
	if schema == nil || tree.Text(schema, "$ref") != "" {
		return
	}
	if tree.Member(schema, "properties") != nil || tree.Member(schema, "oneOf") != nil || tree.Member(schema, "anyOf") != nil {
		h.complain("named-schema", pointer, "the schema has no name of its own")
	}
	h.bounds(pointer, schema)
	h.inside(pointer, schema)
}

// inside judges properties, items and parts.
func (h *house) inside(pointer string, schema *yaml.Node) {
	for name, property := range tree.Pairs(tree.Member(schema, "properties")) {
		h.property(pointer+"/properties/"+escape(name.Value), property)
	}
	if items := tree.Member(schema, "items"); items != nil {
		h.schema(pointer+"/items", items)
	}
	if rest := tree.Member(schema, "additionalProperties"); rest != nil && rest.Kind == yaml.MappingNode {
		h.schema(pointer+"/additionalProperties", rest)
	}
	for _, union := range []string{"oneOf", "anyOf"} {
		if branches := tree.Member(schema, union); branches != nil {
			for i, branch := range branches.Content {
				h.schema(pointer+"/"+union+"/"+strconv.Itoa(i), branch)
			}
		}
	}
	if parts := tree.Member(schema, "allOf"); parts != nil {
		for i, part := range parts.Content {
			at := pointer + "/allOf/" + strconv.Itoa(i)
			h.bounds(at, part)
			h.inside(at, part)
		}
	}
}

func (h *house) property(pointer string, property *yaml.Node) {
	h.counts["properties"]++
	resolved, _ := h.resolve(property, pointer)
	if !sentence(tree.Text(resolved, "description"), 2) {
		h.complain("property-description", pointer, "%q does not describe the property", tree.Text(resolved, "description"))
	}
	if scalar(resolved) && tree.Member(resolved, "example") == nil {
		h.complain("property-example", pointer, "the property has no example")
	}
	h.schema(pointer, property)
}

// scalar tells whether an example can show a value: of the bytes of a file none can.
func scalar(schema *yaml.Node) bool {
	kind := tree.Text(schema, "type")
	return tree.Text(schema, "format") != "binary" && slices.Contains([]string{"string", "integer", "number", "boolean"}, kind)
}

// bounds wants every value to have a size that a client can allot.
func (h *house) bounds(pointer string, schema *yaml.Node) {
	has := func(names ...string) bool {
		for _, name := range names {
			if tree.Member(schema, name) == nil {
				return false
			}
		}
		return true
	}
	bounded := true
	switch tree.Text(schema, "type") {
	case "string":
		bounded = has("maxLength") || has("enum") || slices.Contains(sized, tree.Text(schema, "format"))
	case "integer", "number":
		bounded = has("minimum", "maximum") || has("enum")
	case "array":
		bounded = has("maxItems", "items")
	case "object":
		free := tree.Member(schema, "additionalProperties")
		bounded = has("properties") || has("maxProperties") || has("allOf") || free != nil && free.Value == "false"
	case "":
		bounded = has("$ref") || has("oneOf") || has("anyOf") || has("allOf")
	}
	if !bounded {
		h.complain("bounds", pointer, "nothing bounds the value")
	}
}
