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
	name   string
	body   any
	media  string           // its content type; "" for a request without a body
	schema *openapi3.Schema // of the body
}

// examples are the bodies that the document shows for an operation, as JSON and as forms; one without a body when it takes none.
func examples(op *contract.Operation) []example {
	if op.RequestBody == nil {
		return []example{{name: "example"}}
	}
	var all []example
	for _, media := range []string{jsonBody, formData, formURL} {
		if content := op.RequestBody.Value.Content[media]; content != nil {
			all = append(all, examplesOf(media, content)...)
		}
	}
	return all
}

// examplesOf are the bodies of one content type, by name.
func examplesOf(media string, content *openapi3.MediaType) []example {
	suffix := ""
	if media != jsonBody {
		suffix = ", as a form"
	}
	if content.Example != nil {
		return []example{{"example" + suffix, content.Example, media, content.Schema.Value}}
	}
	var all []example
	for name, e := range content.Examples {
		all = append(all, example{"example " + name + suffix, e.Value.Value, media, content.Schema.Value})
	}
	slices.SortFunc(all, func(a, b example) int { return strings.Compare(a.name, b.name) })
	return all
}

// body is an example with what exists in place of what it only shows. The second result names the members that nothing
// stands for; they are left out.
func (r *run) body(op *contract.Operation, e example) (body any, missing []string) {
	object, ok := e.body.(map[string]any)
	if e.schema == nil || !ok {
		return e.body, nil
	}
	copied := map[string]any{}
	for name, value := range object {
		property := property(e.schema, name)
		switch {
		case r.models[name] != "" && text(value) != "":
			copied[name] = r.models[name]
		case reference(name, value), e.media == formURL && secret(name):
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

// secret tells whether a member of a form of OAuth's is something that the server made up.
func secret(name string) bool { return name == "client_secret" || name == "token" }

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
