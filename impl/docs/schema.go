package docs

import (
	"fmt"
	"slices"
	"strings"
)

// node is a schema as a page shows it: a line, and its members below.
type node struct {
	Name, Type, About string
	Rules             []string // bounds, in words
	Enum              []string
	Example           string
	Required          bool
	Members           []*node
	Variants          []*node // one of these
	Items             *node   // of an array, when there is more to say than its type
	Again             bool    // shown further up already
}

// depthMax bounds how deep a page shows what is inside of what.
const depthMax = 7

// schema describes a schema; path are the references above it.
func (b *book) schema(name string, raw *object, path []string) *node {
	if raw == nil {
		return nil
	}
	ref := raw.text("$ref")
	s := b.resolve(raw)
	n := &node{Name: name, Type: s.text("type"), About: s.text("description"), Rules: rules(s), Enum: enum(s), Example: short(s.at["example"])}
	if ref != "" && slices.Contains(path, ref) || len(path) > depthMax {
		n.Again = true
		return n
	}
	path = append(slices.Clone(path), ref)
	required := texts(s.list("required"))
	for _, member := range s.child("properties").names() {
		m := b.schema(member, s.child("properties").child(member), path)
		m.Required = slices.Contains(required, member)
		n.Members = append(n.Members, m)
	}
	if extra := s.child("additionalProperties"); extra != nil {
		n.Members = append(n.Members, b.schema("any other name", extra, path))
	}
	for _, word := range []string{"oneOf", "anyOf", "allOf"} {
		for _, v := range s.list(word) {
			variant, _ := v.(*object)
			n.Variants = append(n.Variants, b.schema(nameOf(variant), variant, path))
		}
	}
	if items := s.child("items"); items != nil {
		n.Items = b.schema("each", items, path)
		n.Type = "array of " + n.Items.Type
	}
	if n.Type == "" && len(n.Variants) > 0 {
		n.Type = "one of"
	}
	if s.at["nullable"] == true {
		n.Type += " or null"
	}
	return n
}

func nameOf(raw *object) string {
	ref := raw.text("$ref")
	return ref[strings.LastIndex(ref, "/")+1:]
}

// rules are what a value must keep beside its type.
func rules(s *object) []string {
	var all []string
	say := func(key, format string) {
		if v := s.text(key); v != "" {
			all = append(all, fmt.Sprintf(format, v))
		}
	}
	say("format", "%s")
	switch low, high := s.text("minLength"), s.text("maxLength"); {
	case low != "" && high != "":
		all = append(all, low+" to "+high+" characters")
	case high != "":
		all = append(all, "at most "+high+" characters")
	}
	switch low, high := s.text("minimum"), s.text("maximum"); {
	case low != "" && high != "":
		all = append(all, low+" to "+high)
	case low != "":
		all = append(all, "at least "+low)
	case high != "":
		all = append(all, "at most "+high)
	}
	say("minItems", "at least %s items")
	say("maxItems", "at most %s items")
	say("minProperties", "at least %s members")
	say("pattern", "matches %s")
	say("default", "by default %s")
	if s.at["additionalProperties"] == false {
		all = append(all, "no other members")
	}
	if s.at["writeOnly"] == true {
		all = append(all, "only in requests")
	}
	return all
}

func enum(s *object) []string {
	var all []string
	for _, v := range s.list("enum") {
		if text := short(v); text != "" {
			all = append(all, text)
		}
	}
	return all
}

// short is a scalar as JSON; "" for anything else, which examples show.
func short(v any) string {
	switch v.(type) {
	case nil, *object, []any:
		return ""
	}
	text, err := indented(v)
	if err != nil || len(text) > 200 {
		return ""
	}
	return text
}

// sample is a value that keeps a schema: its example, or one made of its members'.
func (b *book) sample(raw *object, depth int) any {
	s := b.resolve(raw)
	if v, there := s.at["example"]; there {
		return v
	}
	if list := s.list("enum"); len(list) > 0 {
		return list[0]
	}
	for _, word := range []string{"oneOf", "anyOf", "allOf"} {
		if list := s.list(word); len(list) > 0 && depth < depthMax {
			first, _ := list[0].(*object)
			return b.sample(first, depth+1)
		}
	}
	switch s.text("type") {
	case "object":
		made := &object{at: map[string]any{}}
		required := texts(s.list("required"))
		for _, member := range s.child("properties").names() {
			if slices.Contains(required, member) && depth < depthMax {
				made.put(member, b.sample(s.child("properties").child(member), depth+1))
			}
		}
		return made
	case "array":
		if depth < depthMax && s.child("items") != nil {
			return []any{b.sample(s.child("items"), depth+1)}
		}
		return []any{}
	case "boolean":
		return false
	case "integer", "number":
		return 1
	}
	return "text"
}
