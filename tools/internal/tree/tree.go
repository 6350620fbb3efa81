// Package tree reads and changes documents as YAML nodes, which keep the order
// of members; every map of Go would lose it.
package tree

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Read returns the content of a YAML or JSON document.
func Read(source []byte) (*yaml.Node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(source, &document); err != nil {
		return nil, fmt.Errorf("read yaml: %w", err)
	}
	if len(document.Content) == 0 {
		return &yaml.Node{Kind: yaml.MappingNode}, nil
	}
	return document.Content[0], nil
}

// Find follows the names from node to a member of a member; nil when there is
// none.
func Find(node *yaml.Node, names ...string) *yaml.Node {
	for _, name := range names {
		node = Member(node, name)
	}
	return node
}

// Text returns the scalar at the end of the names, "" when there is none.
func Text(node *yaml.Node, names ...string) string {
	if found := Find(node, names...); found != nil && found.Kind == yaml.ScalarNode {
		return found.Value
	}
	return ""
}

// Set gives the mapping a member, or changes the one it has.
func Set(node *yaml.Node, name string, value *yaml.Node) {
	for i := 0; i < len(node.Content); i += 2 {
		if node.Content[i].Value == name {
			node.Content[i+1] = value
			return
		}
	}
	node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}, value)
}

// Delete removes the members whose name drop accepts.
func Delete(node *yaml.Node, drop func(name string) bool) {
	var kept []*yaml.Node
	for key, value := range Pairs(node) {
		if !drop(key.Value) {
			kept = append(kept, key, value)
		}
	}
	if node != nil {
		node.Content = kept
	}
}

// Pairs yields the members of a mapping in order; nothing for other nodes.
func Pairs(node *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(*yaml.Node, *yaml.Node) bool) {
		if node == nil || node.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i < len(node.Content); i += 2 {
			if !yield(node.Content[i], node.Content[i+1]) {
				return
			}
		}
	}
}

// Member returns the value of a mapping's member, nil when there is none.
func Member(node *yaml.Node, name string) *yaml.Node {
	for key, value := range Pairs(node) {
		if key.Value == name {
			return value
		}
	}
	return nil
}

// SortPairs orders a mapping's members by rank, stably.
func SortPairs(node *yaml.Node, rank func(name string) int) {
	type pair struct{ key, value *yaml.Node }
	var all []pair
	for key, value := range Pairs(node) {
		all = append(all, pair{key, value})
	}
	slices.SortStableFunc(all, func(a, b pair) int { return cmp.Compare(rank(a.key.Value), rank(b.key.Value)) })
	for i, p := range all {
		node.Content[2*i], node.Content[2*i+1] = p.key, p.value
	}
}

// JSON returns the node as indented JSON that ends with a newline, members in
// their order. It fails on aliases.
func JSON(node *yaml.Node) ([]byte, error) {
	compact, err := appendJSON(nil, node)
	if err != nil {
		return nil, err
	}
	return indent(compact), nil
}

// appendJSON appends the node as JSON, members in their order. Scalars keep
// the type that YAML gives them, except that a date stays the string it is in
// OpenAPI.
func appendJSON(out []byte, node *yaml.Node) ([]byte, error) {
	switch node.Kind {
	case yaml.MappingNode:
		return appendObject(out, node)
	case yaml.SequenceNode:
		return appendArray(out, node)
	case yaml.ScalarNode:
		return appendScalar(out, node)
	default:
		return nil, fmt.Errorf("line %d: aliases are not allowed", node.Line)
	}
}

func appendObject(out []byte, node *yaml.Node) ([]byte, error) {
	out = append(out, '{')
	first := true
	for key, value := range Pairs(node) {
		if !first {
			out = append(out, ',')
		}
		first = false
		var err error
		if out, err = appendValue(out, key.Value); err != nil {
			return nil, err
		}
		if out, err = appendJSON(append(out, ':'), value); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

func appendArray(out []byte, node *yaml.Node) ([]byte, error) {
	out = append(out, '[')
	for i, item := range node.Content {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = appendJSON(out, item); err != nil {
			return nil, err
		}
	}
	return append(out, ']'), nil
}

func appendScalar(out []byte, node *yaml.Node) ([]byte, error) {
	if tag := node.ShortTag(); tag == "!!str" || tag == "!!timestamp" {
		return appendValue(out, node.Value)
	}
	var value any
	if err := node.Decode(&value); err != nil {
		return nil, fmt.Errorf("line %d: %w", node.Line, err)
	}
	return appendValue(out, value)
}

func appendValue(out []byte, value any) ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // "<address>; rel=…" stays readable
	if err := enc.Encode(value); err != nil {
		return nil, fmt.Errorf("encode %v: %w", value, err)
	}
	return append(out, bytes.TrimRight(text.Bytes(), "\n")...), nil
}

func indent(compact []byte) []byte {
	var out bytes.Buffer
	_ = json.Indent(&out, compact, "", "  ") // the input was encoded above
	out.WriteByte('\n')
	return out.Bytes()
}
