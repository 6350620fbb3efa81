package provider

import (
	"strings"
	"testing"
)

func TestCleanerJoinsRunesAcrossPieces(t *testing.T) {
	t.Parallel()
	const text = "añ漢😀z"
	for size := 1; size <= len(text); size++ {
		var c cleaner
		var out strings.Builder
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			out.WriteString(c.next(rest[:n]))
			rest = rest[n:]
		}
		if out.WriteString(c.end()); out.String() != text {
			t.Errorf("in pieces of %d: %q", size, out.String())
		}
	}
}

func TestCleanerReplacesWhatNeverBecomesARune(t *testing.T) {
	t.Parallel()
	var c cleaner
	got := c.next("a\xe2\x82") + c.next("b\x00\xff") + c.next("\xf0\x9f") + c.end()
	if want := "a\uFFFDb\uFFFD\uFFFD"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCitations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"[1]": 1, "[1][1]": 1, "[3, 1] [2]": 3, "[0] [4] [99999] [a] 1": 0, "a[2]b": 1, "": 0} {
		if got := Citations(text, 3); len(got) != want {
			t.Errorf("%q cites %v", text, got)
		}
	}
	if got := Citations("[1]", 0); got != nil {
		t.Errorf("cites %v of nothing", got)
	}
}
