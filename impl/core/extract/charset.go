package extract

import (
	"bytes"
	"unicode/utf8"

	"github.com/saintfish/chardet"
	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
)

// decode returns text in UTF-8. A byte order mark decides, then what the content
// or contentType declares where it is not plainly wrong, then what the bytes
// look like.
func decode(content []byte, contentType string) string {
	declared, name, certain := charset.DetermineEncoding(content, contentType)
	switch {
	case utf8.Valid(content):
		// Legacy text is practically never valid UTF-8 by chance, whatever is
		// declared; text in UTF-16 without a mark, or ISO-2022, is.
		if !certain || name == "utf-8" || !escapes(name) {
			return string(bytes.TrimPrefix(content, []byte("\xEF\xBB\xBF")))
		}
	case !certain && name == "windows-1252" || name == "utf-8":
		// The first is what nothing is declared comes out as.
		if guessed := guess(content); guessed != nil {
			declared = guessed
		}
	}
	out, err := declared.NewDecoder().Bytes(content)
	if err != nil {
		out = bytes.ToValidUTF8(content, []byte("\uFFFD"))
	}
	return string(bytes.TrimPrefix(out, []byte("\xEF\xBB\xBF")))
}

// escapes names encodings whose text is made of ASCII bytes.
func escapes(name string) bool {
	return name == "iso-2022-jp" || name == "utf-16le" || name == "utf-16be"
}

// guessBytes is how much of a text its encoding is guessed from.
const guessBytes = 64 << 10

func guess(content []byte) encoding.Encoding {
	sample := content[:min(len(content), guessBytes)]
	if mostlyUTF8(sample) {
		return encoding.Nop
	}
	best, err := chardet.NewTextDetector().DetectBest(sample)
	if err != nil {
		return nil
	}
	e, err := htmlindex.Get(best.Charset)
	if err != nil {
		return nil
	}
	return e
}

// mostlyUTF8 tells UTF-8 with a few broken places from other encodings.
func mostlyUTF8(sample []byte) bool {
	good, bad := 0, 0
	for len(sample) > 0 {
		r, size := utf8.DecodeRune(sample)
		switch {
		case r == utf8.RuneError && size == 1:
			bad++
		case size > 1:
			good++
		}
		sample = sample[size:]
	}
	return good > 10*bad
}
