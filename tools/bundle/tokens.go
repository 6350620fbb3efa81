package main

import (
	"go.yaml.in/yaml/v3"

	"parley/tools/internal/tree"
)

// The scheme of keys, and that of access tokens, which work wherever keys do.
const (
	keyScheme   = "bearerKey"
	tokenScheme = "oauth2"
)

// offerTokens adds to every operation that takes a Bearer key the alternative
// of an access token: one for each scope that suffices. The files name the
// scopes once, in x-required-scopes, for keys and tokens alike.
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
				requirements.Content = insert(requirements.Content, at+1, alternatives(scopes))
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
		wanted := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: scope.Value}}}
		alternative := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		tree.Set(alternative, tokenScheme, wanted)
		all = append(all, alternative)
	}
	return all
}

func insert(into []*yaml.Node, at int, more []*yaml.Node) []*yaml.Node {
	return append(append(append([]*yaml.Node{}, into[:at]...), more...), into[at:]...)
}
