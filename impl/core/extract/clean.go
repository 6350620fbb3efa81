package extract

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// cleanLine returns text as one line: valid, without invisible characters, each
// run of white space a single blank.
func cleanLine(text string) string {
	var out strings.Builder
	out.Grow(len(text))
	blank := false
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		switch {
		case unicode.IsSpace(r) || r == '\u2028' || r == '\u2029':
			blank = true
		case invisible(r):
		default:
			if blank && out.Len() > 0 {
				out.WriteByte(' ')
			}
			blank = false
			out.WriteRune(r)
		}
	}
	return out.String()
}

// cleanLines keeps line ends and the blanks within lines.
func cleanLines(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\r\n", "\n")
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r' || r == '\u2028' || r == '\u2029' || r == '\v' || r == '\f':
			return '\n'
		case r == '\u00A0':
			return ' '
		case invisible(r):
			return -1
		}
		return r
	}, text)
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// invisible are characters that readers do not see: controls, soft hyphens, byte
// order marks, and the marks that reverse or hide text.
func invisible(r rune) bool {
	switch {
	case r == '\u200C' || r == '\u200D': // joiners: they change words in Persian and Hindi
		return false
	case unicode.Is(unicode.Cf, r), unicode.Is(unicode.Cc, r), unicode.Is(unicode.Co, r):
		return true
	case r >= 0xFFF9 && r <= 0xFFFC:
		return true
	}
	return false
}

func bounded(text string, runesMax int) string {
	if utf8.RuneCountInString(text) <= runesMax {
		return text
	}
	return strings.TrimSpace(string([]rune(text)[:runesMax-1])) + "…"
}
