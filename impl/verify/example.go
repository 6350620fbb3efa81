package verify

import (
	"encoding/json"
	"fmt"
	"maps"
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
		reference := reference(op, e, name, value)
		switch {
		case r.model(op, name) != "" && text(value) != "":
			copied[name] = r.model(op, name)
		case reference != "":
			if known := known(r.own, op.Surface(), reference); known != "" {
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
			copied[name] = r.things(op, name, value)
		}
	}
	return copied, missing
}

// model is the model for a member that names one; "" for other members. Pictures are asked of one that draws.
func (r *run) model(op *contract.Operation, name string) string {
	if name == "model" && strings.Contains(op.Path, "/images") {
		name = "sd_model_id"
	}
	return r.models[name]
}

// things are the items of a list, each with the id of what the run made of their kind: "images" hold the ids of images.
func (r *run) things(op *contract.Operation, name string, value any) any {
	list, ok := value.([]any)
	kind, plural := strings.CutSuffix(name, "s")
	if !ok || !plural {
		return value
	}
	copied := slices.Clone(list)
	for i, item := range list {
		thing, ok := item.(map[string]any)
		if id := known(r.own, op.Surface(), kind+"_id"); ok && id != "" && text(thing["id"]) != "" {
			thing = maps.Clone(thing)
			thing["id"] = typed(id, thing["id"])
			copied[i] = thing
		}
	}
	return copied
}

// holdsThings tells whether a body has a list of things that have an id.
func holdsThings(body any) bool {
	members, _ := body.(map[string]any)
	for _, value := range members {
		list, _ := value.([]any)
		for _, item := range list {
			if thing, ok := item.(map[string]any); ok && text(thing["id"]) != "" {
				return true
			}
		}
	}
	return false
}

// secret tells whether a member of a form of OAuth's is something that the server made up.
func secret(name string) bool { return name == "client_secret" || name == "token" }

// asksForPassword tells whether an example has to hold a password.
func asksForPassword(e example) bool {
	if e.schema == nil || e.media == formURL {
		return false
	}
	return slices.ContainsFunc(e.schema.Required, func(name string) bool {
		p := property(e.schema, name)
		return p != nil && p.Format == "password"
	})
}

func property(schema *openapi3.Schema, name string) *openapi3.Schema {
	if p := schema.Properties[name]; p != nil {
		return p.Value
	}
	return nil
}

// reference is the parameter that a member has to be the value of, because it names something that has to exist; "" when it
// names nothing. It is told by the member's name, or by a value that is the name of a parameter. What other operations
// take from the request, by a link, is the client's own.
func reference(op *contract.Operation, e example, name string, value any) string {
	shown := text(value)
	switch {
	case shown == "" || slices.Contains(expressions(op), "$request.body#/"+name):
		return ""
	case strings.HasSuffix(name, "_id"), e.media == formURL && secret(name):
		return name
	case strings.HasSuffix(shown, "_id"):
		return shown
	}
	return ""
}

// expressions are those of an operation's links.
func expressions(op *contract.Operation) []string {
	var all []string
	for _, response := range op.Responses.Map() {
		for _, link := range response.Value.Links {
			for _, expression := range link.Value.Parameters {
				all = append(all, fmt.Sprint(expression))
			}
		}
	}
	return all
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
