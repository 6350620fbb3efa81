package extract_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"parley/impl/core/extract"
	"parley/impl/core/fault"
)

func TestMain(m *testing.M) {
	extract.RunChild()
	os.Exit(m.Run())
}

func read(t *testing.T, x *extract.Extractor, name, declared, content string) extract.Document {
	t.Helper()
	d, err := x.Extract(t.Context(), name, declared, []byte(content))
	if err != nil {
		t.Fatalf("Extract(%s): %v", name, err)
	}
	return d
}

// refused wants the file refused for a reason that names reason.
func refused(t *testing.T, x *extract.Extractor, name, content, reason string) {
	t.Helper()
	d, err := x.Extract(t.Context(), name, "", []byte(content))
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Invalid || !strings.Contains(f.Message, reason) {
		t.Errorf("Extract(%s) = %d blocks, %v; want it refused with %q", name, len(d.Blocks), err, reason)
	}
}

// show writes blocks as lines, for comparison.
func show(d extract.Document) string {
	var out strings.Builder
	for _, b := range d.Blocks {
		mark := map[extract.Kind]string{extract.Heading: strings.Repeat("#", b.Level), extract.Paragraph: "P",
			extract.Item: strings.Repeat("*", b.Level), extract.Table: "T", extract.Code: "C"}[b.Kind]
		fmt.Fprintf(&out, "%s %s\n", mark, strings.ReplaceAll(b.Text, "\n", "\\n"))
	}
	return out.String()
}

func wantBlocks(t *testing.T, d extract.Document, want ...string) {
	t.Helper()
	if got := show(d); got != strings.Join(want, "\n")+"\n" {
		t.Errorf("blocks are\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// zipped makes an archive of name, content, name, content …
func zipped(t *testing.T, entries ...string) string {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for i := 0; i < len(entries); i += 2 {
		w, err := z.Create(entries[i])
		if err == nil {
			_, err = w.Write([]byte(entries[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// pdfOf makes a PDF whose pages draw the given operators with a Type 1 font.
func pdfOf(pages ...string) string {
	objects := []string{"<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /FirstChar 32 /LastChar 126 /Widths [" +
		strings.Repeat("500 ", 95) + "] >>"}
	kids := ""
	for _, page := range pages {
		n := len(objects) + 1
		kids += fmt.Sprintf("%d 0 R ", n)
		objects = append(objects,
			fmt.Sprintf("<< /Type /Page /Parent 2 0 R /Contents %d 0 R /Resources << /Font << /F1 3 0 R >> >> >>", n+1),
			fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(page), page))
	}
	objects[1] = fmt.Sprintf("<< /Type /Pages /Kids [%s] /Count %d >>", kids, len(pages))
	return assemble(objects, "")
}

// assemble writes objects with a table of where they stand.
func assemble(objects []string, trailer string) string {
	var out strings.Builder
	out.WriteString("%PDF-1.4\n")
	offsets := make([]int, len(objects))
	for i, object := range objects {
		offsets[i] = out.Len()
		fmt.Fprintf(&out, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	start := out.Len()
	fmt.Fprintf(&out, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, offset := range offsets {
		fmt.Fprintf(&out, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&out, "trailer\n<< /Size %d /Root 1 0 R %s>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, trailer, start)
	return out.String()
}
