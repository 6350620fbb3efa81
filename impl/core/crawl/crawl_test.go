package crawl_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/impl/core/crawl"
	"parley/impl/core/crawl/sitetest"
	"parley/impl/core/extract"
	"parley/impl/core/fault"
	"parley/impl/outbound"
)

func TestMain(m *testing.M) {
	extract.RunChild()
	os.Exit(m.Run())
}

// clock stands still but for what is waited.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	waits []time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Wait(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.waits = append(c.waits, d)
	return ctx.Err()
}

func crawler(interval time.Duration) (*crawl.Crawler, *clock) {
	clock := &clock{now: time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)}
	return crawl.New(crawl.Options{
		Web: outbound.NewGetter(outbound.Options{Allow: sitetest.Allow}), Pages: extract.New(extract.Limits{}),
		Interval: interval, Now: clock.Now, Wait: clock.Wait,
	}), clock
}

// discover returns the paths that are reported, and how many with their page.
func discover(t *testing.T, site *sitetest.Site, start string, limits crawl.Limits) (paths map[string]crawl.Link) {
	t.Helper()
	c, _ := crawler(-1)
	paths = map[string]crawl.Link{}
	err := c.Discover(t.Context(), start, limits, func(l crawl.Link) error {
		path := strings.TrimPrefix(l.URL, site.URL)
		if _, twice := paths[path]; twice || path == l.URL {
			t.Errorf("%s is reported twice, or is another site's", l.URL)
		}
		paths[path] = l
		return nil
	})
	if err != nil {
		t.Fatalf("Discover(%s): %v", start, err)
	}
	return paths
}

func wantArticles(t *testing.T, paths map[string]crawl.Link, from int) {
	t.Helper()
	for n := from; n <= sitetest.Articles; n++ {
		if _, ok := paths[fmt.Sprintf("/p/%d", n)]; !ok {
			t.Errorf("article %d is missing", n)
		}
	}
}

// private is a server on an address that must not be reached.
func private(t *testing.T) (address string, reached *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	reached = new(atomic.Int32)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			reached.Add(1)
			conn.Close()
		}
	}()
	return l.Addr().String(), reached
}

func TestASitemapIsFoundByRobots(t *testing.T) {
	t.Parallel()
	forbidden, reached := private(t)
	site := sitetest.Start(t, sitetest.Options{Sitemap: true, Forbidden: "http://" + forbidden + "/"})
	paths := discover(t, site, site.Host, crawl.Limits{}) // without a scheme
	wantArticles(t, paths, 1)
	if len(paths) != sitetest.Articles+2 || paths["/latin"].URL == "" || paths["/"].Page == nil {
		t.Errorf("%d pages; want the articles, the start and /latin", len(paths))
	}
	if got := paths["/p/7"].LastModified; !got.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("modified %s", got)
	}
	if site.Hits("/p/1") != 0 || site.Hits("/sitemap/0") != 1 || site.Hits("/private/y") != 0 || reached.Load() != 0 {
		t.Errorf("articles read %d, index read %d, private page read %d, forbidden address reached %d times", site.Hits("/p/1"), site.Hits("/sitemap/0"), site.Hits("/private/y"), reached.Load())
	}
}

func TestASitemapCanBeTheStart(t *testing.T) {
	t.Parallel()
	site := sitetest.Start(t, sitetest.Options{Sitemap: true})
	if paths := discover(t, site, site.URL+"/sitemap/2", crawl.Limits{}); len(paths) != sitetest.Articles/2 || paths["/p/400"].URL == "" {
		t.Errorf("%d pages of the packed sitemap", len(paths))
	}
	if paths := discover(t, site, site.URL+"/sitemap/0", crawl.Limits{Pages: 150}); len(paths) != 150 {
		t.Errorf("%d pages under a ceiling of 150", len(paths))
	}
}

func TestASiteWithoutSitemapIsFollowed(t *testing.T) {
	t.Parallel()
	forbidden, reached := private(t)
	site := sitetest.Start(t, sitetest.Options{Feed: true, Forbidden: "http://" + forbidden + "/"})
	paths := discover(t, site, site.URL, crawl.Limits{Depth: 6})
	wantArticles(t, paths, sitetest.Copies+1) // of those before, the copy may be found first
	for _, path := range []string{"/", "/section/20", "/only-in-feed", "/from-noindex", "/nofollow", "/latin"} {
		if l, ok := paths[path]; !ok || l.Page == nil || l.Page.Status != 200 {
			t.Errorf("%s is missing", path)
		}
	}
	for path := range paths {
		first, _, _ := strings.Cut(strings.Trim(path, "/"), "/")
		if slices.Contains([]string{"r", "c", "noindex", "from-nofollow", "header", "private", "picture.jpg"}, first) {
			t.Errorf("%s is reported", path)
		}
	}
	for _, path := range []string{"/broken/1", "/broken/2", "/broken/3", "/broken/4", "/broken/5", "/loop/0", "/deep/1"} {
		if l, ok := paths[path]; !ok || l.Page != nil {
			t.Errorf("%s: reported %t, with page %t; want it reported without", path, ok, l.Page != nil)
		}
	}
	copies := 0
	for n := 1; n <= sitetest.Copies; n++ {
		for _, path := range []string{fmt.Sprintf("/copy/%d", n), fmt.Sprintf("/p/%d", n)} {
			if _, ok := paths[path]; ok {
				copies++
			}
		}
	}
	if copies != sitetest.Copies {
		t.Errorf("of %d articles and their copies %d are reported", sitetest.Copies, copies)
	}
	if reached.Load() != 0 {
		t.Errorf("the forbidden address was reached %d times", reached.Load())
	}
}

func TestCeilingsEndASearch(t *testing.T) {
	t.Parallel()
	site := sitetest.Start(t, sitetest.Options{})
	if paths := discover(t, site, site.URL+"/calendar/1", crawl.Limits{Depth: 3}); len(paths) != 4 {
		t.Errorf("%d pages three clicks deep", len(paths))
	}
	if paths := discover(t, site, site.URL+"/calendar/1", crawl.Limits{Pages: 20, Depth: 1000}); len(paths) != 20 {
		t.Errorf("%d pages of 20", len(paths))
	}
	c, _ := crawler(-1)
	stop := errors.New("stop")
	if err := c.Discover(t.Context(), site.URL, crawl.Limits{}, func(crawl.Link) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("err = %v", err)
	}
}

func TestFetchFollowsAndRefuses(t *testing.T) {
	t.Parallel()
	site := sitetest.Start(t, sitetest.Options{})
	c, _ := crawler(-1)
	got, err := c.Fetch(t.Context(), site.URL+"/r/3#part", crawl.Validators{})
	if err != nil || got.Status != 200 || got.URL != site.URL+"/p/3" || !strings.Contains(string(got.Body), sitetest.Text(3)) {
		t.Errorf("redirected: %+v, %v", got.URL, err)
	}
	for path, want := range map[string]string{
		"/loop/0": "circle", "/deep/1": "more than 5", "/private/x": "robots.txt", "/hostile/4": "not allowed", "/hostile/5": "not allowed", "/hostile/7": "larger",
	} {
		_, err := c.Fetch(t.Context(), site.URL+path, crawl.Validators{})
		if f := fault.From(err); err == nil || f.Kind != fault.Invalid || !strings.Contains(f.Message, want) {
			t.Errorf("%s: %v; want %q", path, err, want)
		}
	}
	for _, path := range []string{"/broken/3", "/broken/4"} {
		if _, err := c.Fetch(t.Context(), site.URL+path, crawl.Validators{}); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: %v", path, err)
		}
	}
	if got, err := c.Fetch(t.Context(), site.URL+"/broken/2", crawl.Validators{}); err != nil || got.Status != 410 {
		t.Errorf("gone: %d, %v", got.Status, err)
	}
	if got, err := c.Fetch(t.Context(), site.URL+"/header", crawl.Validators{}); err != nil || !got.NoIndex || !got.NoFollow {
		t.Errorf("X-Robots-Tag: %+v, %v", got.NoIndex, err)
	}
	if agents := site.Agents(); len(agents) != 1 || !strings.HasPrefix(agents[0], "Parley/") {
		t.Errorf("agents %q", agents)
	}
}

func TestAnUnchangedPageIsNotSentAgain(t *testing.T) {
	t.Parallel()
	site := sitetest.Start(t, sitetest.Options{})
	c, _ := crawler(-1)
	first, err := c.Fetch(t.Context(), site.URL+"/p/9", crawl.Validators{})
	if err != nil || first.ETag == "" || first.LastModified == "" {
		t.Fatalf("first: %+v, %v", first.ETag, err)
	}
	known := crawl.Validators{ETag: first.ETag, LastModified: first.LastModified}
	if again, err := c.Fetch(t.Context(), site.URL+"/p/9", known); err != nil || !again.NotModified || again.Body != nil || again.ETag != first.ETag {
		t.Errorf("again: %+v, %v", again, err)
	}
	site.Change(9, "Something new stands here.")
	if changed, err := c.Fetch(t.Context(), site.URL+"/p/9", known); err != nil || changed.NotModified || !strings.Contains(string(changed.Body), "Something new") {
		t.Errorf("changed: %t, %v", changed.NotModified, err)
	}
}
