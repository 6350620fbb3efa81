package extract

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
	"go.yaml.in/yaml/v3"
)

var paragraphs = regexp.MustCompile(`\n[ \t]*\n\s*`)

// readText cuts at empty lines.
func readText(in input, b *builder) error {
	text := cleanLines(decode(in.content, in.Type))
	for _, p := range paragraphs.Split(text, -1) {
		b.add(Paragraph, 0, p)
	}
	return nil
}

// readMarkdown reads the page that the text stands for, with the title and
// description of its front matter.
func readMarkdown(in input, b *builder) error {
	text := strings.ReplaceAll(decode(in.content, in.Type), "\r\n", "\n")
	text, about := frontMatter(text)
	md := goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote), goldmark.WithRendererOptions(html.WithUnsafe()))
	var page bytes.Buffer
	if err := md.Convert([]byte(text), &page); err != nil {
		return damaged(err)
	}
	if err := readPage(page.String(), in.Name, b); err != nil {
		return err
	}
	b.doc.Title = firstOf(about.Title, b.doc.Title)
	b.doc.Description = firstOf(about.Description, b.doc.Description)
	b.doc.Language = firstOf(about.Lang, b.doc.Language)
	return nil
}

type matter struct{ Title, Description, Lang string }

func frontMatter(text string) (rest string, about matter) {
	const fence = "---\n"
	if !strings.HasPrefix(text, fence) {
		return text, about
	}
	head, rest, ok := strings.Cut(text[len(fence):], "\n"+fence)
	if !ok || len(head) > 16<<10 {
		return text, about
	}
	// A rule at the start of a text is not front matter: it has no members.
	if err := yaml.Unmarshal([]byte(head), &about); err != nil {
		return text, matter{}
	}
	return rest, about
}

func readCSV(in input, b *builder) error {
	text := decode(in.content, in.Type)
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord, r.TrimLeadingSpace = delimiter(text), true, -1, true
	var rows [][]string
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			b.table(rows)
			return nil
		}
		if err != nil {
			return damaged(err)
		}
		rows = append(rows, row)
	}
}

// delimiter is the separator that the first line has most of.
func delimiter(text string) rune {
	line, _, _ := strings.Cut(text, "\n")
	best := ','
	for _, c := range ";\t|" {
		if strings.Count(line, string(c)) > strings.Count(line, string(best)) {
			best = c
		}
	}
	return best
}

func validJSON(content []byte) bool { return json.Valid(content) }
