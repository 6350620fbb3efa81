package provider

import (
	"strings"
	"unicode"
)

const (
	pieceMin  = 3
	pieceMax  = 5
	wordRunes = 64 // of a longer word the rest is left out
	// A whole word says more than one of its pieces.
	wordWeight  = 2.0
	pieceWeight = 0.5
)

// features yields a hash and a weight for each word of a text and each piece of it.
func features(text string, yield func(hash uint64, weight float64)) {
	for word := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		yield(hashOf(word), wordWeight)
		runes := []rune("<" + cutRunes(word, wordRunes) + ">")
		for size := pieceMin; size <= pieceMax; size++ {
			for i := 0; i+size <= len(runes); i++ {
				yield(hashOf(string(runes[i:i+size])), pieceWeight)
			}
		}
	}
}

// hashOf is FNV-1a with a final mix, so that its high and low bits are
// independent; the same everywhere and for ever, as vectors are stored.
func hashOf(text string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
