package extract_test

import (
	"strings"
	"testing"

	"parley/impl/core/extract"
)

func TestTextAndMarkdown(t *testing.T) {
	t.Parallel()
	x := extract.New(extract.Limits{})
	d := read(t, x, "dir/notes.txt", "", "First line\nsecond line\r\n\r\n \nNext.")
	wantBlocks(t, d, "P First line second line", "P Next.")
	if d.Title != "notes.txt" {
		t.Errorf("title %q", d.Title)
	}
	d = read(t, x, "a.md", "application/octet-stream", "---\ntitle: The Title\nlang: fr\n---\n# One\n\nA *b* [c](http://x.test/y).\n\n- i\n- j\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```go\nx := 1\n```\n")
	wantBlocks(t, d, "# One", "P A b c.", "* i", "* j", `T a | b\n1 | 2`, "C x := 1")
	if d.Title != "The Title" || d.Language != "fr" || len(d.Links) != 1 {
		t.Errorf("about the file: %+v", d)
	}
}

func TestCSVAndJSON(t *testing.T) {
	t.Parallel()
	x := extract.New(extract.Limits{})
	d := read(t, x, "a.csv", "", "name;price\n\"Big; box\";10\n\nsmall;2\n")
	wantBlocks(t, d, `T name | price\nBig; box | 10\nsmall | 2`)
	d = read(t, x, "a.json", "", `{"name": "Box", "size": {"w": 1.50, "h": 2}, "tags": ["a", "b"], "none": null, "sold": true, "parts": [{"n": 1}, {"n": 2}]}`)
	wantBlocks(t, d, "P name: Box", "P size: w: 1.50; h: 2", "P tags: a, b; sold: true", "P parts: n: 1", "P parts: n: 2")
	d = read(t, x, "a.jsonl", "", "{\"q\": \"Why?\"}\n{\"q\": \"How?\"}\n\"plain\"")
	wantBlocks(t, d, "P q: Why?", "P q: How?", "P plain")
	refused(t, x, "a.json", `{"a": [1, 2`, "not valid JSON")
	refused(t, x, "a.json", strings.Repeat("[", 5000)+strings.Repeat("]", 5000), "nested")
	refused(t, x, "large.json", strings.Repeat(`{"a":`, 1_000_000), "nested")
}

func TestWhatIsNotTextIsRefusedWithAReason(t *testing.T) {
	t.Parallel()
	x := extract.New(extract.Limits{InputBytesMax: 5 << 20, OutputBytesMax: 1 << 20})
	for name, c := range map[string][2]string{
		"empty.txt":   {" \n", "empty"},
		"picture.pdf": {"\x89PNG\r\n\x1a\n\x00\x00", "recognition of text in pictures is not available"},
		"old.doc":     {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "Save it as DOCX"},
		"page.html":   {"MZ\x90\x00\x03", "Programs"},
		"data.bin":    {"\x01\x02\x00\x03", "Readable are"},
		"feed.xml":    {"<?xml version=\"1.0\"?><rss/>", "Readable are"},
		"style.css":   {"p { color: red }", "Readable are"},
		"text.rtf":    {`{\rtf1 hello}`, "RTF"},
		"huge.txt":    {strings.Repeat("a", 5<<20+1), "larger than the 5 MB"},
		"long.txt":    {strings.Repeat("word ", 1<<19), "more than the 1 MB of text"},
	} {
		refused(t, x, name, c[0], c[1])
	}
}
