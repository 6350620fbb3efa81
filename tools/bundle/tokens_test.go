package main

import (
	"strings"
	"testing"
)

// A file names an operation's scopes once; the bundle offers them to tokens
// too, wherever a key is taken.
func TestTokensAreAnAlternativeToKeys(t *testing.T) {
	t.Parallel()
	operation := func(id, rest string) string {
		return "    operationId: " + id + "\n" + rest + "    responses: {'200': {description: Done.}}\n"
	}
	root := split(t, map[string]string{
		"common/day.yaml": "components: {}\n",
		"openapi.yaml": `openapi: 3.0.3
info: {title: T, version: '1'}
security: [{bearerKey: []}]
paths:
  /things: {$ref: 'things/things.yaml#/things'}
components:
  securitySchemes:
    bearerKey: {type: http, scheme: bearer}
    queryKey: {type: apiKey, in: query, name: k}
    oauth2: {type: oauth2, flows: {clientCredentials: {tokenUrl: /t, scopes: {'a:read': A., 'b:read': B.}}}}
`,
		"things/things.yaml": "things:\n  get:\n" + operation("listThings", "    x-required-scopes: [a:read, b:read]\n") +
			"  post:\n" + operation("createThing", "    x-required-scopes: [a:read]\n    security: [{bearerKey: []}, {queryKey: []}]\n") +
			"  delete:\n" + operation("deleteThing", "    security: []\n"),
	})
	doc, err := Bundle(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	compact := strings.Join(strings.Fields(string(doc.JSON)), "")
	for _, want := range []string{
		`"security":[{"bearerKey":[]},{"oauth2":["a:read"]},{"oauth2":["b:read"]}]`,
		`"security":[{"bearerKey":[]},{"oauth2":["a:read"]},{"queryKey":[]}]`,
		`"operationId":"deleteThing","security":[]`,
	} {
		if !strings.Contains(compact, want) {
			t.Errorf("the bundle lacks %s:\n%s", want, compact)
		}
	}
}
