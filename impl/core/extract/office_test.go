package extract_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"parley/impl/core/extract"
)

const core = `<cp:coreProperties xmlns:cp="c" xmlns:dc="d"><dc:title>Handbook</dc:title><dc:language>en-GB</dc:language></cp:coreProperties>`

func TestDOCX(t *testing.T) {
	t.Parallel()
	p := func(properties, text string) string {
		return `<w:p><w:pPr>` + properties + `</w:pPr><w:r><w:t xml:space="preserve">` + text + `</w:t></w:r></w:p>`
	}
	doc := zipped(t, "[Content_Types].xml", "<Types/>", "docProps/core.xml", core,
		"word/styles.xml", `<w:styles xmlns:w="w"><w:style w:styleId="berschrift2"><w:name w:val="heading 2"/></w:style></w:styles>`,
		"word/document.xml", `<?xml version="1.0"?><w:document xmlns:w="w"><w:body>`+p(`<w:pStyle w:val="berschrift2"/>`, "Leave")+
			`<w:p><w:r><w:t>You have </w:t></w:r><w:del><w:r><w:t>20</w:t></w:r></w:del><w:ins><w:r><w:t>25</w:t></w:r></w:ins><w:r><w:tab/><w:instrText>PAGE</w:instrText><w:t>days.</w:t></w:r></w:p>`+
			p(`<w:numPr><w:ilvl w:val="1"/><w:numId w:val="3"/></w:numPr>`, "Ask early")+
			`<w:tbl><w:tr><w:tc>`+p("", "Year")+`</w:tc><w:tc>`+p("", "Days")+`</w:tc></w:tr><w:tr><w:tc>`+p("", "1")+`</w:tc><w:tc>`+p("", "25")+p("", "or 26")+`</w:tc></w:tr></w:tbl>`+
			`</w:body></w:document>`,
		"word/footnotes.xml", `<w:footnotes xmlns:w="w"><w:footnote>`+p("", "By contract.")+`</w:footnote></w:footnotes>`)
	d := read(t, extract.New(extract.Limits{}), "x.bin", "", doc)
	wantBlocks(t, d, "## Leave", "P You have 25 days.", "** Ask early", `T Year | Days\n1 | 25 or 26`, "P By contract.")
	if d.Title != "Handbook" || d.Language != "en-GB" {
		t.Errorf("about the file: %+v", d)
	}
}

func TestPPTX(t *testing.T) {
	t.Parallel()
	shape := func(holder, text string) string {
		return `<p:sp><p:nvSpPr><p:nvPr><p:ph type="` + holder + `"/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:r><a:t>` + text + `</a:t></a:r></a:p></p:txBody></p:sp>`
	}
	slide := func(shapes string) string { return `<p:sld xmlns:p="p" xmlns:a="a">` + shapes + `</p:sld>` }
	deck := zipped(t, "ppt/presentation.xml", `<p:presentation xmlns:p="p" xmlns:r="r"><p:sldIdLst><p:sldId id="256" r:id="rId9"/><p:sldId id="257" r:id="rId8"/></p:sldIdLst></p:presentation>`,
		"ppt/_rels/presentation.xml.rels", `<Relationships><Relationship Id="rId8" Target="slides/slide1.xml"/><Relationship Id="rId9" Target="/ppt/slides/slide2.xml"/></Relationships>`,
		"ppt/slides/slide1.xml", slide(shape("title", "Second")),
		"ppt/slides/slide2.xml", slide(shape("ctrTitle", "First")+shape("", "A point")+shape("sldNum", "7")),
		"ppt/slides/_rels/slide2.xml.rels", `<Relationships><Relationship Id="a" Target="../notesSlides/notesSlide1.xml"/></Relationships>`,
		"ppt/notesSlides/notesSlide1.xml", slide(shape("body", "Say hello.")+shape("sldNum", "7")))
	d := read(t, extract.New(extract.Limits{}), "deck.pptx", "", deck)
	wantBlocks(t, d, "## First", "* A point", "P Say hello.", "## Second")
}

func TestXLSX(t *testing.T) {
	t.Parallel()
	f := excelize.NewFile()
	for cell, value := range map[string]any{"A1": "Item", "B1": "Since", "A2": "Box", "B2": time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)} {
		if err := f.SetCellValue("Sheet1", cell, value); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := f.Write(&out); err != nil {
		t.Fatal(err)
	}
	d := read(t, extract.New(extract.Limits{}), "a.xlsx", "", out.String())
	if got := show(d); !strings.HasPrefix(got, "## Sheet1\nT Item | Since\\nBox | ") || !strings.Contains(got, "26") {
		t.Errorf("blocks are\n%s", got)
	}
}

func TestEPUB(t *testing.T) {
	t.Parallel()
	book := zipped(t, "mimetype", "application/epub+zip",
		"META-INF/container.xml", `<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>`,
		"OEBPS/book.opf", `<package xmlns:dc="d"><metadata><dc:title>A Book</dc:title><dc:language>en</dc:language></metadata><manifest>
			<item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
			<item id="b" href="two.xhtml" media-type="application/xhtml+xml"/><item id="a" href="ch%201.xhtml" media-type="application/xhtml+xml"/></manifest>
			<spine><itemref idref="n"/><itemref idref="a"/><itemref idref="b"/></spine></package>`,
		"OEBPS/ch 1.xhtml", `<?xml version="1.0"?><html><head><title>t1</title></head><body><h1>One</h1><p>Begin.</p></body></html>`,
		"OEBPS/two.xhtml", `<html><body><p>End.</p></body></html>`)
	d := read(t, extract.New(extract.Limits{}), "b.epub", "", book)
	wantBlocks(t, d, "# One", "P Begin.", "P End.")
	if d.Title != "A Book" || d.Language != "en" {
		t.Errorf("about the book: %+v", d)
	}
}

func TestPDFLinesBecomeHeadingsAndParagraphs(t *testing.T) {
	t.Parallel()
	content := `BT /F1 20 Tf 72 700 Td (Opening hours) Tj /F1 10 Tf 0 -30 Td (We are open on all week-) Tj 0 -12 Td (days, also on) Tj 80 0 Td (holidays.) Tj
		-80 -30 Td (Another paragraph.) Tj 0 -30 Td [(Spl) 0 (it) -600 (up)] TJ ET`
	d := read(t, extract.New(extract.Limits{}), "hours.pdf", "application/pdf", pdfOf(content))
	wantBlocks(t, d, "# Opening hours", "P We are open on all weekdays, also on holidays.", "P Another paragraph.", "P Split up")
	if d.Title != "Opening hours" {
		t.Errorf("title %q", d.Title)
	}
}

func TestPDFRunningHeadsAreDropped(t *testing.T) {
	t.Parallel()
	var pages []string
	for _, text := range []string{"One", "Two", "Three", "Four", "Five"} {
		pages = append(pages, `BT /F1 10 Tf 72 750 Td (Manual, edition 3) Tj 0 -50 Td (`+text+` is a fact.) Tj 0 -600 Td (Page 1) Tj ET`)
	}
	d := read(t, extract.New(extract.Limits{}), "m.pdf", "", pdfOf(pages...))
	wantBlocks(t, d, "P One is a fact.", "P Two is a fact.", "P Three is a fact.", "P Four is a fact.", "P Five is a fact.")
}
