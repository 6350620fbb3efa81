package turn

import (
	"strings"
	"testing"

	"parley/impl/core/provider"
)

func TestMarksOfCitationsAreLeftOutHoweverTheyCome(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Boats leave [1] every hour [2, 3].": "Boats leave every hour.",
		"At nine[1][12].":                    "At nine.",
		"See [a] and [1234] and x[i].":       "See [a] and [1234] and x[i].",
		"An end [":                           "An end [",
		"An end [4":                          "An end [4",
		"Blanks stay ":                       "Blanks stay ",
	} {
		for size := 1; size <= len(text); size++ {
			var out strings.Builder
			through, rest := unmarked(func(d provider.Delta) error { out.WriteString(d.Text); return nil })
			for piece := text; piece != ""; piece = piece[min(size, len(piece)):] {
				if err := through(provider.Delta{Text: piece[:min(size, len(piece))]}); err != nil {
					t.Fatal(err)
				}
			}
			if err := rest(); err != nil || out.String() != want {
				t.Errorf("%q in pieces of %d: %q, %v", text, size, out.String(), err)
			}
		}
	}
}
