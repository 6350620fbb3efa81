package main

import (
	"slices"
	"strings"
	"testing"
)

const document = `{
	"openapi": "3.0.3", "info": {"title": "T", "version": "1"},
	"components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
	"security": [{"bearer": []}],
	"paths": {"/things": {
		"get": {"operationId": "listThings", "responses": {
			"200": {"description": "ok", "content": {"application/json": {}, "text/event-stream": {}}},
			"304": {"description": "unchanged"}}},
		"post": {"operationId": "makeThing", "x-api-key-body": true, "security": [{}], "responses": {
			"201": {"description": "made", "content": {"application/json": {}}}}}
	}}}`

func complaints(t *testing.T, log, excuses string) []string {
	t.Helper()
	wanted, err := promises([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	excused, err := readExcuses([]byte(excuses))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[promise]bool{}
	if err := readLog(strings.NewReader(log), seen); err != nil {
		t.Fatal(err)
	}
	return compare(wanted, seen, excused)
}

const allButMade = `{"operation":"listThings","status":200,"media":"application/json","security":"bearer"}
{"operation":"listThings","status":200,"media":"text/event-stream","security":"bearer"}
{"operation":"listThings","status":304,"media":"","security":""}
`

func TestNamesWhatNoTestExercised(t *testing.T) {
	t.Parallel()
	want := []string{
		"not exercised by any test: makeThing: 201 application/json",
		"not exercised by any test: makeThing: security body",
	}
	if got := complaints(t, allButMade, "[]"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := complaints(t, "", "[]"); len(got) != 6 {
		t.Errorf("an empty log leaves %d things unexercised, want 6: %q", len(got), got)
	}
}

func TestCountsWhatWasExercised(t *testing.T) {
	t.Parallel()
	wanted, err := promises([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[promise]bool{}
	if err := readLog(strings.NewReader(allButMade), seen); err != nil {
		t.Fatal(err)
	}
	got := count(wanted, seen, map[promise]string{{"makeThing", "security body"}: "r"})
	if want := "2 operations promise 6 answers and credentials; 4 exercised, 1 excused"; got != want {
		t.Errorf("count = %q, want %q", got, want)
	}
}

func TestRefusedCredentialDoesNotCountAsTaken(t *testing.T) {
	t.Parallel()
	log := allButMade + `{"operation":"makeThing","status":400,"media":"application/json","security":"body"}`
	if got := complaints(t, log, "[]"); !slices.Contains(got, "not exercised by any test: makeThing: security body") {
		t.Errorf("a 400 counted as a taken credential: %q", got)
	}
}

func TestExcusesNeedAReasonAndMustBeNeeded(t *testing.T) {
	t.Parallel()
	excuses := `
- {operation: makeThing, what: 201 application/json, reason: r}
- {operation: makeThing, what: security body, reason: r}
- {operation: listThings, what: "304", reason: r}
- {operation: listThings, what: "410", reason: r}
`
	want := []string{
		"excused, but a test exercises it: listThings: 304",
		"excused, but the document does not promise it: listThings: 410",
	}
	if got := complaints(t, allButMade, excuses); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := readExcuses([]byte("- {operation: a, what: b}")); err == nil {
		t.Error("an excuse without a reason was taken")
	}
}
