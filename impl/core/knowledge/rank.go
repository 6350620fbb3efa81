package knowledge

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"parley/db"
)

const (
	// candidatesMax is how many chunks of a collection are measured word by word.
	candidatesMax = 48
	// enough is how many chunks make it unnecessary to match on common words, too.
	enough = 12
	// uncounted is taken for the size of a collection whose words were never counted.
	uncounted = 1000
	// wordsMax is how many words of a question count: its rarest.
	wordsMax = 16
	// contextWeight is what a word of an earlier question counts, against one of the question.
	contextWeight = 0.4
	// prefixWeight is what a word counts that only begins like the one asked for.
	prefixWeight = 0.5
	// prefixShare is the share of chunks above which a word is common enough without what begins like it.
	prefixShare = 0.01
	// keepShare is how much of the best passage's score another one has to have to be worth reading.
	keepShare = 0.5
	// prefixRunesMin keeps short words from matching half the dictionary.
	prefixRunesMin = 5
	// supportMin is the least share of a question's words, by their rarity, that a passage holds which supports an answer.
	supportMin = 0.18
	// fusionRank is the constant of reciprocal rank fusion.
	fusionRank = 60
	// vectorShare is what the order by vectors counts against that by text: meaning settles what words leave open.
	vectorShare = 1.2
)

// word is a word of a question with its spellings in the collection's languages.
type word struct {
	terms  []string
	chunks int64   // in how many chunks it stands; about, when it is rare
	weight float64 // 1, less for words of an earlier question
	prefix bool    // words that begin like it count, too
}

// words are what a question is searched by, the rarest first.
type words struct {
	all   []word
	total int64 // chunks of the collection
}

// spot is a word's place in the texts of a question.
type spot struct{ text, position int }

// idle returns the places of words that say nothing in the language of the
// question, which is the one that knows most of its words as such.
func idle(terms []db.QuestionTerm) map[spot]bool {
	places, kept := map[spot]bool{}, map[string]map[spot]bool{}
	for _, t := range terms {
		at := spot{t.Text, t.Position}
		places[at] = true
		for _, language := range t.Languages {
			if kept[language] == nil {
				kept[language] = map[spot]bool{}
			}
			kept[language][at] = true
		}
	}
	fewest := places
	for _, language := range slices.Sorted(maps.Keys(kept)) {
		if len(kept[language]) < len(fewest) {
			fewest = kept[language]
		}
	}
	for at := range fewest {
		delete(places, at)
	}
	return places
}

// readWords groups terms by the words that they spell.
func readWords(terms []db.QuestionTerm) words {
	w := words{total: terms[0].Total}
	if w.total == 0 {
		w.total = uncounted
	}
	place, seen, idle := map[spot]int{}, map[string]bool{}, idle(terms)
	for _, t := range terms {
		if seen[t.Term] || idle[spot{t.Text, t.Position}] {
			continue
		}
		seen[t.Term] = true
		at, there := place[spot{t.Text, t.Position}]
		if !there {
			at = len(w.all)
			place[spot{t.Text, t.Position}] = at
			one := word{weight: 1, chunks: max(1, w.total/2000)}
			if t.Text > 0 {
				one.weight = contextWeight
			}
			w.all = append(w.all, one)
		}
		one := &w.all[at]
		one.terms = append(one.terms, t.Term)
		if t.Chunks != nil {
			one.chunks = max(one.chunks, *t.Chunks)
		}
	}
	for i := range w.all {
		w.all[i].prefix = float64(w.all[i].chunks) <= max(1, prefixShare*float64(w.total))
	}
	slices.SortStableFunc(w.all, func(a, b word) int {
		return cmp.Or(cmp.Compare(a.chunks, b.chunks), cmp.Compare(b.weight, a.weight))
	})
	w.all = w.all[:min(len(w.all), wordsMax)]
	return w
}

// budget is about how many chunks a search may look at.
func (w words) budget() int { return int(200 + w.total/40) }

// queries are the terms of all words, each alone, and its prefix where one is searched for.
func (w words) queries() []string {
	var out []string
	for _, one := range w.all {
		out = append(out, one.queries()...)
	}
	return out
}

func (w word) queries() []string {
	var out []string
	for _, t := range w.terms {
		out = append(out, db.Quoted(t, false))
		if w.prefix && prefixable(t) {
			out = append(out, db.Quoted(t, true))
		}
	}
	return out
}

// prefixable tells whether words that begin like a term may be searched for, too:
// "refund" finds "refundable", "Rückgabe" finds "Rückgabefrist".
func prefixable(term string) bool {
	return utf8.RuneCountInString(term) >= db.TermPrefix+prefixRunesMin && strings.IndexFunc(term[db.TermPrefix:], func(r rune) bool { return !unicode.IsLetter(r) }) < 0
}

func (w words) any() string { return strings.Join(w.queries(), " | ") }

// matches are the queries by which chunks are found, in the order of trying:
// any of the rarest words that the budget allows for; then all of the common
// ones; then the rarest of these.
func (w words) matches() []string {
	var rare []string
	next, sum := 0, int64(0)
	for ; next < len(w.all) && sum+w.all[next].chunks <= int64(w.budget()); next++ {
		sum += w.all[next].chunks
		rare = append(rare, w.all[next].queries()...)
	}
	var out []string
	if len(rare) > 0 {
		out = append(out, strings.Join(rare, " | "))
	}
	rest := w.all[next:]
	if len(rest) > 1 {
		var all []string
		for _, one := range rest[:min(len(rest), 4)] {
			all = append(all, "("+strings.Join(one.queries(), " | ")+")")
		}
		out = append(out, strings.Join(all, " & "))
	}
	if len(rest) > 0 {
		out = append(out, strings.Join(rest[0].queries(), " | "))
	}
	return out
}

// candidate is a chunk with its score.
type candidate struct {
	ref   db.ChunkRef
	score float64
}

func byScore(a, b candidate) int {
	return cmp.Or(cmp.Compare(b.score, a.score), strings.Compare(a.ref.PageID, b.ref.PageID), cmp.Compare(a.ref.Seq, b.ref.Seq))
}

// rarity is the weight of a word by the share of chunks that hold it, as in BM25.
func (w words) rarity(one word) float64 {
	n, held := float64(w.total), float64(min(one.chunks, w.total))
	return one.weight * math.Log(1+(n-held+0.5)/(held+0.5))
}

// score measures chunks: how strongly they hold each word, by its rarity, and
// how much of the question they hold at all. Those that support no answer are left out.
func (w words) score(found []db.MatchedChunk) []candidate {
	var whole float64
	for _, one := range w.all {
		whole += w.rarity(one)
	}
	var out []candidate
	for _, m := range found {
		var sum, held float64
		at := 0
		for _, one := range w.all {
			strength := 0.0
			for _, t := range one.terms {
				strength = max(strength, m.Ranks[at])
				at++
				if one.prefix && prefixable(t) {
					strength = max(strength, prefixWeight*m.Ranks[at])
					at++
				}
			}
			if strength > 0 {
				held += w.rarity(one)
				sum += w.rarity(one) * strength
			}
		}
		support := held / whole
		if support >= supportMin {
			out = append(out, candidate{db.ChunkRef{PageID: m.PageID, Seq: m.Seq}, sum * (0.3 + 0.7*support)})
		}
	}
	slices.SortStableFunc(out, byScore)
	return out
}

// fuse joins the order by text with that by likeness to the question's vector, by
// reciprocal ranks. Near are those that were found by their vectors, maybe by words, too. Without a vector the order by text stands.
func fuse(byText []candidate, found []db.MatchedChunk, near []db.NearChunk, vector []float32) []candidate {
	if vector == nil {
		return byText
	}
	var byVector []candidate
	byWords := map[db.ChunkRef]bool{}
	for _, m := range found {
		byWords[db.ChunkRef{PageID: m.PageID, Seq: m.Seq}] = true
		if len(m.Embedding) != len(vector) {
			continue
		}
		if likeness := cosine(m.Embedding, vector); likeness > 0 {
			byVector = append(byVector, candidate{db.ChunkRef{PageID: m.PageID, Seq: m.Seq}, likeness})
		}
	}
	for _, n := range near {
		if ref := (db.ChunkRef{PageID: n.PageID, Seq: n.Seq}); !byWords[ref] && n.Likeness >= likenessMin {
			byVector = append(byVector, candidate{ref, n.Likeness})
		}
	}
	slices.SortStableFunc(byVector, byScore)
	sums := map[db.ChunkRef]float64{}
	for i, c := range byText {
		sums[c.ref] += 1 / float64(fusionRank+i+1)
	}
	for i, c := range byVector {
		sums[c.ref] += vectorShare / float64(fusionRank+i+1)
	}
	var out []candidate
	for ref, sum := range sums {
		out = append(out, candidate{ref, sum})
	}
	slices.SortFunc(out, byScore)
	return out
}

// cosine is 0 for a vector without length.
func cosine(a, b []float32) float64 {
	var dot, aa, bb float64
	for i := range a {
		dot += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return dot / math.Sqrt(aa*bb)
}
