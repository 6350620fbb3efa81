package extract_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"parley/impl/core/extract"
)

// zeros is an endless document.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// bomb is an archive whose entry unpacks to size bytes; declared says so.
func bomb(t *testing.T, name string, size int64, declared bool) string {
	t.Helper()
	var packed, out bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err == nil {
		_, err = io.CopyN(w, zeros{}, size)
	}
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	head := &zip.FileHeader{Name: name, Method: zip.Deflate, CompressedSize64: uint64(packed.Len()), UncompressedSize64: 1000}
	if declared {
		head.UncompressedSize64 = uint64(size)
	}
	z := zip.NewWriter(&out)
	raw, err := z.CreateRaw(head)
	if err == nil {
		_, err = raw.Write(packed.Bytes())
	}
	if err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestHostileArchivesAreRefused(t *testing.T) {
	t.Parallel()
	x := extract.New(extract.Limits{})
	refused(t, x, "declared.docx", bomb(t, "word/document.xml", 300<<20, true), "unpacks to more")
	refused(t, x, "lying.docx", bomb(t, "word/document.xml", 80<<20, false), "")
	refused(t, x, "sheet.xlsx", bomb(t, "xl/workbook.xml", 80<<20, false), "")
	refused(t, x, "ratio.pptx", bomb(t, "ppt/presentation.xml", 30<<20, true), "unpacks to more")
	refused(t, x, "cut.docx", zipped(t, "word/document.xml", "<a/>")[:40], "damaged")
	refused(t, x, "any.zip", zipped(t, "../../etc/passwd", "x"), "Archives are not read")
	refused(t, x, "deep.docx", zipped(t, "word/document.xml", strings.Repeat("<a>", 1_000_000)), "nested")
	many := make([]string, 0, 50_000)
	for i := range 25_000 {
		many = append(many, fmt.Sprintf("%d", i), "")
	}
	refused(t, x, "many.docx", zipped(t, many...), "entries")
}

func TestXMLEntitiesAreNotExpanded(t *testing.T) {
	t.Parallel()
	x := extract.New(extract.Limits{})
	laughs := `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;">]><a>&lol2;</a>`
	refused(t, x, "laughs.docx", zipped(t, "word/document.xml", laughs), "entities")
	refused(t, x, "outside.docx", zipped(t, "word/document.xml", `<!DOCTYPE a SYSTEM "file:///etc/passwd"><a>&xxe;</a>`), "damaged")
	refused(t, x, "laughs.epub", zipped(t, "META-INF/container.xml", laughs), "entities")
}

// loops are PDFs that lead a reader in circles.
func loops() map[string]string {
	catalog := "<< /Type /Catalog /Pages 2 0 R >>"
	return map[string]string{
		"kids of themselves": assemble([]string{catalog, "<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>"}, ""),
		"previous table":     assemble([]string{catalog, "<< /Type /Pages /Kids [] /Count 0 >>"}, "/Prev 9 "),
		"form in itself": assemble([]string{catalog, "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
			"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources 5 0 R >>", "<< /Length 6 >>\nstream\n/X Do \nendstream",
			"<< /XObject << /X 6 0 R >> >>", "<< /Subtype /Form /Resources 5 0 R /Length 42 >>\nstream\n/X Do /X Do /X Do /X Do /X Do /X Do /X Do \nendstream"}, ""),
		"parent of itself": assemble([]string{catalog, "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
			"<< /Type /Page /Parent 3 0 R /Contents 4 0 R >>", "<< /Length 26 >>\nstream\nBT /F1 10 Tf (x) Tj ET    \nendstream"}, ""),
	}
}

func TestPDFsThatLoopEnd(t *testing.T) {
	t.Parallel()
	for name, content := range loops() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := extract.New(extract.Limits{Timeout: 2 * time.Second})
			_, err := x.Extract(t.Context(), "loop.pdf", "", []byte(content))
			if err == nil {
				t.Error("a PDF without text was read")
			}
		})
	}
}

func TestAReaderThatEatsMemoryDiesAlone(t *testing.T) {
	t.Parallel()
	// One quote opens a field that ends with the file; the table of rows then
	// takes many times the file's size.
	rows := strings.Repeat("a,b,c,d,e,f,g,h,i,j\n", 900_000)
	x := extract.New(extract.Limits{MemoryBytes: 96 << 20, OutputBytesMax: 64 << 20})
	_, err := x.Extract(t.Context(), "rows.csv", "", []byte(rows))
	if err == nil || !strings.Contains(err.Error(), "memory") && !strings.Contains(err.Error(), "made the reader fail") {
		t.Errorf("err = %v", err)
	}
}

func TestTimeAndTheCallerEndAReader(t *testing.T) {
	t.Parallel()
	long := []byte("# a\n" + strings.Repeat("> - > - ", 200_000))
	_, err := extract.New(extract.Limits{Timeout: time.Millisecond}).Extract(t.Context(), "a.md", "", long)
	if err == nil || !strings.Contains(err.Error(), "took longer") {
		t.Errorf("over time: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := extract.New(extract.Limits{}).Extract(ctx, "a.md", "", long); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("caller gone: %v", err)
	}
}

func FuzzReadersGiveCleanText(f *testing.F) {
	f.Add("a.html", []byte(page))
	f.Add("a.json", []byte(`{"a": [1, {"b": null}]}`))
	f.Add("a.csv", []byte("a,b\n\"c"))
	f.Add("a.md", []byte("# a\n\n> - b\n\n|c|d|\n|-|-|\n"))
	// Not PDF: its library has loops without end, which only a process contains.
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		if bytes.Contains(content, []byte("%PDF-")) {
			return
		}
		d, err := extract.ReadHere(name, content)
		for _, b := range d.Blocks {
			if err != nil || b.Text == "" || !utf8.ValidString(b.Text) || strings.ContainsRune(b.Text, 0) {
				t.Errorf("block %+v with error %v", b, err)
			}
		}
	})
}
