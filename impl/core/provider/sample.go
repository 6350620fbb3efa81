package provider

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

const (
	sampleDepthMax = 8
	sampleItemsMax = 16
	sampleRunesMax = 200
	// sampleValuesMax and sampleBytesMax bound what a schema can make us do.
	sampleValuesMax = 200
	sampleBytesMax  = 64 << 10
)

// forcedCall returns the call that a request demands of the built-in model,
// which never calls by itself: it cannot tell when a tool would help. Arguments
// are the smallest that fit the tool's schema, texts are the user's question.
func forcedCall(req Request, question string) (Call, bool) {
	if !req.offersTools() {
		return Call{}, false
	}
	choice := gjson.ParseBytes(req.Extra["tool_choice"])
	name := choice.Get("function.name").String()
	if choice.String() != "required" && name == "" {
		return Call{}, false
	}
	for _, tool := range gjson.ParseBytes(req.Extra[toolsMember]).Array() {
		function := tool.Get("function")
		if given := function.Get("name").String(); given != "" && (name == "" || name == given) {
			c := Call{Name: given, Arguments: sample(function.Get("parameters"), question)}
			digest := sha256.Sum256([]byte(c.Name + "\x00" + c.Arguments))
			c.ID = "call_" + hex.EncodeToString(digest[:12])
			return c, true
		}
	}
	return Call{}, false
}

// structured returns the JSON that response_format demands of the built-in
// model; false when it demands none.
func structured(req Request, reply, question string) (string, bool) {
	format := gjson.ParseBytes(req.Extra["response_format"])
	switch format.Get("type").String() {
	case "json_object":
		raw, err := json.Marshal(map[string]string{"answer": reply})
		return string(raw), err == nil
	case "json_schema":
		return sample(format.Get("json_schema.schema"), question), true
	}
	return "", false
}

// sample returns the smallest JSON object that fits a schema, as far as the usual keywords go.
func sample(schema gjson.Result, text string) string {
	if len(schema.Raw) > sampleBytesMax {
		return "{}"
	}
	s := &sampler{root: schema, text: cutRunes(text, sampleRunesMax), left: sampleValuesMax}
	value := s.value(schema, 0)
	if given, ok := value.(json.RawMessage); ok && gjson.ParseBytes(given).IsObject() {
		return string(given)
	}
	if _, ok := value.(map[string]any); !ok {
		value = map[string]any{}
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return "{}" // a value of the schema's own that JSON has no form for
	}
	return string(raw)
}

type sampler struct {
	root gjson.Result
	text string
	left int // how many more values there may be
}

func (s *sampler) value(schema gjson.Result, depth int) any {
	if s.left--; depth > sampleDepthMax || s.left < 0 {
		return nil
	}
	if ref := schema.Get(`\$ref`); ref.Exists() {
		return s.value(s.definition(ref.String()), depth+1)
	}
	for _, given := range []string{"const", "default", "enum.0", "examples.0"} {
		if v := schema.Get(given); v.Exists() {
			return json.RawMessage(v.Raw)
		}
	}
	for _, union := range []string{"anyOf.0", "oneOf.0", "allOf.0"} {
		if v := schema.Get(union); v.Exists() {
			return s.value(v, depth+1)
		}
	}
	return s.typed(schema, depth)
}

// definition finds what "#/$defs/name" or "#/definitions/name" refers to.
func (s *sampler) definition(ref string) gjson.Result {
	var found gjson.Result
	for _, holder := range []string{"$defs", "definitions"} {
		if wanted, ok := strings.CutPrefix(ref, "#/"+holder+"/"); ok {
			s.root.Get(strings.ReplaceAll(holder, "$", `\$`)).ForEach(func(name, value gjson.Result) bool {
				if name.String() == wanted {
					found = value
				}
				return !found.Exists()
			})
		}
	}
	return found
}

func (s *sampler) typed(schema gjson.Result, depth int) any {
	kind := schema.Get("type")
	if kind.IsArray() {
		kind = schema.Get("type.0")
	}
	switch kind.String() {
	case "string":
		return s.string(schema)
	case "integer", "number":
		return max(0, schema.Get("minimum").Int())
	case "boolean":
		return false
	case "array":
		items := []any{}
		for range min(schema.Get("minItems").Int(), sampleItemsMax) {
			items = append(items, s.value(schema.Get("items"), depth+1))
		}
		return items
	case "null":
		return nil
	}
	return s.object(schema, depth)
}

func (s *sampler) object(schema gjson.Result, depth int) any {
	var required []string
	for _, name := range schema.Get("required").Array() {
		required = append(required, name.String())
	}
	out := map[string]any{}
	schema.Get("properties").ForEach(func(name, property gjson.Result) bool {
		if slices.Contains(required, name.String()) && len(out) < callsMax {
			out[name.String()] = s.value(property, depth+1)
		}
		return true
	})
	return out
}

func (s *sampler) string(schema gjson.Result) string {
	switch schema.Get("format").String() {
	case "date":
		return "2000-01-01"
	case "date-time":
		return "2000-01-01T00:00:00Z"
	case "email":
		return "user@example.com"
	case "uri", "url":
		return "https://example.com/"
	case "uuid":
		return "00000000-0000-4000-8000-000000000000"
	}
	text := s.text
	if most := schema.Get("maxLength"); most.Exists() {
		text = cutRunes(text, int(min(max(0, most.Int()), sampleRunesMax)))
	}
	if missing := int(min(schema.Get("minLength").Int(), sampleRunesMax)) - len([]rune(text)); missing > 0 {
		text += strings.Repeat("x", missing)
	}
	return text
}
