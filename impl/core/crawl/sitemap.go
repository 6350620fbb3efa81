package crawl

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"time"

	"golang.org/x/net/html/charset"
)

const (
	unpackedMax = 10 << 20
	ratioMax    = 100
	ratioFrom   = 1 << 20
	sitemapDeep = 2 // an index of indexes
	locsMax     = 50_000
)

// listing is a file that names pages: a sitemap, an index of sitemaps, a feed,
// or lines of addresses.
type listing struct {
	index   bool // its entries are listings
	feed    bool
	entries []entry
}

type entry struct {
	loc      string
	modified time.Time
}

// parseListing reads body. It returns nil for what is no listing. One that breaks
// off is used as far as it goes; one with a document type is not used at all,
// as that is where entities come from.
func parseListing(body []byte) *listing {
	body, ok := unpacked(body)
	if !ok {
		return nil
	}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF")))
	if len(body) == 0 || body[0] != '<' {
		return plainListing(body)
	}
	d := xml.NewDecoder(bytes.NewReader(body))
	d.CharsetReader = charset.NewReaderLabel
	r := listingReader{}
	for len(r.list.entries) < locsMax {
		token, err := d.Token()
		if err != nil {
			break
		}
		if _, isType := token.(xml.Directive); isType || !r.token(token) {
			return nil
		}
	}
	if r.root == "" {
		return nil
	}
	return &r.list
}

// unpacked returns body without gzip; false for one that unpacks to too much.
func unpacked(body []byte) ([]byte, bool) {
	if !bytes.HasPrefix(body, []byte("\x1F\x8B")) {
		return body, true
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, false
	}
	out, err := io.ReadAll(io.LimitReader(z, unpackedMax+1))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, false
	}
	if len(out) > unpackedMax || len(out) > ratioFrom && len(out)/len(body) > ratioMax {
		return nil, false
	}
	return out, true
}

// plainListing reads a text of addresses, one a line.
func plainListing(body []byte) *listing {
	list := &listing{}
	for line := range strings.Lines(string(body)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case !strings.HasPrefix(line, "http://") && !strings.HasPrefix(line, "https://"):
			return nil
		case len(list.entries) < locsMax:
			list.entries = append(list.entries, entry{loc: line})
		}
	}
	if len(list.entries) == 0 {
		return nil
	}
	return list
}

// listingReader follows the elements of sitemaps, RSS and Atom.
type listingReader struct {
	list    listing
	root    string
	inside  bool // an entry
	name    string
	current entry
	date    string
}

// token takes one token; false when the document is none of the known kinds.
func (r *listingReader) token(token xml.Token) bool {
	switch t := token.(type) {
	case xml.StartElement:
		return r.start(t)
	case xml.CharData:
		if r.inside {
			r.chars(string(t))
		}
	case xml.EndElement:
		r.name = ""
		if isEntry(t.Name) {
			r.end()
		}
	}
	return true
}

func isEntry(n xml.Name) bool {
	return n.Local == "url" || n.Local == "sitemap" || n.Local == "item" || n.Local == "entry"
}

func (r *listingReader) start(t xml.StartElement) bool {
	r.name = t.Name.Local
	if strings.Contains(t.Name.Space, "sitemap-image") || strings.Contains(t.Name.Space, "sitemap-video") {
		r.name = ""
	}
	if r.root == "" {
		r.root = r.name
		r.list.index = r.root == "sitemapindex"
		r.list.feed = r.root == "rss" || r.root == "feed" || r.root == "RDF"
		return r.list.index || r.list.feed || r.root == "urlset"
	}
	if isEntry(t.Name) {
		r.inside, r.current, r.date = true, entry{}, ""
	}
	if r.inside && r.name == "link" {
		var href, rel string
		for _, a := range t.Attr {
			switch a.Name.Local {
			case "href":
				href = a.Value
			case "rel":
				rel = a.Value
			}
		}
		// Sitemaps name translations by links, which have entries of their own.
		if r.list.feed && href != "" && (rel == "" || rel == "alternate") {
			r.current.loc = href
		}
	}
	return true
}

func (r *listingReader) chars(text string) {
	switch {
	case r.name == "loc", r.name == "link" && r.list.feed:
		r.current.loc += text
	case r.name == "lastmod" || r.name == "pubDate" || r.name == "updated":
		r.date += text
	}
}

func (r *listingReader) end() {
	if loc := strings.TrimSpace(r.current.loc); r.inside && loc != "" {
		r.list.entries = append(r.list.entries, entry{loc: loc, modified: parseTime(strings.TrimSpace(r.date))})
	}
	r.inside = false
}

func parseTime(text string) time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02", time.RFC1123Z, time.RFC1123, "2006-01-02 15:04:05", "2006-01"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
