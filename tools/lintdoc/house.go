package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"parley/tools/internal/tree"
)

// Words that a description needs before it can say what an operation does and what it refuses.
const (
	operationWords = 14
	responseWords  = 3
)

// house judges a document by what README and clients rely on and no linter of others knows.
type house struct {
	document *yaml.Node
	found    []finding
	targets  map[string]bool // operations that some link leads to
	counts   map[string]int
}

// lintHouse runs the rules of this project, whose names begin with "house-".
func lintHouse(_ context.Context, in, _ string) ([]finding, error) {
	h, err := inspect(in)
	if err != nil {
		return nil, err
	}
	return h.found, nil
}

func inspect(in string) (*house, error) {
	source, err := os.ReadFile(in)
	if err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	document, err := tree.Read(source)
	if err != nil {
		return nil, err
	}
	h := &house{document: document, targets: map[string]bool{}, counts: map[string]int{}}
	h.tags()
	for path, item := range tree.Pairs(tree.Member(document, "paths")) {
		h.path("#/paths/"+escape(path.Value), item)
	}
	h.components()
	h.untargeted()
	return h, nil
}

func (h *house) complain(rule, pointer, format string, arguments ...any) {
	h.found = append(h.found, finding{Rule: "house-" + rule, Pointer: pointer, Message: fmt.Sprintf(format, arguments...)})
}

// resolve follows references; it returns the pointer of what it arrived at.
func (h *house) resolve(node *yaml.Node, pointer string) (*yaml.Node, string) {
	for {
		ref := tree.Text(node, "$ref")
		if ref == "" {
			return node, pointer
		}
		node, pointer = tree.Find(h.document, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...), ref
	}
}

func (h *house) tags() {
	tags := tree.Member(h.document, "tags")
	if tags == nil {
		return
	}
	for i, tag := range tags.Content {
		h.counts["tags"]++
		if !strings.HasPrefix(tree.Text(tag, "externalDocs", "url"), "/docs/guides/") {
			h.complain("tag-guide", "#/tags/"+strconv.Itoa(i), "externalDocs of %s lead to no guide", tree.Text(tag, "name"))
		}
	}
}

func (h *house) path(pointer string, item *yaml.Node) {
	for method, operation := range tree.Pairs(item) {
		switch method.Value {
		case "servers":
		case "parameters":
			h.parameters(pointer+"/parameters", operation)
		default:
			h.operation(pointer+"/"+method.Value, method.Value, operation)
		}
	}
}

func (h *house) operation(pointer, method string, operation *yaml.Node) {
	h.counts["operations"]++
	id := tree.Text(operation, "operationId")
	if summary := tree.Text(operation, "summary"); summary == "" || strings.HasSuffix(summary, ".") || summary == id {
		h.complain("summary", pointer, "the summary of %s is no title", id)
	}
	text := tree.Text(operation, "description")
	if !sentence(text, operationWords) {
		h.complain("description", pointer, "the description of %s is not a full sentence of %d words: %s", id, operationWords, strings.TrimSpace(text))
	}
	h.parameters(pointer+"/parameters", tree.Member(operation, "parameters"))
	h.content(pointer+"/requestBody", tree.Member(operation, "requestBody"))
	for status, response := range tree.Pairs(tree.Member(operation, "responses")) {
		h.response(pointer+"/responses/"+status.Value, response)
	}
	h.handshake(pointer, operation)
	h.deprecation(pointer, operation)
	h.linksOf(pointer, method, operation)
}

// sentence tells whether a text has so many words and ends as a sentence does.
func sentence(text string, words int) bool {
	text = strings.TrimSpace(text)
	return len(strings.Fields(text)) >= words && strings.ContainsAny(text[len(text)-1:], ".!?`|)")
}

// handshake holds WebSockets, which a client of HTTP cannot use, to saying so.
func (h *house) handshake(pointer string, operation *yaml.Node) {
	opens := tree.Find(operation, "responses", "101") != nil
	if opens != (tree.Text(operation, "x-websocket") == "true") {
		h.complain("websocket", pointer, "x-websocket and an answer 101 belong together")
	}
	if opens && !strings.Contains(tree.Text(operation, "description"), "/asyncapi.yaml") {
		h.complain("websocket", pointer, "the description does not name the document of the messages, /asyncapi.yaml")
	}
}

// deprecation holds operations that should not be used to saying since when, in the document and in their answers.
func (h *house) deprecation(pointer string, operation *yaml.Node) {
	if tree.Text(operation, "deprecated") != "true" {
		return
	}
	if tree.Text(operation, "x-deprecated-at") == "" {
		h.complain("deprecation", pointer, "x-deprecated-at does not tell since when")
	}
	for status, response := range tree.Pairs(tree.Member(operation, "responses")) {
		if !strings.HasPrefix(status.Value, "2") {
			continue // errors are shared by operations
		}
		resolved, _ := h.resolve(response, "")
		for extension, header := range map[string]string{"x-deprecated-at": "Deprecation", "x-sunset": "Sunset"} {
			if tree.Member(operation, extension) != nil && tree.Find(resolved, "headers", header) == nil {
				h.complain("deprecation", pointer+"/responses/"+status.Value, "the header %s is not described", header)
			}
		}
	}
}

func (h *house) parameters(pointer string, parameters *yaml.Node) {
	if parameters == nil {
		return
	}
	for i, parameter := range parameters.Content {
		h.counts["parameters"]++
		if tree.Text(parameter, "$ref") == "" { // others are judged where they stand
			h.parameter(pointer+"/"+strconv.Itoa(i), parameter)
		}
	}
}

// parameter judges a parameter or a header.
func (h *house) parameter(pointer string, parameter *yaml.Node) {
	if !sentence(tree.Text(parameter, "description"), 3) {
		h.complain("parameter-description", pointer, "%q does not describe the parameter", tree.Text(parameter, "description"))
	}
	schema := tree.Member(parameter, "schema")
	h.schema(pointer+"/schema", schema)
	resolved, _ := h.resolve(schema, "")
	if tree.Member(parameter, "example") == nil && tree.Member(parameter, "examples") == nil && tree.Member(resolved, "example") == nil {
		h.complain("parameter-example", pointer, "the parameter has no example")
	}
}

// response judges a response where it stands, not where it is referred to.
func (h *house) response(pointer string, response *yaml.Node) {
	h.counts["responses"]++
	if tree.Text(response, "$ref") != "" {
		return
	}
	if !sentence(tree.Text(response, "description"), 2) {
		h.complain("response-description", pointer, "%q does not describe the response", tree.Text(response, "description"))
	}
	for name, header := range tree.Pairs(tree.Member(response, "headers")) {
		if tree.Text(header, "$ref") == "" {
			h.parameter(pointer+"/headers/"+escape(name.Value), header)
		}
	}
	h.content(pointer, response)
}

// content judges what a request or response carries.
func (h *house) content(pointer string, carrier *yaml.Node) {
	for media, body := range tree.Pairs(tree.Member(carrier, "content")) {
		at := pointer + "/content/" + escape(media.Value)
		h.counts["bodies"]++
		schema := tree.Member(body, "schema")
		h.schema(at+"/schema", schema)
		resolved, _ := h.resolve(schema, at)
		if tree.Member(body, "example") == nil && tree.Member(body, "examples") == nil && tree.Text(resolved, "format") != "binary" {
			h.complain("body-example", at, "the body has no example")
		}
	}
}

func (h *house) components() {
	components := tree.Member(h.document, "components")
	for name, parameter := range tree.Pairs(tree.Member(components, "parameters")) {
		h.parameter("#/components/parameters/"+name.Value, parameter)
	}
	for name, header := range tree.Pairs(tree.Member(components, "headers")) {
		h.parameter("#/components/headers/"+name.Value, header)
	}
	for name, body := range tree.Pairs(tree.Member(components, "requestBodies")) {
		h.content("#/components/requestBodies/"+name.Value, body)
	}
	for name, response := range tree.Pairs(tree.Member(components, "responses")) {
		h.response("#/components/responses/"+name.Value, response)
	}
	for name, schema := range tree.Pairs(tree.Member(components, "schemas")) {
		h.counts["schemas"]++
		h.named("#/components/schemas/"+name.Value, schema)
	}
}

// report counts what was judged.
func (h *house) report() string {
	var parts []string
	for name, count := range h.counts {
		parts = append(parts, fmt.Sprintf("%d %s", count, name))
	}
	slices.SortFunc(parts, func(a, b string) int { return strings.Compare(after(a), after(b)) })
	return strings.Join(parts, ", ")
}

func after(part string) string {
	_, name, _ := strings.Cut(part, " ")
	return name
}
