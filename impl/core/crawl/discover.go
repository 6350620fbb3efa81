package crawl

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"parley/impl/core/fault"
)

func (l Limits) withDefaults() Limits {
	if l.Pages <= 0 {
		l.Pages = 5000
	}
	l.Pages = min(l.Pages, locsMax)
	if l.Depth <= 0 {
		l.Depth = 10
	}
	if l.Sitemaps <= 0 {
		l.Sitemaps = 500
	}
	if l.Duration <= 0 {
		l.Duration = 30 * time.Minute
	}
	return l
}

// errEnough ends a search whose ceilings are reached. It is no failure.
var errEnough = errors.New("enough pages")

// Discover calls found for each page of a site, once a page and one call at a
// time, until found returns an error, which it then returns.
//
// Start is a sitemap, an index of sitemaps, a feed, a list of addresses, or a
// page; its scheme may be missing. For a page, the sitemaps that robots.txt
// names and the usual addresses of sitemaps are tried; without any, the pages
// are followed from link to link, the feeds of the site among them. The pages of
// a site are those of its host, with and without www, below the folder of the
// start page. Left out are pages that robots.txt forbids, that ask not to be
// found (noindex), and further addresses of one page (redirects, canonical
// addresses, equal content), where they have to be read. Pages that could not be
// read are reported: who fetches them will learn why.
//
// Errors are those of Fetch for the start, and fault.Invalid when there is no
// page to report.
func (c *Crawler) Discover(ctx context.Context, start string, limits Limits, found func(Link) error) error {
	limits = limits.withDefaults()
	timed, cancel := context.WithTimeoutCause(ctx, limits.Duration, errEnough)
	defer cancel()
	s := &search{c: c, limits: limits, found: found, seen: map[string]bool{}, waiting: map[string]bool{}, reported: map[string]bool{}, contents: map[[32]byte]bool{}}
	err := s.run(timed, start)
	if errors.Is(err, errEnough) || err != nil && ctx.Err() == nil && errors.Is(context.Cause(timed), errEnough) {
		err = nil
	}
	if err == nil && len(s.reported) == 0 {
		return fault.New(fault.Invalid, "There is no page to read at this address.")
	}
	return err
}

// search is one Discover.
type search struct {
	c        *Crawler
	limits   Limits
	found    func(Link) error
	scope    scope
	seen     map[string]bool   // addresses looked at, by their one spelling
	waiting  map[string]bool   // addresses in the queue
	reported map[string]bool   // addresses given to found
	contents map[[32]byte]bool // of pages that were read
	files    int               // listings read
	queue    []step            // pages to read
}

func (s *search) run(ctx context.Context, start string) error {
	page, err := s.first(ctx, start)
	if err != nil {
		return err
	}
	u, err := parse(page.URL)
	if err != nil {
		return err
	}
	if list := parseListing(page.Body); list != nil && page.Status == 200 {
		s.scope = scope{host: bareHost(u), folder: "/"}
		s.seen[u.String()] = true
		return s.listed(ctx, list, u, 0)
	}
	s.scope = scopeOf(u)
	if err := s.sitemaps(ctx, u); err != nil {
		return err
	}
	if len(s.reported) > 0 {
		return s.report(ctx, u, Link{Page: whole(page)})
	}
	s.queue = append(s.queue, step{address: u, page: &page})
	if err := s.feeds(ctx, u); err != nil {
		return err
	}
	return s.crawl(ctx)
}

// first gets the start. Without a scheme https is tried, then http.
func (s *search) first(ctx context.Context, start string) (Fetched, error) {
	start = strings.TrimSpace(start)
	if strings.Contains(start, "://") {
		return s.c.Fetch(ctx, start, Validators{})
	}
	page, err := s.c.Fetch(ctx, "https://"+start, Validators{})
	if err == nil || ctx.Err() != nil {
		return page, err
	}
	plain, plainErr := s.c.Fetch(ctx, "http://"+start, Validators{})
	if plainErr != nil {
		return Fetched{}, err
	}
	return plain, nil
}

func whole(page Fetched) *Fetched {
	if page.Status != 200 {
		return nil
	}
	return &page
}

// usualSitemaps are tried after those that robots.txt names.
var usualSitemaps = []string{"/sitemap.xml", "/sitemap_index.xml", "/sitemap-index.xml", "/sitemap.xml.gz", "/sitemap.txt"}

func (s *search) sitemaps(ctx context.Context, site *url.URL) error {
	rules, err := s.c.rulesOf(ctx, site)
	if err != nil {
		return err
	}
	for _, named := range rules.Sitemaps {
		u, err := site.Parse(named)
		if err != nil {
			continue
		}
		if err := s.listing(ctx, u, 0); err != nil {
			return err
		}
	}
	for _, path := range usualSitemaps {
		if len(s.reported) > 0 {
			return nil
		}
		if err := s.listing(ctx, &url.URL{Scheme: site.Scheme, Host: site.Host, Path: path}, 0); err != nil {
			return err
		}
	}
	return nil
}

// feedPaths are the usual addresses of feeds.
var feedPaths = []string{"/feed", "/rss.xml", "/feed.xml", "/atom.xml", "/index.xml"}

// feeds reports the newest pages of a site, which links alone may not reach.
func (s *search) feeds(ctx context.Context, site *url.URL) error {
	for _, path := range feedPaths {
		before := len(s.queue)
		if err := s.listing(ctx, &url.URL{Scheme: site.Scheme, Host: site.Host, Path: path}, 0); err != nil {
			return err
		}
		if len(s.queue) > before {
			return nil
		}
	}
	return nil
}

// listing reads a sitemap or feed, if there is one: what is missing or broken is
// passed over, so that one bad file does not lose the others.
func (s *search) listing(ctx context.Context, at *url.URL, depth int) error {
	u, err := parse(at.String())
	if err != nil || s.seen[u.String()] || depth > sitemapDeep {
		return nil
	}
	s.seen[u.String()] = true
	if s.files++; s.files > s.limits.Sitemaps {
		return nil
	}
	page, err := s.c.Fetch(ctx, u.String(), Validators{})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil || page.Status != 200 {
		return nil
	}
	list := parseListing(page.Body)
	if list == nil {
		return nil
	}
	base, err := parse(page.URL)
	if err != nil {
		return nil
	}
	return s.listed(ctx, list, base, depth)
}

// listed reports what a listing names. Pages of feeds are followed: a feed has
// the newest pages, not all.
func (s *search) listed(ctx context.Context, list *listing, base *url.URL, depth int) error {
	for _, e := range list.entries {
		u, err := base.Parse(e.loc)
		if err != nil {
			continue
		}
		switch {
		case list.index:
			err = s.listing(ctx, u, depth+1)
		case list.feed && len(s.queue) > 0:
			s.enqueue(u, 1)
		default:
			err = s.report(ctx, u, Link{LastModified: e.modified})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// report gives a page to found, if it belongs to the site, may be read, and is
// not known yet.
func (s *search) report(ctx context.Context, at *url.URL, link Link) error {
	u, err := parse(at.String())
	if err != nil || !s.scope.holds(u) || !looksLikePage(u) || s.reported[u.String()] {
		return nil
	}
	if err := s.c.admit(ctx, u); err != nil {
		return s.passOver(ctx)
	}
	if len(s.reported) >= s.limits.Pages {
		return errEnough
	}
	link.URL = u.String()
	s.reported[link.URL], s.seen[link.URL] = true, true
	return s.found(link)
}

// passOver goes on after a page that cannot be read, unless all has to end.
func (s *search) passOver(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
