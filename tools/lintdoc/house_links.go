package main

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"parley/tools/internal/tree"
)

var pathParameter = regexp.MustCompile(`\{\w+\}`)

// creating begins the names of operations that leave something behind that other operations take by its id.
var creating = []string{"create", "import", "replicate", "upload", "invite", "copy"}

// linksOf holds lists and creations to leading on to the uses of what they return, and links to leading somewhere.
func (h *house) linksOf(pointer, method string, operation *yaml.Node) {
	id := tree.Text(operation, "operationId")
	for status, response := range tree.Pairs(tree.Member(operation, "responses")) {
		at := pointer + "/responses/" + status.Value
		resolved, _ := h.resolve(response, at)
		links := tree.Member(resolved, "links")
		for name, link := range tree.Pairs(links) {
			h.counts["links"]++
			h.link(at+"/links/"+escape(name.Value), link)
		}
		if !strings.HasPrefix(status.Value, "2") {
			continue
		}
		lists := method == "get" && strings.HasPrefix(id, "list")
		creates := method != "get" && slices.ContainsFunc(creating, func(verb string) bool { return strings.HasPrefix(id, verb) })
		if links == nil && (lists || creates || status.Value == "201") {
			h.complain("links", at, "%s returns something and leads to no use of it", id)
		}
	}
}

// link judges one link and notes what it leads to.
func (h *house) link(pointer string, link *yaml.Node) {
	link, pointer = h.resolve(link, pointer)
	target := tree.Text(link, "operationId")
	h.targets[target] = true
	if tree.Text(link, "description") == "" {
		h.complain("link-description", pointer, "the link to %s has no description", target)
	}
	operation, path := h.operationNamed(target)
	if operation == nil {
		h.complain("link-target", pointer, "there is no operation %q", target)
		return
	}
	taken := h.parameterNames(path, operation)
	for name := range tree.Pairs(tree.Member(link, "parameters")) {
		_, bare, _ := strings.Cut(name.Value, ".") // path.id tells the parameter of that place
		if !slices.Contains(taken, name.Value) && !slices.Contains(taken, bare) {
			h.complain("link-target", pointer, "%s takes no parameter %q", target, name.Value)
		}
	}
}

// untargeted complains of operations on something that no link names.
func (h *house) untargeted() {
	for path, item := range tree.Pairs(tree.Member(h.document, "paths")) {
		for method, operation := range tree.Pairs(item) {
			if method.Value == "parameters" || method.Value == "servers" || !pathParameter.MatchString(path.Value) {
				continue
			}
			if id := tree.Text(operation, "operationId"); !h.targets[id] {
				h.complain("link-missing", "#/paths/"+escape(path.Value)+"/"+method.Value, "no link leads to %s", id)
			}
		}
	}
}

func (h *house) operationNamed(id string) (operation, item *yaml.Node) {
	for _, item := range tree.Pairs(tree.Member(h.document, "paths")) {
		for _, operation := range tree.Pairs(item) {
			if operation.Kind == yaml.MappingNode && tree.Text(operation, "operationId") == id {
				return operation, item
			}
		}
	}
	return nil, nil
}

func (h *house) parameterNames(carriers ...*yaml.Node) []string {
	var names []string
	for _, carrier := range carriers {
		parameters := tree.Member(carrier, "parameters")
		if parameters == nil {
			continue
		}
		for _, parameter := range parameters.Content {
			resolved, _ := h.resolve(parameter, "")
			names = append(names, tree.Text(resolved, "name"))
		}
	}
	return names
}
