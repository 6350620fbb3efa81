package verify

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"parley/impl/contract"
)

// example is a body that the document shows.
type example struct {
	name string
	body any
}

// examples are the JSON bodies that the document shows for an operation; a nameless one without a body when it shows none.
func examples(op *contract.Operation) []example {
	if op.RequestBody == nil {
		return []example{{name: "example"}}
	}
	content := op.RequestBody.Value.Content["application/json"]
	if content == nil {
		return nil
	}
	if content.Example != nil {
		return []example{{"example", content.Example}}
	}
	var all []example
	for name, e := range content.Examples {
		all = append(all, example{"example " + name, e.Value.Value})
	}
	slices.SortFunc(all, func(a, b example) int { return strings.Compare(a.name, b.name) })
	return all
}

// body is an example with what exists in place of what it only shows. The second result names the members that nothing
// stands for; they are left out.
func (r *run) body(op *contract.Operation, e example) (body any, missing []string) {
	schema := op.JSONBody()
	object, ok := e.body.(map[string]any)
	if schema == nil || !ok {
		return e.body, nil
	}
	copied := map[string]any{}
	for name, value := range object {
		property := property(schema, name)
		switch {
		case r.models[name] != "" && text(value) != "":
			copied[name] = r.models[name]
		case reference(name, value):
			if known := known(r.own, op.Surface(), name); known != "" {
				copied[name] = typed(known, value)
			} else {
				missing = append(missing, name)
			}
		case name == "api_key":
			copied[name] = r.Key
		case name == "name" || name == "title" || name == "project_name" || name == "slug":
			copied[name] = r.named(property, value)
		case name == "max_tokens" || name == "max_output_tokens":
			copied[name] = 16
		default:
			copied[name] = value
		}
	}
	return copied, missing
}

func property(schema *openapi3.Schema, name string) *openapi3.Schema {
	if p := schema.Properties[name]; p != nil {
		return p.Value
	}
	return nil
}

// reference tells whether a member names something that has to exist.
func reference(name string, value any) bool {
	return strings.HasSuffix(name, "_id") && text(value) != ""
}

// named is a name that tells where a thing comes from, where the schema leaves room for it.
func (r *run) named(schema *openapi3.Schema, value any) any {
	shown, ok := value.(string)
	if !ok || schema == nil || schema.Pattern != "" || len(schema.Enum) > 0 {
		return value
	}
	longer := shown + " " + r.mark
	if schema.MaxLength != nil && uint64(len(longer)) > *schema.MaxLength {
		return value
	}
	return longer
}

// typed is a value in the type that an example shows.
func typed(known string, shown any) any {
	if _, number := shown.(float64); number {
		return json.Number(known)
	}
	return known
}
