package main

import (
	"path"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"parley/tools/internal/tree"
)

// values are members that hold data of the API's users, not description.
var values = []string{"example", "examples", "default", "enum", "links"}

// edgeHeaders are written by the edge or by a surface's error writer, for every
// operation alike: handlers need not, and cannot, fill them.
var edgeHeaders = []string{
	"X-Request-Id", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After", "WWW-Authenticate",
	"Idempotency-Replayed", "Deprecation", "Sunset",
}

// edgeParameters are read by the edge, for every operation alike. A caller of the
// Go client sets them by its options.
var edgeParameters = []string{"IdempotencyKeyHeader", "EndUserHeader"}

// keyed is the member that marks, for the client's template, operations that took an Idempotency-Key.
const keyed = "x-keyed"

// numberProperties writes down the place of every schema property, because the
// generator otherwise sorts the members of its structs, and so of the JSON
// that they become, by name.
func numberProperties(node *yaml.Node) {
	for key, value := range tree.Pairs(node) {
		if slices.Contains(values, key.Value) {
			continue
		}
		if key.Value == "properties" {
			number(value)
		}
		numberProperties(value)
	}
	if node.Kind == yaml.SequenceNode {
		for _, item := range node.Content {
			numberProperties(item)
		}
	}
}

func number(properties *yaml.Node) {
	place := 0
	for _, schema := range tree.Pairs(properties) {
		place++
		if schema.Kind == yaml.MappingNode {
			tree.Set(schema, "x-order", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(place)})
		}
	}
}

// withoutEdgeHeaders takes the edge's headers out of all responses.
func withoutEdgeHeaders(document *yaml.Node) {
	for _, item := range tree.Pairs(tree.Member(document, "paths")) {
		for _, operation := range tree.Pairs(item) {
			dropHeaders(tree.Member(operation, "responses"))
			dropParameters(operation)
		}
	}
	dropHeaders(tree.Find(document, "components", "responses"))
}

func dropParameters(operation *yaml.Node) {
	parameters := tree.Member(operation, "parameters")
	if parameters == nil {
		return
	}
	for _, p := range parameters.Content {
		if path.Base(tree.Text(p, "$ref")) == "IdempotencyKeyHeader" {
			tree.Set(operation, keyed, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"})
		}
	}
	parameters.Content = slices.DeleteFunc(parameters.Content, func(p *yaml.Node) bool {
		return slices.Contains(edgeParameters, path.Base(tree.Text(p, "$ref")))
	})
	if len(parameters.Content) == 0 {
		tree.Delete(operation, func(name string) bool { return name == "parameters" })
	}
}

func dropHeaders(responses *yaml.Node) {
	for _, response := range tree.Pairs(responses) {
		headers := tree.Member(response, "headers")
		tree.Delete(headers, func(name string) bool { return slices.Contains(edgeHeaders, name) })
		if headers != nil && len(headers.Content) == 0 {
			tree.Delete(response, func(name string) bool { return name == "headers" })
		}
	}
}

// webSockets names the operations that are a WebSocket's handshake, which is
// mounted by hand and has no client of one call.
func webSockets(document *yaml.Node) []string {
	var ids []string
	for _, item := range tree.Pairs(tree.Member(document, "paths")) {
		for _, operation := range tree.Pairs(item) {
			if tree.Text(operation, "x-websocket") == "true" {
				ids = append(ids, tree.Text(operation, "operationId"))
			}
		}
	}
	return ids
}

// eventSchemas names the unions of server-sent events and their branches.
func eventSchemas(document *yaml.Node) []string {
	var names []string
	schemas := tree.Find(document, "components", "schemas")
	for _, item := range tree.Pairs(tree.Member(document, "paths")) {
		for _, operation := range tree.Pairs(item) {
			for _, response := range tree.Pairs(tree.Member(operation, "responses")) {
				name := path.Base(tree.Text(response, "content", "text/event-stream", "schema", "$ref"))
				if name == "." {
					continue
				}
				names = append(names, name)
				for _, branch := range branches(tree.Member(schemas, name)) {
					names = append(names, path.Base(tree.Text(branch, "$ref")))
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func branches(union *yaml.Node) []*yaml.Node {
	if oneOf := tree.Member(union, "oneOf"); oneOf != nil {
		return oneOf.Content
	}
	return nil
}
