package extract

import (
	"encoding/xml"
	"strconv"
	"strings"
)

func (a *archive) readPPTX(b *builder) error {
	if err := a.properties(b); err != nil {
		return err
	}
	slides, err := a.slides()
	if err != nil {
		return err
	}
	if len(slides) > a.limits.PagesMax {
		return refuse("The presentation has more than the %d slides that are read.", a.limits.PagesMax)
	}
	for _, slide := range slides {
		if err := a.slide(slide, b, false); err != nil {
			return err
		}
		related, err := a.relations(slide)
		if err != nil {
			return err
		}
		for _, part := range related {
			if strings.HasPrefix(part, "ppt/notesSlides/") {
				if err := a.slide(part, b, true); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// slides are the parts in the order in which they are shown.
func (a *archive) slides() (parts []string, err error) {
	const presentation = "ppt/presentation.xml"
	data, err := a.entry(presentation)
	if err != nil {
		return nil, err
	}
	targets, err := a.relations(presentation)
	if err != nil {
		return nil, err
	}
	err = walkXML(data, xmlHandler{start: func(e xml.StartElement) bool {
		if e.Name.Local == "sldId" {
			for _, attr := range e.Attr {
				if part := targets[attr.Value]; attr.Name.Local == "id" && part != "" {
					parts = append(parts, part)
				}
			}
		}
		return true
	}})
	return parts, err
}

func (a *archive) slide(part string, b *builder, notes bool) error {
	data, err := a.entry(part)
	if err != nil {
		return err
	}
	w := &pptx{b: b, notes: notes}
	return walkXML(data, xmlHandler{start: w.start, text: w.chars, end: w.end})
}

// pptx collects the paragraphs of a slide's shapes.
type pptx struct {
	b      *builder
	notes  bool
	holder string // what the shape is a place for: "title", "body", "sldNum", …
	text   strings.Builder
	inText bool
	level  int // of the paragraph, from 1
	inCell bool
	rows   [][]string
}

func (w *pptx) start(e xml.StartElement) bool {
	switch e.Name.Local {
	case "Fallback":
		return false
	case "sp":
		w.holder = ""
	case "ph":
		w.holder = firstOf(xmlAttr(e, "type"), "body")
	case "p":
		if !w.inCell {
			w.text.Reset()
		}
		w.level = 1
	case "pPr":
		if level, err := strconv.Atoi(xmlAttr(e, "lvl")); err == nil && level > 0 && level < 9 {
			w.level = level + 1
		}
	case "t":
		w.inText = true
	case "br":
		w.text.WriteByte(' ')
	case "tr":
		w.rows = append(w.rows, nil)
	case "tc":
		w.inCell = true
		w.text.Reset()
	}
	return true
}

func (w *pptx) chars(text string) {
	if w.inText {
		w.text.WriteString(text)
	}
}

func (w *pptx) end(name string) {
	switch name {
	case "t":
		w.inText = false
	case "p":
		w.paragraph()
	case "tc":
		if last := len(w.rows) - 1; last >= 0 {
			w.rows[last] = append(w.rows[last], w.text.String())
		}
		w.inCell = false
	case "tbl":
		w.b.table(w.rows)
		w.rows = nil
	}
}

func (w *pptx) paragraph() {
	switch {
	case w.inCell:
		w.text.WriteByte(' ')
		return
	case w.holder == "sldNum" || w.holder == "dt" || w.holder == "ftr" || w.holder == "hdr":
	case w.notes:
		if w.holder == "body" {
			w.b.add(Paragraph, 0, w.text.String())
		}
	case w.holder == "title" || w.holder == "ctrTitle":
		w.b.add(Heading, 2, w.text.String())
	case w.holder == "body":
		w.b.add(Item, w.level, w.text.String())
	default:
		w.b.add(Paragraph, 0, w.text.String())
	}
	w.text.Reset()
}
