package extract

import (
	"encoding/xml"
	"strconv"
	"strings"
)

func (a *archive) readDOCX(b *builder) error {
	if err := a.properties(b); err != nil {
		return err
	}
	headings, err := a.headingStyles()
	if err != nil {
		return err
	}
	for _, part := range []string{"word/document.xml", "word/footnotes.xml", "word/endnotes.xml"} {
		data, err := a.entry(part)
		if err != nil {
			return err
		}
		w := &docx{b: b, headings: headings}
		if err := walkXML(data, xmlHandler{start: w.start, text: w.chars, end: w.end}); err != nil {
			return err
		}
	}
	return nil
}

// headingStyles maps the ids of styles to levels: ids differ by the language of
// the program, names do not.
func (a *archive) headingStyles() (map[string]int, error) {
	data, err := a.entry("word/styles.xml")
	if err != nil {
		return nil, err
	}
	levels := map[string]int{}
	var id string
	err = walkXML(data, xmlHandler{start: func(e xml.StartElement) bool {
		switch e.Name.Local {
		case "style":
			id = xmlAttr(e, "styleId")
		case "name":
			name := strings.ToLower(xmlAttr(e, "val"))
			if name == "title" {
				levels[id] = 1
			}
			if n, ok := strings.CutPrefix(name, "heading "); ok {
				if level, err := strconv.Atoi(n); err == nil && level > 0 {
					levels[id] = min(level, 6)
				}
			}
		case "outlineLvl":
			if level, err := strconv.Atoi(xmlAttr(e, "val")); err == nil && level >= 0 && level < 6 && levels[id] == 0 {
				levels[id] = level + 1
			}
		}
		return true
	}})
	return levels, err
}

// docx collects paragraphs and tables.
type docx struct {
	b        *builder
	headings map[string]int
	text     strings.Builder
	inText   bool
	level    int // of the paragraph, when it is a heading
	item     int // its nesting in a list, from 1
	tables   int // nesting
	rows     [][]string
	properly bool // inside the properties of a paragraph
}

func (w *docx) start(e xml.StartElement) bool {
	switch e.Name.Local {
	case "Fallback", "del", "moveFrom": // a second rendering, and what was taken out
		return false
	case "p":
		if w.tables == 0 {
			w.text.Reset()
		}
		w.level, w.item = 0, 0
	case "pPr":
		w.properly = true
	case "pStyle":
		w.level = w.headings[xmlAttr(e, "val")]
	case "outlineLvl":
		if level, err := strconv.Atoi(xmlAttr(e, "val")); err == nil && w.properly && level >= 0 && level < 6 {
			w.level = level + 1
		}
	case "numPr":
		w.item = max(w.item, 1)
	case "ilvl":
		if level, err := strconv.Atoi(xmlAttr(e, "val")); err == nil && level >= 0 && level < 9 {
			w.item = level + 1
		}
	case "t":
		w.inText = true
	case "tab", "br", "cr":
		w.text.WriteByte(' ')
	case "noBreakHyphen":
		w.text.WriteByte('-')
	case "tbl":
		w.tables++
	case "tr":
		if w.tables == 1 {
			w.rows = append(w.rows, nil)
		}
	}
	return true
}

func (w *docx) chars(text string) {
	if w.inText {
		w.text.WriteString(text)
	}
}

func (w *docx) end(name string) {
	switch name {
	case "t":
		w.inText = false
	case "pPr":
		w.properly = false
	case "p":
		w.paragraph()
	case "tc":
		// Cells of a table in a cell are text of the outer one.
		if last := len(w.rows) - 1; w.tables == 1 && last >= 0 {
			w.rows[last] = append(w.rows[last], w.text.String())
			w.text.Reset()
		}
	case "tbl":
		if w.tables--; w.tables == 0 {
			w.b.table(w.rows)
			w.rows = nil
		}
	}
}

func (w *docx) paragraph() {
	switch {
	case w.tables > 0:
		w.text.WriteByte(' ')
		return
	case w.level > 0:
		w.b.add(Heading, w.level, w.text.String())
	case w.item > 0:
		w.b.add(Item, w.item, w.text.String())
	default:
		w.b.add(Paragraph, 0, w.text.String())
	}
	w.text.Reset()
}
