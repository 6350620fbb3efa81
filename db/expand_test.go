package db_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// taking is what a server of the release before may stumble over while it
// still serves: what it reads is gone, or what it writes is refused.
var taking = regexp.MustCompile(`(?i)\b(drop\s+(table|column|view|constraint|index)|rename\s+(to|column|constraint)|alter\s+column\s+\w+\s+(type|set\s+data|set\s+not\s+null|drop\s+default)|truncate|delete\s+from)\b`)

// contracted are the migrations that take something away all the same, with the reason.
var contracted = map[string]string{
	"202611210102_withdrawals.sql":        "a check is made wider: what was written before is admitted",
	"202611210901_sign_in.sql":            "a check is made wider",
	"202611210902_low_balance.sql":        "before the first release: a column moves to accounts",
	"202611211401_images.sql":             "a check is made wider",
	"202611211601_realtime.sql":           "the way down, which is never taken",
	"202611212201_speech.sql":             "a check is made wider",
	"202611222001_catalog_versions.sql":   "the way down, which is never taken",
	"202611212401_app_projects.sql":       "the way down, which is never taken",
	"202611221301_usage_latency.sql":      "the way down, which is never taken",
	"202611221702_published_keys.sql":     "the way down, which is never taken",
	"202611221901_operating_accounts.sql": "the way down, which is never taken",
	"202611221701_lean_ledger.sql":        "an index that no statement uses, and a check of what the same statement has made sure of",
	"202611223101_lean_events.sql":        "a check of what the same statement has made sure of, and has locked",
}

// Migrations expand: the release before runs on the schema of the next one, so
// that servers are replaced one by one. What is no longer used goes one release
// later, and is named above with its reason.
func TestMigrationsTakeNothingAway(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal("no migrations", err)
	}
	excused := map[string]bool{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var statements strings.Builder
		for line := range strings.Lines(string(raw)) {
			text, _, _ := strings.Cut(line, "--")
			statements.WriteString(text + "\n")
		}
		name := filepath.Base(file)
		found := taking.FindString(statements.String())
		excused[name] = found != ""
		if found != "" && contracted[name] == "" {
			t.Errorf("%s: %q would break servers of the release before; take it away one release later, or say here why it does not", name, found)
		}
	}
	for name := range contracted {
		if !excused[name] {
			t.Errorf("%s takes nothing away: its reason is no longer needed", name)
		}
	}
}
