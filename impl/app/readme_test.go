package app

import (
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the README's table of options")

const (
	readme     = "../../README.md"
	tableBegin = "<!-- options: made from impl/app/config.go by `go test ./impl/app -update` -->\n"
	tableEnd   = "<!-- end of options -->\n"
)

func optionsTable() string {
	var b strings.Builder
	b.WriteString("| variable | flag | default | what |\n|---|---|---|---|\n")
	options := reflect.TypeFor[Config]()
	for i := range options.NumField() {
		tag := options.Field(i).Tag
		if tag.Get("env") == "" {
			continue
		}
		byDefault := tag.Get("default")
		if byDefault != "" {
			byDefault = "`" + byDefault + "`"
		}
		b.WriteString("| `" + tag.Get("env") + "` | `--" + tag.Get("name") + "` | " + byDefault + " | " + tag.Get("help") + " |\n")
	}
	return b.String()
}

func TestReadmeListsTheOptions(t *testing.T) {
	raw, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(raw), tableBegin)
	got, after, closed := strings.Cut(rest, tableEnd)
	if !found || !closed {
		t.Fatal("the README has no table of options")
	}
	if want := optionsTable(); got != want && *update {
		if err := os.WriteFile(readme, []byte(before+tableBegin+want+tableEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got != want {
		t.Error("the README's table of options is old: run `go test ./impl/app -run Readme -update`")
	}
}
