package provider

import (
	"strings"
	"unicode/utf8"
)

// cleaner makes the pieces of one stream storable: invalid UTF-8 becomes U+FFFD
// and NUL, which Postgres refuses, is dropped. A rune cut between two pieces, as
// byte-level models send them, is put together again.
type cleaner struct {
	held string // the start of a rune that the next piece may complete
}

func (c *cleaner) next(piece string) string {
	if piece == "" {
		return ""
	}
	piece, c.held = c.held+piece, ""
	if cut := incompleteTail(piece); cut > 0 {
		piece, c.held = piece[:len(piece)-cut], piece[len(piece)-cut:]
	}
	return clean(piece)
}

// end returns what is left to emit when the stream is over.
func (c *cleaner) end() string {
	rest := clean(c.held)
	c.held = ""
	return rest
}

func clean(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// incompleteTail returns how many bytes at the end of s begin a rune that s
// does not finish.
func incompleteTail(s string) int {
	for i := 1; i < utf8.UTFMax && i <= len(s); i++ {
		if b := s[len(s)-i]; utf8.RuneStart(b) {
			if !utf8.FullRuneInString(s[len(s)-i:]) {
				return i
			}
			return 0
		}
	}
	return 0
}
