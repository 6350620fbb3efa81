// Package crawl finds and fetches the pages of a web site.
//
// Discover lists what a site or sitemap holds; Fetch gets one page. Both obey
// robots.txt, wait between requests to one host, and reach the network through
// impl/outbound alone, so that no address, redirect or name leads into private
// networks. What is fetched is bytes: extract reads them.
package crawl

import "time"

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
