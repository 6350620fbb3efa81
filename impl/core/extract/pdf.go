package extract

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ledongthuc/pdf"
)

// readPDF puts glyphs together to lines, and lines to headings and paragraphs,
// by where they stand and how large they are: a PDF knows neither words nor
// paragraphs. Its library panics and loops on broken files, for which the
// caller's process is prepared.
func readPDF(in input, b *builder) error {
	start := max(0, bytes.Index(in.content[:min(len(in.content), 1024)], []byte("%PDF-")))
	content := in.content[start:]
	r, err := pdf.NewReader(bytes.NewReader(content), int64(len(content)))
	if errors.Is(err, pdf.ErrInvalidPassword) {
		return refuse("The PDF is protected by a password.")
	}
	if err != nil {
		return damaged(err)
	}
	list, err := pdfPages(r, in.Limits.PagesMax)
	if err != nil {
		return err
	}
	d := drawing{fonts: map[string]*pdfFont{}}
	var pages [][]line
	failed := 0
	for _, p := range list {
		lines, err := d.lines(p)
		if err != nil {
			failed++
		}
		pages = append(pages, lines)
	}
	if failed > 0 && failed == len(list) {
		return damaged(errors.New("no page could be read"))
	}
	b.doc.Title = pdfTitle(r)
	b.doc.Language = r.Trailer().Key("Root").Key("Lang").Text()
	writeLines(withoutRunningHeads(pages), b)
	if len(b.doc.Blocks) == 0 && !b.full {
		return refuse("The PDF holds no text, only pictures perhaps: recognition of text in pictures is not available.")
	}
	return nil
}

// pdfTitle leaves out what programs write when nobody gave a title.
func pdfTitle(r *pdf.Reader) string {
	title := cleanLine(r.Trailer().Key("Info").Key("Title").Text())
	lower := strings.ToLower(title)
	if strings.HasPrefix(lower, "microsoft word - ") || lower == "untitled" || strings.HasSuffix(lower, ".docx") || strings.HasSuffix(lower, ".doc") {
		return ""
	}
	return title
}

// line is text on one base line.
type line struct {
	text      string
	size      float64 // of the type, in points; the largest of the line
	x, y, end float64
}

// lines returns the text of a page in the order in which it is drawn. What was
// drawn before an error stands.
func (d *drawing) lines(p pdf.Page) (lines []line, err error) {
	d.glyphs, d.saved = d.glyphs[:0], nil
	func() {
		defer func() {
			if r := recover(); r != nil && r != any(errPageFull) {
				err = fmt.Errorf("the page cannot be read: %v", r)
			}
		}()
		d.page(p)
	}()
	return joinGlyphs(d.glyphs), err
}

func joinGlyphs(glyphs []glyph) (lines []line) {
	var current line
	var text strings.Builder
	flush := func() {
		if current.text = cleanLine(text.String()); current.text != "" {
			lines = append(lines, current)
		}
		text.Reset()
	}
	for _, g := range glyphs {
		size := math.Max(g.size, 1)
		switch {
		case text.Len() == 0:
			current = line{size: size, x: g.x, y: g.y}
		case math.Abs(g.y-current.y) > size*0.5 || g.x < current.end-size*2:
			flush()
			current = line{size: size, x: g.x, y: g.y}
		case g.x-current.end > size*0.18:
			text.WriteByte(' ')
		}
		text.WriteString(g.text)
		current.size, current.end = math.Max(current.size, size), g.x+g.width
	}
	flush()
	return lines
}

// withoutRunningHeads drops lines that stand at the top or bottom of most pages.
func withoutRunningHeads(pages [][]line) [][]line {
	seen := map[string]int{}
	for _, page := range pages {
		if len(page) > 0 {
			seen[skeleton(page[0])]++
		}
		if len(page) > 1 {
			seen[skeleton(page[len(page)-1])]++
		}
	}
	if len(pages) < 4 {
		return pages
	}
	often := func(l line) bool { return seen[skeleton(l)] > len(pages)/2 }
	for i, page := range pages {
		if len(page) > 0 && often(page[0]) {
			page = page[1:]
		}
		if len(page) > 0 && often(page[len(page)-1]) {
			page = page[:len(page)-1]
		}
		pages[i] = page
	}
	return pages
}

// skeleton is the line without its digits: page numbers differ.
func skeleton(l line) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, l.text)
}

// bodySize is the size of type that most of the text is set in.
func bodySize(pages [][]line) float64 {
	runes := map[float64]int{}
	for _, page := range pages {
		for _, l := range page {
			runes[math.Round(l.size*2)/2] += utf8.RuneCountInString(l.text)
		}
	}
	sizes := make([]float64, 0, len(runes))
	for size := range runes {
		sizes = append(sizes, size)
	}
	sort.Float64s(sizes)
	best := 0.0
	for _, size := range sizes {
		if runes[size] > runes[best] {
			best = size
		}
	}
	return best
}

const headingRunesMax = 200

func writeLines(pages [][]line, b *builder) {
	body := bodySize(pages)
	p := pdfParagraph{b: b}
	for _, page := range pages {
		for _, l := range page {
			level := headingLevel(l, body)
			if level != p.level || !p.continues(l) {
				p.flush()
			}
			p.level = level
			p.add(l)
		}
		p.onNextPage()
	}
	p.flush()
}

func headingLevel(l line, body float64) int {
	if utf8.RuneCountInString(l.text) > headingRunesMax {
		return 0
	}
	switch ratio := l.size / math.Max(body, 1); {
	case ratio >= 1.6:
		return 1
	case ratio >= 1.3:
		return 2
	case ratio >= 1.12:
		return 3
	}
	return 0
}

// pdfParagraph collects lines that belong together.
type pdfParagraph struct {
	b        *builder
	text     string
	last     line
	level    int  // of a heading, 0 for running text
	nextPage bool // the next line is the first of its page
}

// continues says whether l goes on where the last line ended: close below it, or
// on the next page in the middle of a sentence.
func (p *pdfParagraph) continues(l line) bool {
	if p.text == "" {
		return true
	}
	if p.nextPage {
		return !strings.ContainsAny(p.text[len(p.text)-1:], ".!?:")
	}
	gap := p.last.y - l.y
	return gap >= -l.size*0.5 && gap < l.size*1.75 && !startsItem(l.text)
}

func startsItem(text string) bool {
	for _, mark := range []string{"• ", "◦ ", "▪ ", "– ", "- ", "* ", "\uFFFD "} {
		if strings.HasPrefix(text, mark) {
			return true
		}
	}
	return false
}

func (p *pdfParagraph) add(l line) {
	switch {
	case p.text == "":
		p.text = l.text
	case hyphenated(p.text, l.text):
		p.text = strings.TrimSuffix(p.text, "-") + l.text
	default:
		p.text += " " + l.text
	}
	p.last, p.nextPage = l, false
	if len(p.text) > paragraphBytesMax {
		p.flush()
	}
}

// paragraphBytesMax bounds a paragraph that nothing ends.
const paragraphBytesMax = 8 << 10

// hyphenated says whether a word was cut at the end of a line.
func hyphenated(text, next string) bool {
	word := strings.TrimSuffix(text, "-")
	before, _ := utf8.DecodeLastRuneInString(word)
	after, _ := utf8.DecodeRuneInString(next)
	return len(word) < len(text) && unicode.IsLower(before) && unicode.IsLower(after)
}

func (p *pdfParagraph) onNextPage() { p.nextPage = true }

func (p *pdfParagraph) flush() {
	switch {
	case p.level > 0:
		p.b.add(Heading, p.level, p.text)
	case startsItem(p.text):
		_, text, _ := strings.Cut(p.text, " ")
		p.b.add(Item, 1, text)
	default:
		p.b.add(Paragraph, 0, p.text)
	}
	p.text = ""
}
