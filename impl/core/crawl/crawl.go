// Package crawl finds and fetches the pages of a web site.
//
// Discover lists what a site or sitemap holds; Fetch gets one page. Both obey
// robots.txt, wait between requests to one host, and reach the network through
// impl/outbound alone, so that no address, redirect or name leads into private
// networks. What is fetched is bytes: extract reads them.
package crawl

import (
	"context"
	"time"

	"parley/impl/core/extract"
	"parley/impl/outbound"
)

// Limits are the ceilings of one Discover. Zero fields take the defaults.
type Limits struct {
	Pages    int           // links reported; 5,000 by default, never over 50,000
	Depth    int           // clicks from the start, where pages have to be followed; 10 by default
	Sitemaps int           // sitemap files read; 500 by default. Indexes nest two deep whatever it says
	Duration time.Duration // of the whole; 30 minutes by default. What was found until then stands
}

// Link is a page of a site.
type Link struct {
	URL          string    // absolute, without fragment, in one spelling per page
	LastModified time.Time // as the sitemap says; zero when it does not
	// Page is the page itself where Discover had to read it, so that nobody has
	// to ask the site twice; nil for links of sitemaps and pages that failed.
	Page *Fetched
}

// Validators are what an earlier fetch of a page returned.
type Validators struct {
	ETag         string
	LastModified string
}

// Fetched is a site's answer. Only Status 200 has a Body worth reading.
type Fetched struct {
	URL          string // after redirects
	Status       int    // as the site answered, redirects followed; 304 with NotModified
	ContentType  string
	ETag         string
	LastModified string
	Body         []byte // decompressed
	NotModified  bool   // the validators still hold; Body is nil
	NoIndex      bool   // X-Robots-Tag asks not to be found
	NoFollow     bool   // X-Robots-Tag asks that links are not followed
	RetryAfter   time.Duration
}

// Options are a crawler's parts. Web and Pages are required.
type Options struct {
	Web   *outbound.Getter
	Pages *extract.Extractor
	// UserAgent names the crawler to sites; "Parley/1.0 (+parley)" by default.
	// Its first word, up to the slash, is the name that robots.txt may use.
	UserAgent string
	// Interval is the time between two requests to one host; 200 ms by default,
	// negative for none. A site's Crawl-delay makes it longer, up to 10 s.
	Interval time.Duration
	// Pace spaces the requests of several servers; nil knows those of this crawler alone.
	Pace Pace
	// Now and Wait are the clock; the system's by default.
	Now  func() time.Time
	Wait func(ctx context.Context, d time.Duration) error
}

// Pace is what several crawlers know of hosts together. Hosts are origins, as "https://example.com".
type Pace interface {
	// ReserveHost takes the next start of a request, which nobody else gets, and keeps the one after it a distance
	// away. A start further away than most is not taken: then start is when the host may be visited again.
	ReserveHost(ctx context.Context, host string, now time.Time, distance, most time.Duration) (start time.Time, taken bool, err error)
	// HoldHost keeps requests from a host until a time.
	HoldHost(ctx context.Context, host string, until time.Time) error
}

// Crawler visits sites. What it knows about hosts is shared by all uses of it,
// so that two crawls of one site are as polite as one. It is safe for concurrent use.
type Crawler struct {
	o     Options
	agent string // as robots.txt names it
	hosts hosts
}

// New returns a crawler.
func New(o Options) *Crawler {
	if o.UserAgent == "" {
		o.UserAgent = "Parley/1.0 (+parley)"
	}
	if o.Interval == 0 {
		o.Interval = 200 * time.Millisecond
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	return &Crawler{o: o, agent: agentName(o.UserAgent)}
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
