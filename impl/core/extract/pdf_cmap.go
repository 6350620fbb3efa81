package extract

import (
	"encoding/hex"
	"io"
	"strings"
	"unicode/utf16"

	"github.com/ledongthuc/pdf"
)

// cmapBytesMax bounds a font's table of texts.
const cmapBytesMax = 4 << 20

// readToUnicode adds what the codes of a font mean to texts. Of the table's
// language only the two lists of codes matter: what stands in angle brackets
// between their keywords.
func readToUnicode(table pdf.Value, texts map[int]string) {
	r := table.Reader()
	defer r.Close()
	// A table that breaks off is used as far as it goes.
	source, _ := io.ReadAll(io.LimitReader(r, cmapBytesMax))
	c := cmap{texts: texts}
	for rest := string(source); rest != "" && len(texts) < codesMax; {
		var token string
		token, rest = cmapToken(rest)
		c.token(token)
	}
}

// cmapToken cuts the next word, bracket or <hex string> off source.
func cmapToken(source string) (token, rest string) {
	source = strings.TrimLeft(source, " \t\r\n\f\x00")
	if source == "" {
		return "", ""
	}
	end := 1
	switch {
	case strings.HasPrefix(source, "<<"), strings.HasPrefix(source, ">>"):
		end = 2
	case source[0] == '<':
		end = strings.IndexByte(source, '>') + 1
	case source[0] != '[' && source[0] != ']' && source[0] != '>':
		end = strings.IndexAny(source[1:], " \t\r\n\f\x00<>[]") + 1
	}
	if end <= 0 {
		end = len(source)
	}
	return source[:end], source[end:]
}

// cmap collects the operands of a list.
type cmap struct {
	texts    map[int]string
	operands []string
	list     []string // of an operand in square brackets
	inList   bool
}

func (c *cmap) token(token string) {
	switch {
	case token == "beginbfchar" || token == "beginbfrange":
		c.operands, c.inList = nil, false
	case token == "endbfchar":
		for i := 0; i+1 < len(c.operands); i += 2 {
			c.texts[codeOf(c.operands[i])] = fromUTF16(c.operands[i+1])
		}
		c.operands = nil
	case token == "[":
		c.list, c.inList = nil, true
	case token == "]":
		c.inList = false
		c.bracketed()
	case strings.HasPrefix(token, "<") && token != "<<":
		raw, _ := hex.DecodeString(strings.Trim(token, "<> "))
		if c.inList {
			c.list = append(c.list, string(raw))
			return
		}
		c.operands = append(c.operands, string(raw))
	case token == "endbfrange":
		for i := 0; i+2 < len(c.operands); i += 3 {
			c.consecutive(codeOf(c.operands[i]), codeOf(c.operands[i+1]), fromUTF16(c.operands[i+2]))
		}
		c.operands = nil
	}
}

// bracketed: the codes from the last but one operand to the last stand for the
// texts of the list.
func (c *cmap) bracketed() {
	n := len(c.operands)
	if n < 2 {
		return
	}
	first := codeOf(c.operands[n-2])
	for i, text := range c.list[:min(len(c.list), codesMax)] {
		c.texts[first+i] = fromUTF16(text)
	}
	c.operands = c.operands[:n-2]
}

// consecutive: the codes stand for characters that follow each other.
func (c *cmap) consecutive(first, last int, text string) {
	runes := []rune(text)
	if len(runes) == 0 {
		return
	}
	for code := first; code <= min(last, first+codesMax); code++ {
		c.texts[code] = string(runes)
		runes[len(runes)-1]++
	}
}

func codeOf(raw string) (code int) {
	for i := range len(raw) {
		code = code<<8&0xFFFFFF | int(raw[i])
	}
	return code
}

func fromUTF16(raw string) string {
	units := make([]uint16, 0, len(raw)/2)
	for i := 0; i+1 < len(raw); i += 2 {
		units = append(units, uint16(raw[i])<<8|uint16(raw[i+1]))
	}
	return string(utf16.Decode(units))
}
