package knowledge_test

import (
	"strings"
	"testing"
	"time"

	"parley/impl/core/chunk"
	"parley/impl/core/crawl"
	"parley/impl/core/crawl/sitetest"
	"parley/impl/core/extract"
	"parley/impl/core/knowledge"
	"parley/impl/outbound"
)

// real lets the bundle crawl, read and cut as the server does, without politeness.
func (b *bundle) real() {
	reader := extract.New(extract.Limits{})
	b.Reader, b.Split = reader, chunk.Split
	b.Crawler = crawl.New(crawl.Options{Web: outbound.NewGetter(outbound.Options{Allow: sitetest.Allow}), Pages: reader, Interval: -1})
}

// A site of 500 addresses, with redirects, circles, doubles, broken and hostile pages, from listing to
// answer; then what changed and vanished, alone.
func TestARealSiteIsIngestedAndRefreshed(t *testing.T) {
	t.Parallel()
	site := sitetest.Start(t, sitetest.Options{Sitemap: true})
	b := own(t)
	b.real()
	set := knowledge.DefaultSettings
	set.RemoveMissingPages = true
	began := time.Now()
	source, err := b.AddSite(t.Context(), b.account, b.collection, site.URL, set)
	if err != nil {
		t.Fatal(err)
	}
	p := b.idle(t)
	took := time.Since(began)
	t.Logf("%d pages found, %d indexed, %d failed in %.1f s: %.0f pages a second", p.Found, p.Indexed, p.Failed, took.Seconds(), float64(p.Found)/took.Seconds())
	if !p.Ready || p.Indexed < 200 || p.Queued > 0 {
		t.Fatalf("progress %+v", p)
	}
	for _, n := range []int{3, 77, 200} {
		found := b.search(t, "What is the code word of article "+sitetest.Word(n)+"?")
		if len(found) == 0 || !strings.Contains(found[0].Text, sitetest.Text(n)) {
			t.Errorf("article %d: found %v", n, titles(found))
		}
	}
	indexed := b.count(t, "select count(*) from pages where source_id = $1 and indexed_at is not null", source.ID)
	before := b.clock.now()
	site.Change(3, "The new word is zanzibarian.")
	site.Remove(77)
	b.clock.forward(time.Minute)
	b.sync(t, source)
	if found := b.search(t, "zanzibarian"); len(found) != 1 {
		t.Errorf("the changed page: found %v", titles(found))
	}
	if found := b.search(t, sitetest.Word(77)); len(found) != 0 {
		t.Errorf("the removed page: found %v", titles(found))
	}
	again := b.count(t, "select count(*) from pages where source_id = $1 and indexed_at > $2", source.ID, before)
	if again == 0 || again > 20 {
		t.Errorf("%d of %d pages were indexed again", again, indexed)
	}
}
