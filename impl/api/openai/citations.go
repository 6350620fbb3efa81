package openai

import (
	"unicode/utf8"

	gen "parley/gen/openai"
	"parley/impl/core/turn"
)

// documentURN names an uploaded document where OpenAI has a place for an address alone.
const documentURN = "urn:parley:document:"

// toAPIAnnotations are the citations of a completion, at the end of its text; nil without any.
func toAPIAnnotations(cited []turn.Citation, text string) []gen.ChatCompletionAnnotation {
	at := place(text)
	var out []gen.ChatCompletionAnnotation
	for _, c := range cited {
		url := c.URL
		if url == "" {
			url = documentURN + c.PageID
		}
		out = append(out, gen.ChatCompletionAnnotation{
			Type:        gen.ChatCompletionAnnotationTypeURLCitation,
			URLCitation: gen.ChatCompletionURLCitation{StartIndex: at, EndIndex: at, Title: c.Title, URL: url},
		})
	}
	return out
}

// toAPIResponseAnnotations are the citations of a response's text, at its end.
func toAPIResponseAnnotations(cited []turn.Citation, text string) []gen.ResponseAnnotation {
	at := place(text)
	out := make([]gen.ResponseAnnotation, len(cited))
	for i, c := range cited {
		if c.URL == "" {
			out[i] = gen.ResponseAnnotation{Type: gen.ResponseAnnotationTypeFileCitation, FileID: &c.PageID, Filename: &c.Title, Index: &at}
			continue
		}
		out[i] = gen.ResponseAnnotation{Type: gen.ResponseAnnotationTypeURLCitation, URL: &c.URL, Title: &c.Title, StartIndex: &at, EndIndex: &at}
	}
	return out
}

// place is the end of a text, in characters.
func place(text string) int32 { return int32(utf8.RuneCountInString(text)) } //nolint:gosec // bounded by the answer's size
