package tool

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	refsMax  = 16  // one reference leads to another at most so often
	depthMax = 64  // of a schema
	defsMax  = 200 // schemas that an operation uses
)

// object is a JSON object.
type object = map[string]any

// importer reads one operation of a document.
type importer struct {
	doc  object
	defs object // schemas that the operation's use, by name
}

// imported is the request that an operation describes, and what it says it is for.
func imported(in OpenAPI) (HTTP, string, error) {
	var doc object
	if err := yaml.Unmarshal([]byte(in.Document), &doc); err != nil {
		return HTTP{}, "", refused("openapi/document", "it is neither JSON nor YAML")
	}
	r := &importer{doc: doc, defs: object{}}
	path, method, item, op := r.find(in.OperationID)
	if op == nil {
		return HTTP{}, "", refused("openapi/operation_id", "the document has no such operation")
	}
	server := firstOf(in.Server, serverOf(op), serverOf(item), serverOf(doc))
	if !strings.HasPrefix(server, "http://") && !strings.HasPrefix(server, "https://") || strings.Contains(server, "{") {
		return HTTP{}, "", refused("openapi/server", "the document names no absolute address: name the server's")
	}
	h := HTTP{Target: Target{Method: strings.ToUpper(method), URL: strings.TrimSuffix(server, "/") + path, In: map[string]string{}}}
	schema, err := r.arguments(item, op, h.In)
	if err != nil {
		return HTTP{}, "", refused("openapi/document", "%s", err)
	}
	if len(r.defs) > 0 {
		schema["$defs"] = r.defs
	}
	if h.Parameters, err = json.Marshal(schema); err != nil {
		return HTTP{}, "", refused("openapi/document", "the operation's schemas are no JSON")
	}
	return h, firstOf(texts(op, "description"), texts(op, "summary")), nil
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func texts(o object, name string) string {
	t, _ := o[name].(string)
	return t
}

func serverOf(o object) string {
	servers, _ := o["servers"].([]any)
	if len(servers) == 0 {
		return ""
	}
	first, _ := servers[0].(object)
	return texts(first, "url")
}

// find looks an operation up by its id.
func (r *importer) find(operationID string) (path, method string, item, op object) {
	paths, _ := r.doc["paths"].(object)
	for path, one := range paths {
		item, err := r.followed(one)
		if err != nil {
			continue
		}
		for _, method := range Methods {
			op, _ := item[strings.ToLower(method)].(object)
			if op != nil && texts(op, "operationId") == operationID {
				return path, method, item, op
			}
		}
	}
	return "", "", nil, nil
}

// arguments is the schema of an operation's arguments; in says where each goes.
func (r *importer) arguments(item, op object, in map[string]string) (object, error) {
	properties, required := object{}, []string{}
	shared, _ := item["parameters"].([]any)
	own, _ := op["parameters"].([]any)
	for _, one := range slices.Concat(shared, own) {
		p, err := r.followed(one)
		if err != nil {
			return nil, err
		}
		name, place := texts(p, "name"), texts(p, "in")
		if place == "cookie" || name == "" || place == InHeader && slices.Contains([]string{"accept", "authorization", "content-type"}, strings.ToLower(name)) {
			continue
		}
		if properties[name], err = r.schema(p["schema"], texts(p, "description")); err != nil {
			return nil, err
		}
		in[name] = place
		if needed, _ := p["required"].(bool); needed && !slices.Contains(required, name) {
			required = append(required, name)
		}
	}
	if op["requestBody"] != nil {
		needed, err := r.body(op["requestBody"], properties, in)
		if err != nil {
			return nil, err
		}
		required = append(required, needed...)
	}
	return object{"type": "object", "properties": properties, "required": required}, nil
}

// body makes the JSON body an argument of its own.
func (r *importer) body(raw any, properties object, in map[string]string) (required []string, err error) {
	body, err := r.followed(raw)
	if err != nil {
		return nil, err
	}
	content, _ := body["content"].(object)
	media, _ := content["application/json"].(object)
	if media == nil {
		return nil, errors.New("the operation takes no JSON")
	}
	name := "body"
	for properties[name] != nil {
		name += "_"
	}
	in[name] = InWhole
	if properties[name], err = r.schema(media["schema"], texts(body, "description")); err != nil {
		return nil, err
	}
	if needed, _ := body["required"].(bool); needed {
		required = append(required, name)
	}
	return required, nil
}

// followed is an object, or what its reference leads to.
func (r *importer) followed(raw any) (object, error) {
	o, _ := raw.(object)
	for range refsMax {
		ref := texts(o, "$ref")
		if ref == "" {
			if o == nil {
				return nil, errors.New("the document is broken where the operation needs it")
			}
			return o, nil
		}
		o = r.at(ref)
	}
	return nil, errors.New("the document's references lead nowhere")
}

// at is what a reference within the document names.
func (r *importer) at(ref string) object {
	rest, local := strings.CutPrefix(ref, "#/")
	if !local {
		return nil
	}
	here := r.doc
	for _, name := range strings.Split(rest, "/") {
		here, _ = here[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)].(object)
	}
	return here
}

func (r *importer) schema(raw any, description string) (object, error) {
	out, err := r.translated(raw, 0)
	if err != nil {
		return nil, err
	}
	o, ok := out.(object)
	if !ok {
		o = object{}
	}
	if o["description"] == nil && description != "" {
		o["description"] = description
	}
	return o, nil
}

// kept are the keywords that mean the same in JSON schemas.
var kept = []string{
	"type", "title", "description", "enum", "const", "default", "format", "minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum",
	"minLength", "maxLength", "pattern", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "required",
}

// translated is a schema of OpenAPI as a JSON schema. What it refers to goes among the definitions.
func (r *importer) translated(raw any, depth int) (any, error) {
	s, ok := raw.(object)
	if !ok {
		return raw, nil // true and false are schemas, too
	}
	if depth > depthMax {
		return nil, errors.New("its schemas are too deep")
	}
	if ref := texts(s, "$ref"); ref != "" {
		return r.referred(ref, depth)
	}
	out := object{}
	for _, name := range kept {
		if value, has := s[name]; has {
			out[name] = value
		}
	}
	asNumbers(out)
	if nullable, _ := s["nullable"].(bool); nullable && out["type"] != nil && out["enum"] == nil {
		out["type"] = []any{out["type"], "null"}
	}
	return out, r.nested(s, out, depth+1)
}

// asNumbers makes limits that OpenAPI 3.0 writes as truth values what JSON schemas have.
func asNumbers(s object) {
	for exclusive, limit := range map[string]string{"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"} {
		if is, old := s[exclusive].(bool); old {
			delete(s, exclusive)
			if is && s[limit] != nil {
				s[exclusive] = s[limit]
				delete(s, limit)
			}
		}
	}
}

// nested translates the schemas within a schema.
func (r *importer) nested(s, out object, depth int) (err error) {
	for _, name := range []string{"items", "not", "additionalProperties"} {
		if s[name] != nil {
			if out[name], err = r.translated(s[name], depth); err != nil {
				return err
			}
		}
	}
	for _, name := range []string{"allOf", "anyOf", "oneOf"} {
		list, _ := s[name].([]any)
		translated := make([]any, len(list))
		for i := range list {
			if translated[i], err = r.translated(list[i], depth); err != nil {
				return err
			}
		}
		if len(list) > 0 {
			out[name] = translated
		}
	}
	properties, _ := s["properties"].(object)
	translated := object{}
	for name, one := range properties {
		if translated[name], err = r.translated(one, depth); err != nil {
			return err
		}
	}
	if len(properties) > 0 {
		out["properties"] = translated
	}
	return nil
}

func (r *importer) referred(ref string, depth int) (any, error) {
	name := unspeakable.ReplaceAllString(strings.TrimPrefix(ref, "#/components/schemas/"), "_")
	if _, known := r.defs[name]; known {
		return object{"$ref": "#/$defs/" + name}, nil
	}
	if len(r.defs) >= defsMax {
		return nil, fmt.Errorf("the operation uses more than %d schemas", defsMax)
	}
	found := r.at(ref)
	if found == nil {
		return nil, errors.New("a schema refers to what the document does not hold")
	}
	r.defs[name] = object{} // so that a schema may refer to itself
	translated, err := r.translated(found, depth+1)
	if err != nil {
		return nil, err
	}
	r.defs[name] = translated
	return object{"$ref": "#/$defs/" + name}, nil
}
