// Package chunk cuts documents into the passages that are searched and cited.
package chunk

import "parley/impl/core/extract"

// Limits are sizes of chunks in tokens. Zero fields take the defaults.
type Limits struct {
	TokensMax int // of one chunk's text; 400 by default
	TokensMin int // below which neighbours are joined, within one section of the document; 120 by default
	Overlap   int // repeated at the start of a chunk that continues a paragraph or section; 40 by default
}

// Chunk is one passage.
type Chunk struct {
	Heading  string // the path of headings above it, joined by " › ", the document's title first; "" when there is none
	Text     string
	Tokens   int    // of Text
	Language string // the Postgres text search configuration for it: "english", "german", … or "simple"
}

// Split cuts d.
func Split(d extract.Document, limits Limits) []Chunk { return nil }
