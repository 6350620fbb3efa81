package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/gen"
)

var today = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// A document of two operations: that of the project takes a second to compare.
const document = `{
	"openapi": "3.0.3", "info": {"title": "T", "version": "0"},
	"components": {"schemas": {"Turn": {"type": "object", "required": ["id", "status"],
		"properties": {"id": {"type": "string"}, "status": {"type": "string", "enum": ["running", "completed"]}}}}},
	"paths": {
		"/api/v1/usage": {"get": {"operationId": "getUsage", "responses": {"200": {"description": "ok"}}}},
		"/api/v1/turns/{turn_id}": {"get": {"operationId": "getTurn",
			"parameters": [{"name": "turn_id", "in": "path", "required": true, "schema": {"type": "string"}}],
			"responses": {"200": {"description": "ok", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Turn"}}}}}}}
	}}`

func edited(t *testing.T, version string, edit func(document map[string]any)) []byte {
	t.Helper()
	return changed(t, []byte(document), version, edit)
}

func changed(t *testing.T, raw []byte, version string, edit func(document map[string]any)) []byte {
	t.Helper()
	var parsed map[string]any
	if err := json.Unmarshal(raw, &parsed); err != nil {
		t.Fatal(err)
	}
	at(parsed, "info")["version"] = version
	edit(parsed)
	out, err := json.Marshal(parsed)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func at(node map[string]any, names ...string) map[string]any {
	for _, name := range names {
		node, _ = node[name].(map[string]any)
	}
	return node
}

func nothing(map[string]any) {}

func withoutMember(d map[string]any) {
	delete(at(d, "components", "schemas", "Turn", "properties"), "status")
	at(d, "components", "schemas", "Turn")["required"] = []any{"id"}
}

func withoutOperation(d map[string]any) { delete(at(d, "paths", "/api/v1/usage"), "get") }

func deprecated(sunset string) func(map[string]any) {
	return func(d map[string]any) {
		operation := at(d, "paths", "/api/v1/usage", "get")
		operation["deprecated"], operation["x-sunset"] = true, sunset
	}
}

func TestBreakingFailsOnWhatMakesClientsFail(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		old, now []byte
		want     string // part of what is printed; "" for a document that passes
	}{
		{"nothing", edited(t, "0.1.0", nothing), edited(t, "0.1.0", nothing), ""},
		{"a member of an answer is gone", edited(t, "0.1.0", nothing), edited(t, "0.1.1", withoutMember), "status"},
		{"an operation is gone", edited(t, "0.1.0", nothing), edited(t, "0.1.0", withoutOperation), "GET /api/v1/usage"},
		{"an operation is new", edited(t, "0.1.0", withoutOperation), edited(t, "0.1.0", nothing), ""},
		{"the version announces it", edited(t, "0.1.0", nothing), edited(t, "0.2.0", withoutOperation), ""},
		{"the middle number announces nothing after 1.0", edited(t, "1.0.0", nothing), edited(t, "1.1.0", withoutOperation), "GET /api/v1/usage"},
		{"deprecated for too short a time", edited(t, "0.1.0", nothing), edited(t, "0.1.0", deprecated(time.Now().AddDate(0, 1, 0).Format(time.DateOnly))), "sunset"},
		{"deprecated", edited(t, "0.1.0", nothing), edited(t, "0.1.0", deprecated(time.Now().AddDate(1, 0, 0).Format(time.DateOnly))), ""},
		{"gone after its sunset", edited(t, "0.1.0", deprecated("2020-01-01")), edited(t, "0.1.0", withoutOperation), ""},
		{"gone before its sunset", edited(t, "0.1.0", deprecated(time.Now().AddDate(1, 0, 0).Format(time.DateOnly))), edited(t, "0.1.0", withoutOperation), "sunset"},
		{"nothing was released", nil, edited(t, "0.1.0", nothing), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			err := breaking(&out, c.old, c.now)
			if (err != nil) != (c.want != "") || !strings.Contains(out.String(), c.want) {
				t.Errorf("breaking = %v, want an error: %v that names %q; it printed\n%s", err, c.want != "", c.want, out.String())
			}
		})
	}
}

func TestBreakingReadsTheProjectsOwnDocument(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := breaking(&out, changed(t, gen.JSON, "0.1.0", nothing), changed(t, gen.JSON, "0.1.0", withoutMember))
	if err == nil || !strings.Contains(out.String(), "GET /api/v1/turns/{turn_id}") {
		t.Errorf("breaking = %v; it printed\n%s", err, out.String())
	}
}

func TestReleaseKeepsTheDocumentAndTellsWhatChanged(t *testing.T) {
	t.Parallel()
	home, in := t.TempDir(), filepath.Join(t.TempDir(), "openapi.json")
	do := func(command string, document []byte) error {
		t.Helper()
		if err := os.WriteFile(in, document, 0o600); err != nil {
			t.Fatal(err)
		}
		return run(io.Discard, command, in, home, today)
	}
	first := edited(t, "0.1.0", withoutOperation)
	if err := do("release", first); err != nil {
		t.Fatal(err)
	}
	kept, err := readReleased(home)
	if err != nil || !bytes.Equal(kept, first) {
		t.Fatalf("the released document has %d bytes, %v; want the %d that were released", len(kept), err, len(first))
	}
	if err := do("release", edited(t, "0.1.0", nothing)); err == nil {
		t.Error("the same version was released twice")
	}
	if err := do("release", edited(t, "0.1.1", nothing)); err != nil {
		t.Fatal(err)
	}
	if err := do("release", edited(t, "0.1.2", withoutMember)); err == nil {
		t.Error("a break was released as 0.1.2")
	}
	raw, err := os.ReadFile(filepath.Join(home, changelogName))
	if err != nil {
		t.Fatal(err)
	}
	log := string(raw)
	newer, older := strings.Index(log, "## 0.1.1, 2026-11-22"), strings.Index(log, "## 0.1.0, 2026-11-22")
	if !strings.HasPrefix(log, changelogHead) || newer < 0 || older < newer || !strings.Contains(log, "- `GET /api/v1/usage`: ") {
		t.Errorf("the changelog does not have both versions, the newer first, with what is new:\n%s", log)
	}
}

func TestVersionsAreThreeNumbers(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"", "1", "1.0", "v1.0.0", "1.0.0-beta", "1.-1.0"} {
		if _, err := parse(version); err == nil {
			t.Errorf("%q was taken for a version", version)
		}
	}
}
