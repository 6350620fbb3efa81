package httpd

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"parley/gen"
)

func TestWhatRequestsAreCheckedByIsEssential(t *testing.T) {
	const whole = `{"openapi": "3.0.3", "paths": {"/a": {"post": {"summary": "s", "x-own": {"description": "kept"},
		"requestBody": {"description": "d", "content": {"application/json": {"examples": {"e": {"value": 1}}, "schema": {"type": "object", "example": {"a": 1},
			"properties": {"description": {"type": "string", "description": "d", "enum": ["a"]}, "example": {"type": "object", "default": {"example": 1}},
				"responses": {"type": "object", "properties": {"content": {"type": "string"}}}}}}}},
		"responses": {"200": {"description": "d", "headers": {"A": {"$ref": "#/a"}}, "content": {"b": {}}, "links": {}}, "400": {"$ref": "#/b"}}}}}}`
	const want = `{"openapi":"3.0.3","paths":{"/a":{"post":{"x-own":{"description": "kept"},` +
		`"requestBody":{"content":{"application/json":{"schema":{"type":"object",` +
		`"properties":{"description":{"type":"string","enum":["a"]},"example":{"type":"object","default":{"example": 1}},` +
		`"responses":{"type":"object","properties":{"content":{"type":"string"}}}}}}}},` +
		`"responses":{"200":{"headers":{"A":{"$ref":"#/a"}}},"400":{"$ref":"#/b"}}}}}}`
	if got := string(essential([]byte(whole))); got != want {
		t.Errorf("%s, not\n%s", got, want)
	}
}

// TestNothingEssentialOfTheDocumentIsLost holds what is enforced against the whole document, texts apart.
func TestNothingEssentialOfTheDocumentIsLost(t *testing.T) {
	kept, err := LoadDocument(gen.JSON)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := openapi3.NewLoader().LoadFromData(gen.JSON)
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			want, err := newOperation(spec, path, method, item, op)
			if err != nil {
				t.Fatal(err)
			}
			got := kept.find(method, path)
			if got == nil || enforced(t, got) != enforced(t, want) {
				t.Errorf("%s %s: %+v, not %+v", method, path, got, want)
			}
		}
	}
}

// enforced is an operation as it is compared: bodies and parameters in JSON, without what is dispensable.
func enforced(t *testing.T, o *operation) string {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"params": o.params, "body": o.route.Operation.RequestBody, "json": o.json, "form": o.form, "multipart": o.multipart})
	if err != nil {
		t.Fatal(err)
	}
	plain := *o
	plain.route, plain.params, plain.json, plain.form, plain.multipart, plain.deprecation = nil, nil, nil, nil, nil, nil
	return fmt.Sprintf("%+v %+v %s", plain, o.deprecation, essential(raw))
}
