package knowledge_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/blobs"
	"parley/impl/core/chunk"
	"parley/impl/core/crawl"
	"parley/impl/core/extract"
	"parley/impl/core/fault"
	"parley/impl/core/job"
	"parley/impl/core/knowledge"
	"parley/impl/core/secret"
)

// clock is the real time plus what tests add.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Now().Add(time.Duration(c.ahead.Load())).UTC().Truncate(time.Microsecond)
}

func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

// site is a web site in memory: its pages' texts by URL.
type site struct {
	mu      sync.Mutex
	order   []string
	pages   map[string]crawl.Fetched
	faults  map[string][]error // what the next fetches of a page fail with
	fetches map[string]int
	listing error
	before  func(url string) // called in front of a fetch
	inline  bool             // the listing brings the pages with it
}

func newSite() *site {
	return &site{pages: map[string]crawl.Fetched{}, faults: map[string][]error{}, fetches: map[string]int{}}
}

func (s *site) put(url, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.pages[url]; !there {
		s.order = append(s.order, url)
	}
	s.pages[url] = crawl.Fetched{URL: url, Status: 200, ContentType: "text/plain", Body: []byte(text), ETag: fmt.Sprintf(`"%x"`, len(text)*31+int(text[0]))}
}

func (s *site) answer(url string, status int) {
	s.put(url, "-")
	s.pages[url] = crawl.Fetched{URL: url, Status: status}
}

func (s *site) unlist(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, u := range s.order {
		if u == url {
			s.order = append(s.order[:i], s.order[i+1:]...)
			return
		}
	}
}

func (s *site) fetched(url string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fetches[url]
}

func (s *site) Discover(_ context.Context, _ string, _ crawl.Limits, found func(crawl.Link) error) error {
	s.mu.Lock()
	urls, pages, err := append([]string{}, s.order...), s.pages, s.listing
	s.mu.Unlock()
	if err != nil {
		return err
	}
	for _, url := range urls {
		l := crawl.Link{URL: url}
		if s.inline {
			page := pages[url]
			l.Page = &page
		}
		if err := found(l); err != nil {
			return err
		}
	}
	return nil
}

func (s *site) Fetch(ctx context.Context, url string, known crawl.Validators) (crawl.Fetched, error) {
	if s.before != nil {
		s.before(url)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return crawl.Fetched{}, ctx.Err()
	}
	s.fetches[url]++
	if waiting := s.faults[url]; len(waiting) > 0 {
		s.faults[url] = waiting[1:]
		return crawl.Fetched{}, waiting[0]
	}
	p, there := s.pages[url]
	switch {
	case !there:
		return crawl.Fetched{URL: url, Status: 404}, nil
	case p.ETag != "" && p.ETag == known.ETag:
		return crawl.Fetched{URL: url, Status: 304, NotModified: true}, nil
	}
	return p, nil
}

// plain reads texts: the first line is the title, "lang: xx" on the second the
// language, blank lines part paragraphs.
type plain struct{}

func (plain) Extract(_ context.Context, name, _ string, content []byte) (extract.Document, error) {
	text := string(content)
	if strings.HasPrefix(text, "%BROKEN") {
		return extract.Document{}, fault.New(fault.Invalid, "The file is damaged.")
	}
	title, rest, _ := strings.Cut(text, "\n")
	d := extract.Document{Title: title, NoIndex: title == "noindex"}
	if language, after, ok := strings.Cut(strings.TrimPrefix(rest, "lang: "), "\n"); ok && strings.HasPrefix(rest, "lang: ") {
		d.Language, rest = language, after
	}
	for p := range strings.SplitSeq(rest, "\n\n") {
		if p = strings.TrimSpace(p); p != "" {
			d.Blocks = append(d.Blocks, extract.Block{Kind: extract.Paragraph, Text: p})
		}
	}
	return d, nil
}

// split makes a chunk of each paragraph.
func split(d extract.Document, _ chunk.Limits) []chunk.Chunk {
	var out []chunk.Chunk
	for _, b := range d.Blocks {
		language := d.Language
		if language == "" {
			language = "english"
		}
		out = append(out, chunk.Chunk{Heading: d.Title, Text: b.Text, Tokens: len(b.Text) / 4, Language: language})
	}
	return out
}

// bundle is an account with an empty collection and a service on a site.
type bundle struct {
	*knowledge.Service
	db         *db.DB
	dsn        string
	raw        *sqlx.DB
	clock      *clock
	site       *site
	folder     string
	account    string
	collection string
}

func setup(t testing.TB) *bundle {
	t.Helper()
	d := dbtest.New(t)
	return setupOn(t, d, dbtest.DSN(t))
}

func setupOn(t testing.TB, d *db.DB, dsn string) *bundle {
	t.Helper()
	raw, err := sqlx.Connect("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	b := &bundle{db: d, dsn: dsn, raw: raw, clock: &clock{}, site: newSite(), folder: t.TempDir(), account: dbtest.Account(t, d, "free", 0)}
	b.Service = service(t, d, b.folder, b.clock.now, b.site)
	c, err := b.Create(t.Context(), b.account, "Help")
	if err != nil {
		t.Fatal(err)
	}
	b.collection = c.ID
	return b
}

func service(t testing.TB, d *db.DB, folder string, now func() time.Time, c knowledge.Crawler) *knowledge.Service {
	t.Helper()
	box, err := secret.NewBox(strings.Repeat("k", 32))
	if err != nil {
		t.Fatal(err)
	}
	store, err := blobs.Open(context.Background(), folder, box)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return &knowledge.Service{DB: d, Blobs: store, Crawler: c, Reader: plain{}, Split: split, Now: now, Log: slog.New(slog.DiscardHandler)}
}

// start runs the jobs of the bundle's database until the test ends.
func (b *bundle) start(t testing.TB) {
	t.Helper()
	r := job.NewRunner(b.db, slog.New(slog.DiscardHandler), b.clock.now)
	b.Handle(r)
	r.Start()
	t.Cleanup(func() { r.Stop(expired()) })
}

// expired is a context that has ended.
func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// own is a bundle whose jobs nobody else's runner takes.
func own(t testing.TB) *bundle {
	t.Helper()
	b := ownIdle(t)
	b.start(t)
	return b
}

// ownIdle is own without anybody who does its jobs.
func ownIdle(t testing.TB) *bundle {
	t.Helper()
	d, dsn := dbtest.Own(t)
	return setupOn(t, d, dsn)
}

// eventually waits until good is true.
func eventually(t testing.TB, what string, good func() bool) {
	t.Helper()
	tick, deadline := time.NewTicker(10*time.Millisecond), time.After(2*time.Minute)
	defer tick.Stop()
	for !good() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("in vain waited until " + what)
		}
	}
}

// idle waits until nothing is under way in the collection, and returns its progress.
func (b *bundle) idle(t testing.TB) knowledge.Progress {
	t.Helper()
	var last knowledge.Progress
	for p, err := range b.Watch(t.Context(), b.account, b.collection, 10*time.Millisecond) {
		if err != nil {
			t.Fatal(err)
		}
		last = p
	}
	return last
}

// addSite ingests the bundle's site.
func (b *bundle) addSite(t testing.TB, set knowledge.SourceSettings) db.Source {
	t.Helper()
	source, err := b.AddSite(t.Context(), b.account, b.collection, "https://site.test", set)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func (b *bundle) scope() knowledge.Scope {
	return knowledge.Scope{AccountID: b.account, Collections: []string{b.collection}}
}

func (b *bundle) search(t testing.TB, question string) []knowledge.Passage {
	t.Helper()
	found, err := b.Search(t.Context(), b.scope(), knowledge.Query{Question: question})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// page returns the stored page at a URL of the site.
func (b *bundle) page(t testing.TB, source db.Source, url string) db.Page {
	t.Helper()
	p, err := b.db.PageByURL(t.Context(), b.account, source.ID, url)
	if err != nil {
		t.Fatalf("page %s: %v", url, err)
	}
	return p
}

// count runs a query that answers one number.
func (b *bundle) count(t testing.TB, query string, args ...any) int {
	t.Helper()
	var n int
	if err := b.raw.Get(&n, query, args...); err != nil {
		t.Fatal(err)
	}
	return n
}

func wantKind(t testing.TB, err error, want fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != want {
		t.Errorf("got error %v, want a fault of kind %s", err, want)
	}
}
