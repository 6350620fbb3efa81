package extract

import (
	"fmt"
	"strings"

	"parley/impl/core/fault"
)

// input is one file to read; what is not its content travels to the child as JSON.
type input struct {
	Name    string
	Type    string
	Limits  Limits
	content []byte
}

// read turns the file into a document in this process. A panic of a reader is
// the file's fault; a reader that does not end, or eats all memory, is not
// contained here.
func (in input) read(f format) (doc Document, err error) {
	defer func() {
		if p := recover(); p != nil {
			doc, err = Document{}, damaged(fmt.Errorf("panic: %v", p))
		}
	}()
	b := &builder{bytesMax: in.Limits.OutputBytesMax}
	if err := readers[f](in, b); err != nil {
		return Document{}, err
	}
	return b.finish(in.Name)
}

// readers know the formats. They are set once: readers of archives use those of
// what is inside.
var readers map[format]func(input, *builder) error

func init() {
	readers = map[format]func(input, *builder) error{
		formatText: readText, formatCSV: readCSV, formatJSON: readJSON, formatHTML: readHTML, formatMarkdown: readMarkdown,
		formatPDF: readPDF, formatArchive: readArchive,
	}
}

func refuse(reason string, args ...any) error { return fault.New(fault.Invalid, reason, args...) }

func damaged(cause error) error {
	return fault.New(fault.Invalid, "The file is damaged, or is not what it seems to be.").Because(cause)
}

func tooBig(bytesMax int) error {
	return refuse("The file is larger than the %s that are read.", megabytes(bytesMax))
}

func megabytes(n int) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%d MB", n>>20)
}

// builder collects a document's blocks up to a ceiling.
type builder struct {
	doc      Document
	bytesMax int
	bytes    int
	full     bool
}

// add appends a block of text, cleaned; text without anything to read adds nothing.
func (b *builder) add(kind Kind, level int, text string) {
	if kind == Code || kind == Table {
		text = cleanLines(text)
	} else {
		text = cleanLine(text)
	}
	if text == "" || b.full {
		return
	}
	if b.bytes += len(text); b.bytes > b.bytesMax {
		b.full = true
		return
	}
	b.doc.Blocks = append(b.doc.Blocks, Block{Kind: kind, Level: level, Text: text})
}

// table appends rows as one block; rows without text are left out.
func (b *builder) table(rows [][]string) {
	var lines []string
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = strings.ReplaceAll(cleanLine(cell), "|", "/")
		}
		if line := strings.TrimRight(strings.Join(cells, " | "), " |"); line != "" {
			lines = append(lines, line)
		}
	}
	b.add(Table, 0, strings.Join(lines, "\n"))
}

func (b *builder) finish(name string) (Document, error) {
	if b.full {
		return Document{}, refuse("The file holds more than the %s of text that are read.", megabytes(b.bytesMax))
	}
	d := b.doc
	d.Title = bounded(cleanLine(d.Title), titleRunesMax)
	d.Description = bounded(cleanLine(d.Description), descriptionRunesMax)
	for i := 0; d.Title == "" && i < len(d.Blocks); i++ {
		if d.Blocks[i].Kind == Heading {
			d.Title = bounded(d.Blocks[i].Text, titleRunesMax)
		}
	}
	if d.Title == "" {
		d.Title = bounded(cleanLine(baseName(name)), titleRunesMax)
	}
	d.Language = languageTag(d.Language)
	return d, nil
}

const (
	titleRunesMax       = 255
	descriptionRunesMax = 500
	languageBytesMax    = 35
)

func languageTag(tag string) string {
	tag = strings.ReplaceAll(cleanLine(tag), "_", "-")
	if len(tag) > languageBytesMax || strings.Trim(tag, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
		return ""
	}
	return tag
}

func baseName(name string) string {
	if i := strings.IndexAny(name, "?#"); i >= 0 && isWebAddress(name) {
		name = name[:i]
	}
	name = strings.TrimRight(name, "/\\")
	return name[strings.LastIndexAny(name, "/\\")+1:]
}
