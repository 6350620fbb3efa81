package extract

import (
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const (
	linksMax        = 10_000
	addressBytesMax = 2000 // longer addresses are traps or data
)

// head collects what a page says about itself, and where it leads.
type head struct {
	doc  *Document
	base *url.URL // nil when the page has no address
	seen map[string]bool
	meta map[string]string // the first of each name
}

func readHead(root *html.Node, address string, doc *Document) {
	h := head{doc: doc, seen: map[string]bool{}, meta: map[string]string{}}
	if isWebAddress(address) {
		h.base, _ = url.Parse(address) // nil when it is not an address, then links stay as they are written
	}
	if base := find(root, func(n *html.Node) bool { return n.DataAtom == atom.Base && attr(n, "href") != "" }); base != nil && h.base != nil {
		if u, err := h.base.Parse(strings.TrimSpace(attr(base, "href"))); err == nil && isWebAddress(u.String()) {
			h.base = u
		}
	}
	visit(root, func(n *html.Node) bool { h.element(n); return true })
	h.finish()
}

func (h *head) element(n *html.Node) {
	switch n.DataAtom {
	case atom.Html:
		h.doc.Language = firstOf(h.doc.Language, attr(n, "lang"), attr(n, "xml:lang"))
	case atom.Title:
		if h.doc.Title == "" && n.Namespace == "" {
			h.doc.Title = inner(n)
		}
	case atom.Meta:
		name := strings.ToLower(firstOf(attr(n, "name"), attr(n, "property"), attr(n, "http-equiv")))
		if _, known := h.meta[name]; !known {
			h.meta[name] = attr(n, "content")
		}
	case atom.Link:
		if h.doc.Canonical == "" && hasWord(attr(n, "rel"), "canonical") {
			h.doc.Canonical = h.resolve(attr(n, "href"))
		}
	case atom.A, atom.Area:
		if !hasWord(attr(n, "rel"), "nofollow") {
			h.link(attr(n, "href"))
		}
	}
}

func (h *head) finish() {
	d := h.doc
	d.Title = firstOf(d.Title, h.meta["og:title"])
	d.Description = firstOf(h.meta["description"], h.meta["og:description"])
	d.Image = h.resolve(firstOf(h.meta["og:image"], h.meta["twitter:image"]))
	d.Language = firstOf(d.Language, h.meta["content-language"])
	robots := strings.ReplaceAll(strings.ToLower(h.meta["robots"]), ",", " ")
	d.NoIndex = hasWord(robots, "noindex") || hasWord(robots, "none")
	d.NoFollow = hasWord(robots, "nofollow") || hasWord(robots, "none")
	if _, target, ok := strings.Cut(strings.ToLower(h.meta["refresh"]), "url="); ok {
		// Cut from the original, as addresses have upper case.
		h.link(strings.Trim(h.meta["refresh"][len(h.meta["refresh"])-len(target):], `'" `))
	}
	if d.NoFollow {
		d.Links = nil
	}
}

func (h *head) link(href string) {
	address := h.resolve(href)
	if address == "" || h.seen[address] || len(h.doc.Links) >= linksMax {
		return
	}
	h.seen[address] = true
	h.doc.Links = append(h.doc.Links, address)
}

// resolve makes an address absolute and drops its fragment; "" for what is not
// on the web.
func (h *head) resolve(href string) string {
	href = strings.TrimSpace(href)
	if href == "" || len(href) > addressBytesMax || strings.HasPrefix(href, "#") {
		return ""
	}
	u, err := url.Parse(href)
	if err != nil {
		return ""
	}
	if h.base != nil {
		u = h.base.ResolveReference(u)
	}
	u.Fragment, u.RawFragment = "", ""
	if out := u.String(); h.base == nil && u.Scheme == "" || isWebAddress(out) {
		return out
	}
	return ""
}

func hasWord(list, word string) bool {
	for _, w := range strings.Fields(list) {
		if strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
