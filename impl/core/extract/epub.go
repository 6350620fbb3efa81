package extract

import (
	"encoding/xml"
	"net/url"
	"path"
	"strings"
)

// readEPUB reads the chapters in reading order.
func (a *archive) readEPUB(b *builder) error {
	book, err := a.bookPart()
	if err != nil {
		return err
	}
	data, err := a.entry(book)
	if err != nil {
		return err
	}
	if data == nil {
		return refuse("The book's table of contents is missing.")
	}
	p := &epub{b: b, items: map[string]string{}}
	if err := walkXML(data, xmlHandler{start: p.start, text: p.chars, end: p.end}); err != nil {
		return err
	}
	if len(p.spine) > a.limits.PagesMax {
		return refuse("The book has more than the %d chapters that are read.", a.limits.PagesMax)
	}
	for _, id := range p.spine {
		name, err := url.PathUnescape(p.items[id])
		if err != nil || name == "" {
			continue
		}
		chapter, err := a.entry(path.Join(path.Dir(book), name))
		if err != nil {
			return err
		}
		if err := readChapter(chapter, b); err != nil {
			return err
		}
	}
	return nil
}

// readChapter adds a chapter's text; what it says about itself is not the book's.
func readChapter(page []byte, b *builder) error {
	about := b.doc
	if err := readPage(decode(page, "application/xhtml+xml"), "", b); err != nil {
		return err
	}
	about.Blocks = b.doc.Blocks
	b.doc = about
	return nil
}

// bookPart is the entry that lists the book's parts.
func (a *archive) bookPart() (name string, err error) {
	data, err := a.entry("META-INF/container.xml")
	if err != nil {
		return "", err
	}
	err = walkXML(data, xmlHandler{start: func(e xml.StartElement) bool {
		if e.Name.Local == "rootfile" && name == "" {
			name = path.Clean(xmlAttr(e, "full-path"))
		}
		return true
	}})
	return name, err
}

type epub struct {
	b     *builder
	items map[string]string // id to file
	spine []string          // ids in reading order
	name  string            // of the open element
}

func (p *epub) start(e xml.StartElement) bool {
	p.name = e.Name.Local
	switch p.name {
	case "item":
		if strings.Contains(xmlAttr(e, "media-type"), "html") && !hasWord(xmlAttr(e, "properties"), "nav") {
			p.items[xmlAttr(e, "id")] = xmlAttr(e, "href")
		}
	case "itemref":
		p.spine = append(p.spine, xmlAttr(e, "idref"))
	}
	return true
}

func (p *epub) chars(text string) {
	switch p.name {
	case "title":
		p.b.doc.Title += text
	case "description":
		p.b.doc.Description += text
	case "language":
		p.b.doc.Language += text
	}
}

func (p *epub) end(string) { p.name = "" }
