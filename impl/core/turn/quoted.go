package turn

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// appendQuoted appends text as encoding/json writes it. Most pieces of answers
// hold nothing to escape, and are copied.
func appendQuoted(dst []byte, text string) []byte {
	if !plainText(text) {
		return append(dst, encode(text)...)
	}
	return append(append(append(dst, '"'), text...), '"')
}

// plainText tells whether encoding/json writes a text as it is.
func plainText(text string) bool {
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf {
			if c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
				return false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError || r == '\u2028' || r == '\u2029' {
			return false
		}
		i += size
	}
	return true
}

// Hole is the text for which the pieces of a stream are put into a Form: no
// text that is stored has a NUL.
const Hole = "\x00"

// Form is data of a stream that differs from piece to piece in one text alone.
type Form struct{ before, after string }

// FormOf returns the form of data that has Hole for one text.
func FormOf(data any) *Form {
	before, after, found := bytes.Cut(encode(data), encode(Hole))
	if !found {
		panic("data without a hole")
	}
	return &Form{before: string(before), after: string(after)}
}

// With returns the data with a text in place of Hole.
func (f *Form) With(text string) Piece { return Piece{form: f, text: text} }

// Piece is data of a frame, in the JSON that its Form was made of.
type Piece struct {
	form *Form
	text string
}

// IsZero tells that there is no piece.
func (p Piece) IsZero() bool { return p.form == nil }

// AppendTo appends the piece as encoding/json writes it.
func (p Piece) AppendTo(dst []byte) []byte {
	dst = appendQuoted(append(dst, p.form.before...), p.text)
	return append(dst, p.form.after...)
}

// MarshalJSON implements json.Marshaler.
func (p Piece) MarshalJSON() ([]byte, error) { return p.AppendTo(nil), nil }

var _ json.Marshaler = Piece{}
