package main

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"parley/tools/internal/tree"
)

// The scheme of keys, that of access tokens, which work wherever keys do, and
// that of people's sessions, which administer.
const (
	keyScheme     = "bearerKey"
	tokenScheme   = "oauth2"
	sessionScheme = "sessionCookie"
)

// offerTokens adds to every operation that takes a Bearer key the alternative
// of an access token: one for each scope that suffices; and, where accounts are
// administered, that of a session. The files name the scopes once, in
// x-required-scopes, for keys and tokens alike.
func offerTokens(document *yaml.Node) {
	if tree.Find(document, "components", "securitySchemes", tokenScheme) == nil {
		return
	}
	for _, item := range tree.Pairs(tree.Member(document, "paths")) {
		for _, operation := range tree.Pairs(item) {
			scopes := tree.Member(operation, "x-required-scopes")
			if scopes == nil {
				continue
			}
			requirements := tree.Member(operation, "security")
			if requirements == nil {
				requirements = copyOf(tree.Member(document, "security"))
			}
			if at := position(requirements, keyScheme); at >= 0 {
				others := alternatives(scopes)
				if administers(scopes) && tree.Find(document, "components", "securitySchemes", sessionScheme) != nil {
					others = append(others, alternative(sessionScheme))
				}
				requirements.Content = insert(requirements.Content, at+1, others)
				tree.Set(operation, "security", requirements)
			}
		}
	}
}

func copyOf(requirements *yaml.Node) *yaml.Node {
	if requirements == nil {
		return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	}
	own := *requirements
	own.Content = append([]*yaml.Node{}, requirements.Content...)
	return &own
}

// position is the index of the alternative with the scheme; -1 without one.
func position(requirements *yaml.Node, scheme string) int {
	for i, alternative := range requirements.Content {
		if tree.Member(alternative, scheme) != nil {
			return i
		}
	}
	return -1
}

func alternatives(scopes *yaml.Node) []*yaml.Node {
	var all []*yaml.Node
	for _, scope := range scopes.Content {
		all = append(all, alternative(tokenScheme, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: scope.Value}))
	}
	return all
}

func alternative(scheme string, scopes ...*yaml.Node) *yaml.Node {
	node := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	tree.Set(node, scheme, &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: scopes})
	return node
}

// administers tells whether an administrator of an account may use the operation.
func administers(scopes *yaml.Node) bool {
	for _, scope := range scopes.Content {
		if area, _, _ := strings.Cut(scope.Value, ":"); area == "admin" {
			return true
		}
	}
	return false
}

func insert(into []*yaml.Node, at int, more []*yaml.Node) []*yaml.Node {
	return append(append(append([]*yaml.Node{}, into[:at]...), more...), into[at:]...)
}
