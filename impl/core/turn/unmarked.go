package turn

import (
	"regexp"
	"strings"

	"parley/impl/core/provider"
)

var (
	// mark is a citation's mark, with the blank before it that only it needs.
	mark = regexp.MustCompile(` ?\[[0-9]{1,3}(?:, ?[0-9]{1,3})*\]`)
	// begunMark is what may become one with the next piece.
	begunMark = regexp.MustCompile(`(?: ?\[[0-9, ]{0,16}| )$`)
)

// unmarked wraps emit so that marks of citations are left out of the text, also
// those that come in pieces. Rest emits what was held back at the end.
func unmarked(emit func(provider.Delta) error) (through func(provider.Delta) error, rest func() error) {
	held := ""
	through = func(d provider.Delta) error {
		text := mark.ReplaceAllString(held+d.Text, "")
		held = begunMark.FindString(text)
		d.Text = strings.TrimSuffix(text, held)
		if d == (provider.Delta{}) {
			return nil
		}
		return emit(d)
	}
	rest = func() error {
		if held == "" {
			return nil
		}
		return emit(provider.Delta{Text: held})
	}
	return through, rest
}
