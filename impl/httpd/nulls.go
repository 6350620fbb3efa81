package httpd

import (
	"bytes"

	"github.com/getkin/kin-openapi/openapi3"

	"parley/impl/core/fault"
)

// nullFields finds the members of a body that are null although their schema
// has a default and does not admit null. The validator replaces those by the
// default before it looks at them, as if they were absent. It says nothing
// about branches of oneOf and anyOf: which one counts is for the validator.
func nullFields(schema *openapi3.Schema, b *body) []fault.Field {
	if !bytes.Contains(b.raw, []byte("null")) {
		return nil
	}
	return appendNulls(nil, schema, b.value, "")
}

func appendNulls(fields []fault.Field, schema *openapi3.Schema, value any, path string) []fault.Field {
	if schema == nil || len(fields) >= fieldsMax {
		return fields
	}
	for _, part := range schema.AllOf {
		fields = appendNulls(fields, part.Value, value, path)
	}
	switch v := value.(type) {
	case []any:
		if schema.Items == nil {
			return fields
		}
		for _, item := range v {
			fields = appendNulls(fields, schema.Items.Value, item, path)
		}
	case map[string]any:
		for name, property := range schema.Properties {
			member, present := v[name]
			if !present {
				continue
			}
			if member == nil && property.Value.Default != nil && !property.Value.Nullable {
				fields = append(fields, fault.Field{In: "body", Path: path + "/" + name, Rule: "nullable", Reason: "must not be null"})
			}
			fields = appendNulls(fields, property.Value, member, path+"/"+name)
		}
	}
	return fields
}
