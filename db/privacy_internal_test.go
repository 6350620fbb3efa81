package db

import (
	"slices"
	"testing"
)

// ExportTables lists the tables of which exports show rows, and those that they leave out, with the reason.
func ExportTables() (shown []string, omitted map[string][]string, left map[string]string) {
	omitted = map[string][]string{}
	for _, t := range exportTables {
		shown = append(shown, t.name)
		omitted[t.name] = t.omit
	}
	return shown, omitted, notExported
}

func TestExportTablesStandOnce(t *testing.T) {
	t.Parallel()
	shown, _, left := ExportTables()
	for i, name := range shown {
		if slices.Contains(shown[:i], name) || left[name] != "" {
			t.Errorf("%s stands twice", name)
		}
	}
}
