package knowledge_test

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/db"
	"parley/impl/core/id"
	"parley/impl/core/knowledge"
)

var searchBench = flag.Bool("search-bench", false, "measure searches in collections of 1,000, 20,000 and 100,000 chunks instead of 1,000")

// vocabulary draws words as natural texts do: the most frequent one stands in nearly every chunk.
type vocabulary struct {
	words []string
	sums  []float64
}

func newVocabulary(n int) vocabulary {
	v := vocabulary{make([]string, n), make([]float64, n)}
	syllables := strings.Fields("ba ke di mo lu ra ne si to vu pa ge ri no fu la me ti so du ka be li po mu na te vi go zu")
	total := 0.0
	for i := range n {
		for j := i + 31; j > 0; j /= len(syllables) {
			v.words[i] += syllables[j%len(syllables)]
		}
		v.words[i] += "x" // nothing that a stemmer would cut
		total += 1 / float64(i+2)
		v.sums[i] = total
	}
	return v
}

func (v vocabulary) word(r *rand.Rand) string {
	i, _ := slices.BinarySearch(v.sums, r.Float64()*v.sums[len(v.sums)-1])
	return v.words[min(i, len(v.words)-1)]
}

// fill stores chunks of about 130 words on pages of 20 chunks.
func (b *bundle) fill(t testing.TB, v vocabulary, collectionID string, chunks int) {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(chunks), 7))
	source := db.Source{AccountID: b.account, ID: id.New(id.Source), CollectionID: collectionID, Number: id.Number(), Kind: db.SourceSite, URL: "u",
		Refresh: "never", Schedule: []byte("[]"), RefreshExistingPages: "never", State: db.SourceReady, CreatedAt: b.clock.now()}
	if err := b.db.InsertSource(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	const perPage = 20
	for done := 0; done < chunks; done += perPage {
		p := db.Page{AccountID: b.account, ID: id.New(id.Page), CollectionID: collectionID, SourceID: source.ID, Number: id.Number(),
			URL: fmt.Sprint("u/", done), CrawlState: "ok", IndexState: "ok", Metadata: []byte("{}"), Chunks: perPage, CreatedAt: b.clock.now(), UpdatedAt: b.clock.now()}
		rows := make([]db.Chunk, perPage)
		for i := range rows {
			var text strings.Builder
			for range 130 {
				text.WriteString(v.word(r) + " ")
			}
			rows[i] = db.Chunk{Heading: "Heading", Body: text.String(), Tokens: 300, Language: "english", Title: v.word(r), Above: v.word(r), Words: text.String()}
		}
		err := b.db.InTx(t.Context(), func(q *db.Queries) error {
			if err := q.InsertPage(t.Context(), p); err != nil {
				return err
			}
			if err := q.FinishPage(t.Context(), p); err != nil {
				return err
			}
			return q.ReplaceChunks(t.Context(), p, rows)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// questions of three words and more: of rare ones, of mixed ones as people ask, of common ones alone.
func questions(v vocabulary, r *rand.Rand) map[string]func() string {
	pick := func(from, to int) string { return v.words[from+r.IntN(to-from)] }
	return map[string]func() string{
		"rare": func() string {
			return strings.Join([]string{pick(2000, 8000), pick(2000, 8000), pick(2000, 8000)}, " ")
		},
		"mixed": func() string {
			return strings.Join([]string{pick(0, 20), pick(0, 80), pick(50, 500), pick(500, 5000), v.word(r), v.word(r)}, " ")
		},
		"common": func() string { return strings.Join([]string{pick(0, 10), pick(0, 30), pick(0, 60)}, " ") },
	}
}

// Searches are measured beside other collections of the same size. Without the flag it shows that
// the collections are filled and found; `make search-bench` prints the figures of the README.
func TestSearchIsFastBesideOthers(t *testing.T) {
	sizes := []int{1000}
	if *searchBench {
		sizes = []int{1000, 20_000, 100_000}
	}
	v := newVocabulary(20_000)
	for _, size := range sizes {
		b := own(t)
		others := 1
		if size <= 20_000 {
			others = 3
		}
		for range others {
			c, err := b.Create(t.Context(), b.account, "Other")
			if err != nil {
				t.Fatal(err)
			}
			b.fill(t, v, c.ID, size)
		}
		b.fill(t, v, b.collection, size)
		began := time.Now()
		if err := b.db.CountTerms(t.Context(), b.account, b.collection, b.clock.now()); err != nil {
			t.Fatal(err)
		}
		counted := time.Since(began)
		if _, err := b.raw.Exec("vacuum analyze chunks"); err != nil {
			t.Fatal(err)
		}
		for kind, question := range questions(v, rand.New(rand.NewPCG(1, 2))) {
			p50, p95, found := b.measure(t, question)
			t.Logf("%7d chunks beside %d × as many, %-6s words: p50 %5.1f ms, p95 %5.1f ms, %4.1f passages", size, others, kind, ms(p50), ms(p95), found)
			if found == 0 {
				t.Errorf("%s words found nothing among %d chunks", kind, size)
			}
		}
		t.Logf("%7d chunks: counting the words took %.0f ms", size, ms(counted))
	}
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

// measure runs 60 questions after some to warm up.
func (b *bundle) measure(t testing.TB, question func() string) (p50, p95 time.Duration, found float64) {
	t.Helper()
	var took []time.Duration
	for i := range 70 {
		text := question()
		began := time.Now()
		passages, err := b.Search(context.Background(), b.scope(), knowledge.Query{Question: text})
		if err != nil {
			t.Fatal(err)
		}
		if i >= 10 {
			took = append(took, time.Since(began))
			found += float64(len(passages)) / 60
		}
	}
	slices.Sort(took)
	return took[len(took)/2], took[int(math.Ceil(float64(len(took))*0.95))-1], found
}
