package drawing

import (
	"image/color"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// vocabulary is a prompt's words in order, in lower case, without marks.
type vocabulary []string

func read(prompt string) vocabulary {
	if len(prompt) > 4096 {
		prompt = prompt[:4096] // the rest decides by the digest alone
	}
	return strings.FieldsFunc(strings.ToLower(prompt), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// has tells whether a word stands in the prompt, also in its plural.
func (v vocabulary) has(word string) bool {
	return slices.ContainsFunc(v, func(w string) bool { return w == word || w == word+"s" || w == word+"es" })
}

func (v vocabulary) any(words ...string) bool { return slices.ContainsFunc(words, v.has) }

// count is how many of a thing the prompt names: "three boats", "birds"; 0 when it names none.
func (v vocabulary) count(words ...string) int {
	for i, w := range v {
		for _, word := range words {
			if w != word && w != word+"s" && w != word+"es" {
				continue
			}
			for _, before := range v[max(0, i-2):i] {
				if n := numbers[before]; n > 0 {
					return n
				}
			}
			if w != word {
				return 3
			}
			return 1
		}
	}
	return 0
}

var numbers = map[string]int{"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "2": 2, "3": 3, "4": 4, "5": 5, "6": 6, "7": 7, "many": 7}

// colours are what people call them.
var colours = map[string]color.NRGBA{
	"red": hex(0xc8343c), "crimson": hex(0xa3192f), "orange": hex(0xe8832a), "yellow": hex(0xf2c53d), "gold": hex(0xd9a521), "golden": hex(0xd9a521),
	"green": hex(0x3f8f4f), "emerald": hex(0x1f8a63), "teal": hex(0x2a8a8c), "turquoise": hex(0x3cb8b2), "blue": hex(0x3467b8), "navy": hex(0x24365f),
	"purple": hex(0x7a4a9e), "violet": hex(0x7a4a9e), "pink": hex(0xe57fa5), "brown": hex(0x7a4f31), "black": hex(0x2d2a33), "white": hex(0xf4f1ea),
	"grey": hex(0x8d8f98), "gray": hex(0x8d8f98), "silver": hex(0xb9bdc7), "beige": hex(0xd9c6a3),
}

// coloured is the colour that stands up to three words before one of the
// things: "a long red dress", "blue eyes".
func (v vocabulary) coloured(things ...string) (color.NRGBA, bool) {
	for i, w := range v {
		if !slices.ContainsFunc(things, func(t string) bool { return w == t || w == t+"s" }) {
			continue
		}
		for j := i - 1; j >= max(0, i-3); j-- {
			if c, ok := colours[v[j]]; ok {
				return c, true
			}
		}
	}
	return color.NRGBA{}, false
}

// age is the number before "years old" or "year-old", 0 without one.
func (v vocabulary) age() int {
	for i, w := range v {
		if (w == "year" || w == "years") && i > 0 {
			if n, err := strconv.Atoi(v[i-1]); err == nil {
				return n
			}
		}
	}
	switch {
	case v.any("old", "elderly", "aged", "grandmother", "grandfather", "wise"):
		return 75
	case v.any("young", "youthful"):
		return 22
	}
	return 0
}
