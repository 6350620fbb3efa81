package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// split writes a small split document and returns its root file. files
// replaces or adds files by name.
func split(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	all := map[string]string{
		"openapi.yaml": `openapi: 3.0.3
info: {title: T, version: '1'}
paths:
  /things:
    $ref: things/things.yaml#/things
`,
		"things/things.yaml": `things:
  get:
    operationId: listThings
    responses:
      '200':
        description: Things of <one> day & more.
        content:
          application/json:
            schema: {$ref: '#/components/schemas/Thing'}
            example: {zebra: 1, apple: 2024-01-01}
components:
  schemas:
    Thing:
      type: object
      properties:
        zebra: {type: integer}
        apple: {$ref: '../common/day.yaml#/components/schemas/Day'}
`,
		"common/day.yaml": `components:
  schemas:
    Day: {type: string, format: date}
`,
	}
	for name, content := range files {
		all[name] = content
	}
	for name, content := range all {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(folder, "openapi.yaml")
}

func TestBundleKeepsTheWrittenOrderInBothSpellings(t *testing.T) {
	document, err := Bundle(t.Context(), split(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"yaml": string(document.YAML), "json": string(document.JSON)} {
		inOrder(t, name, text, "openapi", "info", "paths", "operationId", "components", "Day", "Thing", "zebra", "apple")
		if strings.Contains(text, "day.yaml") {
			t.Errorf("%s still refers to a file", name)
		}
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, document.JSON); err != nil {
		t.Fatal(err)
	}
	if want := `"example":{"zebra":1,"apple":"2024-01-01"}`; !strings.Contains(compact.String(), want) {
		t.Errorf("json lacks %s: a date must stay text", want)
	}
	if !strings.Contains(string(document.JSON), "Things of <one> day & more.") {
		t.Error("json escapes characters that need no escape")
	}
}

func inOrder(t *testing.T, name, text string, words ...string) {
	t.Helper()
	at := 0
	for _, word := range words {
		next := strings.Index(text[at:], word)
		if next < 0 {
			t.Fatalf("%s: %q is missing after byte %d:\n%s", name, word, at, text)
		}
		at += next
	}
}

func TestBundleOfTheDocumentIsDeterministicAndCurrent(t *testing.T) {
	const root = "../../openapi/openapi.yaml"
	first, err := Bundle(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Bundle(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.YAML, second.YAML) || !bytes.Equal(first.JSON, second.JSON) {
		t.Error("two runs over the same files differ")
	}
	committed, err := os.ReadFile("../../gen/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.YAML, committed) {
		t.Error("gen/openapi.yaml is not the bundle of openapi/: run make gen")
	}
}

func TestBundleRefuses(t *testing.T) {
	const another = `components:
  schemas:
    Day: {type: integer}
`
	tests := []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"two components of one name", map[string]string{"things/day.yaml": another}, []string{`"Day"`, "common/day.yaml:3", "things/day.yaml:3"}},
		{
			"one name in two sections",
			map[string]string{"things/day.yaml": strings.Replace(another, "schemas", "responses", 1)},
			[]string{`"Day"`, "schemas.Day", "responses.Day"},
		},
		{
			"a component that nothing uses",
			map[string]string{"common/hour.yaml": strings.Replace(another, "Day", "Hour", 1)},
			[]string{"nothing uses component schemas.Hour"},
		},
		{
			"a reference to nothing",
			map[string]string{"common/day.yaml": strings.Replace(another, "Day", "Night", 1)},
			[]string{"Day"},
		},
		{
			"a document that is not valid",
			map[string]string{"common/day.yaml": strings.Replace(another, "integer", "colour", 1)},
			[]string{"validate bundle", "colour"},
		},
		{"yaml that is not valid", map[string]string{"common/day.yaml": "a: ["}, []string{"common/day.yaml"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Bundle(t.Context(), split(t, test.files))
			if err == nil {
				t.Fatal("the bundle was made")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not name %q", err, want)
				}
			}
		})
	}
}

func TestRunLeavesUnchangedFilesAlone(t *testing.T) {
	root, out := split(t, map[string]string{socketsName: "asyncapi: 3.0.0\n"}), t.TempDir()
	if err := run(t.Context(), root, out); err != nil {
		t.Fatal(err)
	}
	before := stamps(t, out)
	if err := run(t.Context(), root, out); err != nil {
		t.Fatal(err)
	}
	for name, stamp := range stamps(t, out) {
		if before[name] != stamp {
			t.Errorf("%s was written again", name)
		}
	}
}

func stamps(t *testing.T, folder string) map[string]int64 {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int64{}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		found[entry.Name()] = info.ModTime().UnixNano()
	}
	return found
}
