package main

import (
	"encoding/json"
	"slices"
	"testing"
)

// The doctor's word for programs, and its exit status.
func TestDoctorPrintsJSONAndFails(t *testing.T) {
	type finding struct{ Check, Rank, Says, Fix string }
	examine := func(env ...string) ([]finding, error) {
		out, err := runCommand(t, append(env, "PARLEY_DATA="+t.TempDir()), "doctor", "--json")
		var findings []finding
		if json.Unmarshal(out, &findings) != nil {
			t.Fatalf("printed %q", out)
		}
		return findings, err
	}
	isProblem := func(f finding) bool { return f.Rank == "problem" }
	if findings, err := examine(); err != nil || slices.ContainsFunc(findings, isProblem) {
		t.Errorf("a fresh server: %+v %v", findings, err)
	}
	findings, err := examine("PARLEY_UPSTREAM=ftp://nowhere", "DATABASE_URL=postgres://127.0.0.1:1/none?sslmode=disable")
	if err == nil || !slices.ContainsFunc(findings, isProblem) {
		t.Errorf("a server that cannot work: %+v %v", findings, err)
	}
}
