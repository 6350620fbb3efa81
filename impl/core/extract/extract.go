// Package extract turns files and web pages into readable, structured text:
// HTML, Markdown, plain text, CSV, JSON, PDF, DOCX, XLSX, PPTX and EPUB.
//
// What a file is decides its content; names and declared types only choose among
// the kinds of text. Plain formats are read here. Formats whose readers could be
// driven into the ground by a hostile file (archives, PDF, Markdown, large pages)
// are read by a child process of the server's own program, which has limits of
// memory, processor time and files, no environment, and can die alone: see
// child.go. RunChild is the other end of it and has to be called early in main.
//
// Start reading at Extractor.Extract.
package extract

import (
	"context"
	"time"
)

// Kind says what a block is.
type Kind string

// The kinds of blocks.
const (
	Heading   Kind = "heading"   // Level 1 to 6
	Paragraph Kind = "paragraph" // running text, lines joined
	Item      Kind = "item"      // one entry of a list; Level is its nesting, from 1
	Table     Kind = "table"     // rows on lines, cells between " | "; the first row is the header where there is one
	Code      Kind = "code"      // text whose line ends and blanks matter
)

// Block is a piece of a document that is read in one go. Its text is valid
// UTF-8, without control characters, and not empty.
type Block struct {
	Kind  Kind   `json:"kind"`
	Level int    `json:"level,omitempty"` // of headings and items; 0 elsewhere
	Text  string `json:"text"`
}

// Document is what was read. Every field but Blocks may be empty.
type Document struct {
	Title       string   `json:"title,omitempty"`
	Description string   `json:"description,omitempty"`
	Image       string   `json:"image,omitempty"`     // address of a picture of the page; absolute when the name is a URL
	Language    string   `json:"language,omitempty"`  // as the document declares it: a BCP 47 tag such as "de-AT", unchecked
	Canonical   string   `json:"canonical,omitempty"` // the address under which the page wants to be known
	Links       []string `json:"links,omitempty"`     // http and https targets to follow, absolute when the name is a URL, each once, at most 10,000
	NoIndex     bool     `json:"no_index,omitempty"`  // the page asks not to be found
	NoFollow    bool     `json:"no_follow,omitempty"` // the page asks that its links are not followed; Links is empty then
	Blocks      []Block  `json:"blocks"`
}

// Limits are the ceilings of one extraction. Zero fields take the defaults.
type Limits struct {
	InputBytesMax  int           // of the file; 50 MB by default
	OutputBytesMax int           // of all blocks' text; 16 MB by default. A longer document is refused
	PagesMax       int           // of a PDF, sheets, slides or chapters; 5,000 by default
	MemoryBytes    int           // of the child process; 768 MB by default
	Timeout        time.Duration // of one extraction; 60 s by default
	Parallel       int           // child processes at once; 2 by default
}

// Extractor reads documents. It is safe for concurrent use.
type Extractor struct {
	limits Limits
	slots  chan struct{}
}

// New returns an extractor with limits.
func New(limits Limits) *Extractor {
	limits = limits.withDefaults()
	return &Extractor{limits: limits, slots: make(chan struct{}, limits.Parallel)}
}

// Extract reads content. Name is the file's name or the page's URL: it names the
// document that has no title, tells kinds of text apart, and a URL makes links
// absolute. DeclaredType is the Content-Type it came with, "" when unknown; its
// charset is believed where the content itself says nothing.
//
// Errors are fault.Invalid with the reason for a person (not a readable kind,
// damaged, encrypted, over a ceiling), fault.Unavailable when the reader could
// not be run and a retry may help, or the context's.
func (x *Extractor) Extract(ctx context.Context, name, declaredType string, content []byte) (Document, error) {
	if err := ctx.Err(); err != nil {
		return Document{}, err
	}
	if len(content) > x.limits.InputBytesMax {
		return Document{}, tooBig(x.limits.InputBytesMax)
	}
	in := input{Name: name, Type: declaredType, Limits: x.limits, content: content}
	format, err := in.sniff()
	if err != nil {
		return Document{}, err
	}
	if format.risky(len(content)) {
		return x.inChild(ctx, in)
	}
	return in.read(format)
}

func (l Limits) withDefaults() Limits {
	set := func(v *int, value int) {
		if *v == 0 {
			*v = value
		}
	}
	set(&l.InputBytesMax, 50<<20)
	set(&l.OutputBytesMax, 16<<20)
	set(&l.PagesMax, 5000)
	set(&l.MemoryBytes, 768<<20)
	set(&l.Parallel, 2)
	if l.Timeout == 0 {
		l.Timeout = time.Minute
	}
	return l
}
