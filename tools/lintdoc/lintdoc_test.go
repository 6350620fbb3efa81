package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"parley/tools/internal/tree"
)

const bundle = "../../gen/openapi.yaml"

func TestDocumentPassesGoLinter(t *testing.T) {
	exceptions, err := readExceptions("exceptions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found, err := lintGo(t.Context(), bundle, ".")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Error("the linter found nothing at all, not even what is excused: it did not run")
	}
	for _, complaint := range judge("go", found, exceptions) {
		t.Error(complaint)
	}
}

func TestDocumentPassesHouseLinter(t *testing.T) {
	exceptions, err := readExceptions("exceptions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	judged, err := inspect(bundle)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(judged.report())
	for _, complaint := range judge("house", judged.found, exceptions) {
		t.Error(complaint)
	}
}

// What no linter knows: the promises that README and clients rely on.
func TestEveryOperationKeepsHouseRules(t *testing.T) {
	source, err := os.ReadFile(bundle)
	if err != nil {
		t.Fatal(err)
	}
	document, err := tree.Read(source)
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range tree.Pairs(tree.Member(document, "paths")) {
		for method, operation := range tree.Pairs(item) {
			if method.Value == "parameters" || method.Value == "servers" { // of all operations of the path
				continue
			}
			t.Run(method.Value+" "+path.Value, func(t *testing.T) { checkOperation(t, document, operation) })
		}
	}
}

func checkOperation(t *testing.T, document, operation *yaml.Node) {
	t.Helper()
	public := isPublic(operation)
	if scopes := tree.Member(operation, "x-required-scopes"); public != (scopes == nil) {
		t.Errorf("x-required-scopes present is %v, operation public is %v: exactly one must hold", scopes != nil, public)
	}
	for status, response := range tree.Pairs(tree.Member(operation, "responses")) {
		if ref := tree.Text(response, "$ref"); ref != "" {
			response = tree.Find(document, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
		}
		var names []string
		for name := range tree.Pairs(tree.Member(response, "headers")) {
			names = append(names, name.Value)
		}
		for _, want := range wantedHeaders(status.Value, public) {
			if !slices.Contains(names, want) {
				t.Errorf("response %s lacks header %s", status.Value, want)
			}
		}
	}
}

// isPublic tells whether the operation takes no credential of an account. That
// of an OAuth client, which is exchanged for one, is none.
func isPublic(operation *yaml.Node) bool {
	security := tree.Member(operation, "security")
	if security == nil {
		return false
	}
	for _, alternative := range security.Content {
		for scheme := range tree.Pairs(alternative) {
			if scheme.Value != "clientBasic" {
				return false
			}
		}
	}
	return true
}

func wantedHeaders(status string, public bool) []string {
	want := []string{"X-Request-Id"}
	if status == "401" {
		return append(want, "WWW-Authenticate")
	}
	if status == "429" || status == "503" {
		want = append(want, "Retry-After")
	}
	if public {
		return want
	}
	return append(want, "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
}

func TestJudgeReportsWhatIsNotExcusedAndWhatExcusesNothing(t *testing.T) {
	exceptions := []exception{
		{Tool: "a", Rule: "r", At: []string{"#/x", "#/gone"}, Reason: "because"},
		{Tool: "b", Rule: "r", At: []string{"#/y"}, Reason: "of another tool"},
	}
	for i := range exceptions {
		if err := exceptions[i].prepare(); err != nil {
			t.Fatal(err)
		}
	}
	found := []finding{{Rule: "r", Pointer: "#/x"}, {Rule: "r", Pointer: "#/x/below"}, {Rule: "other", Pointer: "#/x"}}
	got := judge("a", found, exceptions)
	want := []string{"a: r at #/x/below: ", "a: other at #/x: ", "a: exception for r at #/gone excuses nothing"}
	if !slices.Equal(got, want) {
		t.Errorf("judge = %q, want %q", got, want)
	}
}

func TestExceptionWithoutReasonIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "exceptions.yaml")
	if err := os.WriteFile(path, []byte("- {tool: go, rule: r, at: ['#/x'], reason: ' '}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readExceptions(path); err == nil || !strings.Contains(err.Error(), "reason") {
		t.Errorf("readExceptions = %v, want an error that asks for the reason", err)
	}
}

func TestNodePackagesArePinnedWithoutAddresses(t *testing.T) {
	manifest, err := os.ReadFile("package.json")
	if err != nil {
		t.Fatal(err)
	}
	var packages struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	if err := json.Unmarshal(manifest, &packages); err != nil {
		t.Fatal(err)
	}
	for name, version := range packages.Dependencies {
		if strings.ContainsAny(version, "^~*<> ") {
			t.Errorf("%s is not pinned to one version: %q", name, version)
		}
	}
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(lock), `"resolved"`) {
		t.Error("package-lock.json names the registry it was made with; .npmrc should keep that out")
	}
}
