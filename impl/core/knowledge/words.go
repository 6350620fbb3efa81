package knowledge

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// unspaced are scripts that put no blanks between words, or glue endings on to
// them: their texts are searched by pairs of letters.
var unspaced = []*unicode.RangeTable{
	unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.Hangul,
}

// Searchable returns text in the spelling of searches, for Postgres to take the
// words from: no accents on Latin letters, letters of scripts without blanks in
// pairs, and no marks that join words to paths. Chunks and questions are spelled alike.
func Searchable(text string) string {
	text = norm.NFKC.String(text)
	var b strings.Builder
	b.Grow(len(text))
	var run []rune
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf:
			run = pairs(&b, run)
			b.WriteByte(plain(byte(r)))
		case unicode.In(r, unspaced...):
			run = append(run, r)
		default:
			run = pairs(&b, run)
			b.WriteRune(unaccented(r))
		}
	}
	pairs(&b, run)
	return b.String()
}

// plain takes the meaning from marks by which Postgres would join words to a path or a tag.
func plain(c byte) byte {
	switch c {
	case '/', '\\', '_', '<', '>', '=', '&', '*', '`', '|', '~', '^':
		return ' '
	}
	return c
}

func unaccented(r rune) rune {
	if !unicode.Is(unicode.Latin, r) {
		return r
	}
	base, _ := utf8.DecodeRuneInString(norm.NFD.String(string(r)))
	return base
}

// pairs writes a run of letters as its overlapping pairs, one letter as itself, and returns an empty run.
func pairs(b *strings.Builder, run []rune) []rune {
	if len(run) == 0 {
		return run
	}
	b.WriteByte(' ')
	if len(run) == 1 {
		b.WriteRune(run[0])
	}
	for i := 1; i < len(run); i++ {
		b.WriteRune(run[i-1])
		b.WriteRune(run[i])
		b.WriteByte(' ')
	}
	b.WriteByte(' ')
	return run[:0]
}
