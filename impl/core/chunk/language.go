package chunk

import (
	"strings"

	"github.com/abadojack/whatlanggo"
)

// Simple is the text search configuration without a language: words as they are.
const Simple = "simple"

// configurations of a stock Postgres, by the two letters of their language.
var configurations = map[string]string{
	"ar": "arabic", "hy": "armenian", "eu": "basque", "ca": "catalan", "da": "danish", "nl": "dutch", "en": "english", "fi": "finnish",
	"fr": "french", "de": "german", "el": "greek", "hi": "hindi", "hu": "hungarian", "id": "indonesian", "ga": "irish", "it": "italian",
	"lt": "lithuanian", "ne": "nepali", "no": "norwegian", "nb": "norwegian", "nn": "norwegian", "pt": "portuguese", "ro": "romanian",
	"ru": "russian", "sr": "serbian", "es": "spanish", "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}

// Configuration returns the text search configuration for a BCP 47 tag; Simple
// for a language that Postgres does not know.
func Configuration(tag string) string {
	main, _, _ := strings.Cut(strings.ToLower(tag), "-")
	if c := configurations[main]; c != "" {
		return c
	}
	return Simple
}

// Detect returns the text search configuration for text, or fallback when the
// text is too short or too mixed to say. Little words decide, as most sentences
// hold some and technical texts hold little else of their language; the
// statistics of letters decide about languages whose words are not listed.
func Detect(text, fallback string) string {
	if len(text) > detectBytes {
		text = strings.ToValidUTF8(text[:detectBytes], "")
	}
	tag, listed := byLittleWords(text)
	if tag != "" {
		return Configuration(tag)
	}
	info := whatlanggo.DetectWithOptions(text, whatlanggo.Options{Whitelist: common})
	if listed || info.Lang < 0 || !info.IsReliable() {
		return fallback
	}
	return Configuration(info.Lang.Iso6391())
}

// detectBytes is how much of a text its language is told from.
const detectBytes = 4 << 10

// certainBytes is the length from which a passage may be of another language
// than its document: a short one is a name or a quotation.
const certainBytes = 300

// setLanguages gives each chunk its language. What the document says of itself
// is believed only where its text does not plainly say otherwise: templates
// declare English whatever stands in them.
func setLanguages(chunks []Chunk, declared string) {
	var sample strings.Builder
	for _, c := range chunks {
		if sample.Len() < detectBytes {
			sample.WriteString(c.Text + "\n")
		}
	}
	whole := Simple
	if declared != "" {
		whole = Configuration(declared)
	}
	whole = Detect(sample.String(), whole)
	for i := range chunks {
		chunks[i].Language = whole
		if len(chunks[i].Text) >= certainBytes {
			chunks[i].Language = Detect(chunks[i].Text, whole)
		}
	}
}
