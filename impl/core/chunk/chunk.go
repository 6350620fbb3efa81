// Package chunk cuts documents into the passages that are searched and cited.
//
// A chunk stays within one section of the document, so that its heading path
// says what it is about, and holds whole paragraphs where they fit. What does
// not fit is cut between sentences, tables between rows with their header
// repeated. A chunk that goes on where another ended begins with the last words
// of that one: a sentence that answers a question is then found whole.
package chunk

import (
	"strings"

	"parley/impl/core/extract"
	"parley/impl/core/tokens"
)

// Limits are sizes of chunks in tokens. Zero fields take the defaults.
type Limits struct {
	TokensMax int // of one chunk's text; 400 by default
	TokensMin int // below which neighbouring sections are joined; 120 by default, negative for never
	Overlap   int // repeated at the start of a chunk that continues a section; 40 by default, negative for none
}

// Chunk is one passage.
type Chunk struct {
	Heading  string // the path of headings above it, joined by " › ", the document's title first; "" when there is none
	Text     string // paragraphs are on lines of their own
	Tokens   int    // of Text, at most Limits.TokensMax
	Language string // the Postgres text search configuration for it: "english", "german", … or "simple"
}

func (l Limits) withDefaults() Limits {
	set := func(v *int, value int) {
		if *v == 0 {
			*v = value
		}
	}
	set(&l.TokensMax, 400)
	set(&l.TokensMin, 120)
	set(&l.Overlap, 40)
	l.TokensMin = min(l.TokensMin, l.TokensMax/2)
	l.Overlap = min(max(l.Overlap, 0), l.TokensMax/4)
	return l
}

// Split cuts d, in the document's order. A document without text gives none.
// The same document and limits give the same chunks.
func Split(d extract.Document, limits Limits) []Chunk {
	limits = limits.withDefaults()
	var chunks []Chunk
	// The count of a whole differs from the sum of its pieces' counts by a few.
	budget := limits
	budget.TokensMax -= limits.TokensMax / 32
	for _, s := range joinSmall(sections(d), budget) {
		c := cutter{limits: budget, heading: s.heading()}
		for _, p := range s.parts {
			c.add(p)
		}
		chunks = append(chunks, c.finish()...)
	}
	setLanguages(chunks, d.Language)
	return chunks
}

// part is a piece of text that stays together where it can.
type part struct {
	text   string
	tokens int
	kind   extract.Kind
}

func count(text string) int { return tokens.Count("", text) }

// section is what stands below one heading.
type section struct {
	path   []string // of headings
	parts  []part
	tokens int
}

const (
	separator       = " › "
	headingRunesMax = 500
)

// heading is the path; of a very long one the end, which says most.
func (s section) heading() string {
	path := s.path
	for len(path) > 1 && len(strings.Join(path, separator)) > headingRunesMax {
		path = path[1:]
	}
	runes := []rune(strings.Join(path, separator))
	return string(runes[:min(len(runes), headingRunesMax)])
}

// sections groups blocks by their headings.
func sections(d extract.Document) (all []section) {
	var levels []int
	path := []string{}
	if d.Title != "" {
		path, levels = append(path, d.Title), append(levels, 0)
	}
	current := section{path: path}
	for _, b := range d.Blocks {
		if b.Kind != extract.Heading {
			p := part{text: textOf(b), kind: b.Kind}
			p.tokens = count(p.text)
			current.parts, current.tokens = append(current.parts, p), current.tokens+p.tokens+1
			continue
		}
		all = append(all, current)
		for len(levels) > 0 && levels[len(levels)-1] >= b.Level {
			levels = levels[:len(levels)-1]
		}
		path = append([]string(nil), path[:len(levels)]...)
		if len(path) != 1 || path[0] != b.Text { // the title is mostly the first heading too
			path, levels = append(path, b.Text), append(levels, b.Level)
		}
		current = section{path: path}
	}
	return withoutEmpty(append(all, current))
}

// withoutEmpty drops headings without text below. One that has not even further
// headings below is text itself: on many pages headings are all there is.
func withoutEmpty(all []section) (kept []section) {
	for i, s := range all {
		leads := i+1 < len(all) && len(all[i+1].path) > len(s.path)
		switch {
		case len(s.parts) > 0:
			kept = append(kept, s)
		case !leads && len(s.path) > 1:
			last := s.path[len(s.path)-1]
			p := part{text: last, kind: extract.Paragraph, tokens: count(last)}
			kept = append(kept, section{path: s.path[:len(s.path)-1], parts: []part{p}, tokens: p.tokens})
		}
	}
	return kept
}

func textOf(b extract.Block) string {
	if b.Kind == extract.Item {
		return strings.Repeat("  ", min(max(b.Level, 1), 6)-1) + "- " + b.Text
	}
	return b.Text
}

// joinSmall puts short sections together under what their headings have in
// common; the heading that is lost to the path stands in the text.
func joinSmall(all []section, limits Limits) (joined []section) {
	for _, s := range all {
		if last := len(joined) - 1; last >= 0 {
			if both, ok := join(joined[last], s, limits); ok {
				joined[last] = both
				continue
			}
		}
		joined = append(joined, s)
	}
	return joined
}

func join(a, b section, limits Limits) (section, bool) {
	if min(a.tokens, b.tokens) >= limits.TokensMin {
		return section{}, false
	}
	common := 0
	for common < len(a.path) && common < len(b.path) && a.path[common] == b.path[common] {
		common++
	}
	// Sections that share no more than the document's title are about different things.
	if common < 2 && len(a.path) > 1 && len(b.path) > 1 {
		return section{}, false
	}
	both := section{path: a.path[:common]}
	for _, s := range []section{a, b} {
		if lost := strings.Join(s.path[common:], separator); lost != "" {
			p := part{text: lost, kind: extract.Paragraph, tokens: count(lost)}
			both.parts, both.tokens = append(both.parts, p), both.tokens+p.tokens+1
		}
		both.parts, both.tokens = append(both.parts, s.parts...), both.tokens+s.tokens
	}
	return both, both.tokens <= limits.TokensMax
}
