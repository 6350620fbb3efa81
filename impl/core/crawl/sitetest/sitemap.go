package sitetest

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
)

func (s *Site) robots(w http.ResponseWriter, _ *http.Request, _ int) {
	_, _ = io.WriteString(w, "User-agent: *\nDisallow: /private/\n")
	if s.options.Sitemap {
		_, _ = fmt.Fprintf(w, "Sitemap: %s/sitemap/0\n", s.URL)
	}
}

// sitemap serves an index of itself, a plain and a packed half of the articles,
// and files that harm who trusts them.
func (s *Site) sitemap(w http.ResponseWriter, r *http.Request, n int) {
	if !s.options.Sitemap {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	switch n {
	case 0:
		_, _ = io.WriteString(w, `<?xml version="1.0"?><sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">`)
		for part := range 7 {
			_, _ = fmt.Fprintf(w, "<sitemap><loc>%s/sitemap/%d</loc></sitemap>", s.URL, part)
		}
		_, _ = io.WriteString(w, "</sitemapindex>")
	case 1:
		_, _ = io.WriteString(w, s.urlset(1, Articles/2))
	case 2:
		w.Header().Set("Content-Type", "application/gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, s.urlset(Articles/2+1, Articles))
		_ = z.Close() // a visitor that went away is no failure
	case 3: // a packed file that unpacks to 64 MB of blanks
		z := gzip.NewWriter(w)
		blank := []byte(strings.Repeat(" ", 1<<20))
		for range 64 {
			if _, err := z.Write(blank); err != nil {
				return
			}
		}
		_ = z.Close() // a visitor that went away is no failure
	case 4:
		_, _ = io.WriteString(w, `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "`+s.URL+`/p/1?laugh"><!ENTITY b "&a;&a;&a;&a;">]><urlset><url><loc>&b;</loc></url></urlset>`)
	case 5: // one that breaks off, with an address of the forbidden kind, another site's, and one that robots.txt keeps
		_, _ = fmt.Fprintf(w, "<urlset><url><loc>%s</loc></url><url><loc>http://other.invalid/x</loc></url><url><loc>%s/private/y</loc></url><url><loc>%s/latin</loc></url><url><lo", s.options.Forbidden, s.URL, s.URL)
	default:
		http.NotFound(w, r)
	}
}

func (s *Site) urlset(from, to int) string {
	var out strings.Builder
	out.WriteString(`<?xml version="1.0" encoding="UTF-8"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">`)
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := from; n <= to; n++ {
		if path := fmt.Sprintf("/p/%d", n); !s.gone[path] {
			fmt.Fprintf(&out, "<url><loc>\n%s%s</loc><lastmod>2026-01-02T03:04:05Z</lastmod></url>", s.URL, path)
		}
	}
	out.WriteString("</urlset>")
	return out.String()
}

func (s *Site) feed(w http.ResponseWriter, r *http.Request, _ int) {
	if !s.options.Feed {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/rss+xml")
	_, _ = fmt.Fprintf(w, `<rss version="2.0"><channel><link>%s/</link><item><title>New</title><link>%s/only-in-feed</link><pubDate>Fri, 02 Jan 2026 03:04:05 GMT</pubDate></item></channel></rss>`, s.URL, s.URL)
}
