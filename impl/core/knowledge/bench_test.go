package knowledge_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
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

// fill stores chunks of about 130 words on pages of 50 chunks.
func (b *bundle) fill(t testing.TB, v vocabulary, collectionID string, chunks int) {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(chunks), 7))
	source := db.Source{AccountID: b.account, ID: id.New(id.Source), CollectionID: collectionID, Number: id.Number(), Kind: db.SourceSite, URL: "u",
		Refresh: "never", Schedule: []byte("[]"), RefreshExistingPages: "never", State: db.SourceReady, CreatedAt: b.clock.now()}
	if err := b.db.InsertSource(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	const perPage = 50
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

// Searches are measured beside other collections of the same size and of others. Without the flag it shows that
// collections are filled and found; `make search-bench` prints the figures of the README.
func TestSearchIsFastBesideOthers(t *testing.T) {
	sizes := []int{1000}
	if *searchBench {
		sizes = []int{1000, 20_000, 100_000}
	}
	v, b := newVocabulary(20_000), ownIdle(t)
	pool := b.Service
	one := service(t, dbtest.Open(t, b.dsn, 1), b.folder, b.clock.now, b.site)
	for _, size := range sizes {
		b.Service = pool
		b.must(t, "drop index chunks_terms") // filled first and indexed then, it is there sooner
		for range 2 {
			c, err := b.Create(t.Context(), b.account, "Large")
			if err != nil {
				t.Fatal(err)
			}
			b.collection = c.ID
			b.fill(t, v, c.ID, size)
			if err := b.db.CountTerms(t.Context(), b.account, c.ID, b.clock.now()); err != nil {
				t.Fatal(err)
			}
		}
		b.must(t, "create index chunks_terms on chunks using gin (terms) with (fastupdate = off)")
		b.must(t, "vacuum analyze")
		b.Service = one
		for kind, question := range questions(v, rand.New(rand.NewPCG(1, 2))) {
			m := b.measure(t, question)
			t.Logf("%7d chunks, %-6s words: p50 %5.1f ms, p95 %5.1f ms; processor time of Postgres p50 %5.1f ms, p95 %5.1f ms; %3.1f passages",
				size, kind, m.p50, m.p95, m.cpu50, m.cpu95, m.passages)
			if m.passages == 0 {
				t.Errorf("%s words found nothing among %d chunks", kind, size)
			}
		}
	}
}

func (b *bundle) must(t testing.TB, statement string) {
	t.Helper()
	if _, err := b.raw.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// measured are milliseconds of searches. The processor time of Postgres tells what a search costs also
// where the machine has other work to do; it is 0 where the system does not tell it.
type measured struct{ p50, p95, cpu50, cpu95, passages float64 }

// measure asks 100 questions after some to warm up, on one connection.
func (b *bundle) measure(t testing.TB, question func() string) measured {
	t.Helper()
	backend := b.count(t, `select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
		order by backend_start desc limit 1`)
	var took, worked []float64
	var m measured
	const times = 100
	for i := range times + 10 {
		text := question()
		began, cpu := time.Now(), onProcessor(backend)
		passages, err := b.Search(t.Context(), b.scope(), knowledge.Query{Question: text})
		if err != nil {
			t.Fatal(err)
		}
		if i >= 10 {
			took = append(took, ms(time.Since(began)))
			worked = append(worked, ms(onProcessor(backend)-cpu))
			m.passages += float64(len(passages)) / times
		}
	}
	slices.Sort(took)
	slices.Sort(worked)
	m.p50, m.p95, m.cpu50, m.cpu95 = took[times/2], took[times*95/100], worked[times/2], worked[times*95/100]
	return m
}

// onProcessor is how long a process has been on a processor, as Linux counts it.
func onProcessor(pid int) time.Duration {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		return 0
	}
	var ns int64
	_, _ = fmt.Sscan(string(raw), &ns)
	return time.Duration(ns)
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }
