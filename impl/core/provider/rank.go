package provider

import (
	"math"
	"slices"
	"strings"
	"unicode"
)

const (
	// Bounds of what the built-in model reads, so that an answer costs
	// milliseconds whatever it is given.
	passageRunesMax   = 32 << 10
	sentencesMax      = 2000
	queryTermsMax     = 32
	sentenceRunesMax  = 240
	termRunesMax      = 40
	sentenceTermsMin  = 3 // shorter ones are headings or fragments
	bm25K1, bm25B     = 1.2, 0.5
	relevantShare     = 0.34 // of the best score, below which a further sentence is left out
	fragmentPenalty   = 0.5
	prefixRunesMin    = 4 // stems: "refunds" finds "refund"
	prefixSlipRunes   = 3
	prefixMatchWeight = 0.9
)

// sentence is one candidate of an extractive answer.
type sentence struct {
	source int // index of the text it is from
	text   string
	terms  []string
	score  float64
}

// sentencesOf splits texts into sentences of at most sentenceRunesMax runes.
func sentencesOf(texts []string) []sentence {
	var all []sentence
	for i, text := range texts {
		for _, s := range splitSentences(cutRunes(text, passageRunesMax)) {
			if len(all) == sentencesMax {
				return all
			}
			if terms := termsOf(s); len(terms) > 0 {
				all = append(all, sentence{source: i, text: s, terms: terms})
			}
		}
	}
	return all
}

func splitSentences(text string) []string {
	var out []string
	add := func(s string) {
		if s = strings.Join(strings.Fields(s), " "); s != "" {
			out = append(out, ellipsis(s, sentenceRunesMax))
		}
	}
	start, runes := 0, []rune(text)
	for i, r := range runes {
		if endsSentence(runes, i, r) {
			add(string(runes[start : i+1]))
			start = i + 1
		}
	}
	add(string(runes[start:]))
	return out
}

// endsSentence keeps "3.14" and "v1.2" whole, and takes each line of a list or
// heading by itself only at an empty line, a bullet or a break.
func endsSentence(runes []rune, i int, r rune) bool {
	last := i+1 == len(runes)
	switch r {
	case '。', '！', '？', '\u2029':
		return true
	case '.', '!', '?':
		return last || unicode.IsSpace(runes[i+1])
	case '\n':
		return last || runes[i+1] == '\n' || runes[i+1] == '-' || runes[i+1] == '*' || runes[i+1] == '#'
	}
	return false
}

// termsOf returns the words of s in lower case without those that carry no
// meaning. Scripts without blanks are taken rune by rune.
func termsOf(s string) []string {
	var terms []string
	var word []rune
	flush := func() {
		if n := len(word); n > 0 && n <= termRunesMax && !stopWords[string(word)] {
			terms = append(terms, string(word))
		}
		word = word[:0]
	}
	for _, r := range strings.ToLower(s) {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai):
			flush()
			word = append(word, r)
			flush()
		case unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r):
			word = append(word, r)
		case r == '\'' || r == '’': // "what's" is one word, and one that says nothing
		default:
			flush()
		}
	}
	flush()
	return terms
}

// rank scores sentences against query by BM25 with a tolerance for endings and
// returns those that match, best first; equal scores keep their order.
func rank(query string, all []sentence) []sentence {
	terms := termsOf(query)
	slices.Sort(terms)
	terms = slices.Compact(terms)
	terms = terms[:min(len(terms), queryTermsMax)]
	total := 0
	for _, s := range all {
		total += len(s.terms)
	}
	mean := float64(total) / float64(max(len(all), 1))
	for _, term := range terms {
		scoreTerm(term, all, mean)
	}
	var hits []sentence
	for _, s := range all {
		if len(s.terms) < sentenceTermsMin {
			s.score *= fragmentPenalty
		}
		if s.score > 0 {
			hits = append(hits, s)
		}
	}
	slices.SortStableFunc(hits, func(a, b sentence) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return 0
	})
	return hits
}

func scoreTerm(term string, all []sentence, meanTerms float64) {
	frequency := make([]float64, len(all))
	found := 0.0
	for i, s := range all {
		for _, t := range s.terms {
			frequency[i] += similarity(term, t)
		}
		if frequency[i] > 0 {
			found++
		}
	}
	if found == 0 {
		return
	}
	rarity := math.Log(1 + (float64(len(all))-found+0.5)/(found+0.5))
	for i := range all {
		length := 1 - bm25B + bm25B*float64(len(all[i].terms))/meanTerms
		all[i].score += rarity * frequency[i] * (bm25K1 + 1) / (frequency[i] + bm25K1*length)
	}
}

// similarity is 1 for equal terms and less for terms of one stem.
func similarity(a, b string) float64 {
	if a == b {
		return 1
	}
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(a) >= prefixRunesMin && len(b)-len(a) <= prefixSlipRunes && strings.HasPrefix(b, a) {
		return prefixMatchWeight
	}
	return 0
}

// cutRunes returns the first n runes of s.
func cutRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// ellipsis shortens s, whose blanks are single, to about n runes and at most
// quoteWordsMax words, at a word's end where there is one, and marks the cut.
func ellipsis(s string, n int) string {
	cut := cutRunes(s, n)
	if words := strings.SplitN(cut, " ", quoteWordsMax+1); len(words) > quoteWordsMax {
		return strings.Join(words[:quoteWordsMax], " ") + "…"
	}
	if len(cut) == len(s) {
		return s
	}
	if i := strings.LastIndexByte(cut, ' '); i > len(cut)/2 {
		cut = cut[:i]
	}
	return cut + "…"
}

var stopWords = func() map[string]bool {
	words := map[string]bool{}
	for _, w := range strings.Fields(`a about after all also long many much take takes took am an and any are as at be because been before but by can could did do does
		for from get had has have he her him his how i if in into is it its just let like may me might more most my no nor not of on or our
		please shall she should so some such tell than that the their them then there these they this those to us was we were what whats
		when where which while who whom whose why will with would you your im ive id dont cant isnt`) {
		words[w] = true
	}
	return words
}()
