package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/speakeasy-api/openapi/openapi"
	"github.com/speakeasy-api/openapi/overlay"
	"go.yaml.in/yaml/v3"
	yamlv3 "gopkg.in/yaml.v3" // the nodes of the overlays' library

	"parley/tools/internal/tree"
)

const stream = "text/event-stream"

// Overlays name places of the document, which moves on without them.
func TestOverlaysFitTheDocument(t *testing.T) {
	files, err := filepath.Glob("../../openapi/overlays/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("overlays: %v, %v", files, err)
	}
	document, err := os.ReadFile(bundle)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			applied := apply(t, document, file)
			_, invalid, err := openapi.Unmarshal(t.Context(), bytes.NewReader(applied))
			if err != nil || len(invalid) > 0 {
				t.Fatalf("the document is not valid any more: %v, %v", err, invalid)
			}
			root, err := tree.Read(applied)
			if err != nil {
				t.Fatal(err)
			}
			checkStreams(t, root)
		})
	}
}

// apply returns the document as the overlay in file changes it. Every action must find what it changes.
func apply(t *testing.T, document []byte, file string) []byte {
	t.Helper()
	changes, err := overlay.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := changes.Validate(); err != nil {
		t.Fatal(err)
	}
	var root yamlv3.Node
	if err := yamlv3.Unmarshal(document, &root); err != nil {
		t.Fatal(err)
	}
	warnings, err := changes.ApplyToStrict(&root)
	if err != nil {
		t.Fatal(err) // a target that matches nothing, for one
	}
	for _, warning := range warnings {
		t.Error(warning)
	}
	applied, err := yamlv3.Marshal(&root)
	if err != nil {
		t.Fatal(err)
	}
	return applied
}

// checkStreams holds that every operation that answers JSON or a stream, as its
// body's `stream` says, was told to the generator: cut in two, or annotated.
func checkStreams(t *testing.T, root *yaml.Node) {
	t.Helper()
	for path, item := range tree.Pairs(tree.Member(root, "paths")) {
		for method, operation := range tree.Pairs(item) {
			if tree.Member(operation, "x-fern-streaming") != nil || !answersBoth(operation) || !chosenByBody(root, operation) {
				continue
			}
			t.Errorf("%s %s answers JSON or a stream, and the overlay does not say so", method.Value, path.Value)
		}
	}
}

func answersBoth(operation *yaml.Node) bool {
	for _, response := range tree.Pairs(tree.Member(operation, "responses")) {
		content := tree.Member(response, "content")
		if tree.Member(content, stream) != nil && tree.Member(content, "application/json") != nil {
			return true
		}
	}
	return false
}

func chosenByBody(root, operation *yaml.Node) bool {
	reference := tree.Text(operation, "requestBody", "content", "application/json", "schema", "$ref")
	name := strings.TrimPrefix(reference, "#/components/schemas/")
	return tree.Find(root, "components", "schemas", name, "properties", "stream") != nil
}
