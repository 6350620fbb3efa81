package chunk

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"parley/impl/core/extract"
)

// cutter fills chunks of one section.
type cutter struct {
	limits  Limits
	heading string
	chunks  []Chunk
	lines   []part
	tokens  int
	fresh   bool // the open chunk holds more than what it repeats
}

func (c *cutter) add(p part) {
	if p.tokens > c.limits.TokensMax {
		c.addLong(p)
		return
	}
	// Line ends count as tokens too.
	if c.tokens+p.tokens+1 > c.limits.TokensMax {
		c.next(p.tokens)
	}
	c.lines, c.tokens, c.fresh = append(c.lines, p), c.tokens+p.tokens+1, true
}

// addLong cuts a part that no chunk holds.
func (c *cutter) addLong(p part) {
	if p.kind == extract.Table || p.kind == extract.Code {
		c.addLines(p)
		return
	}
	for _, piece := range pieces(p.text, c.limits.TokensMax-c.limits.Overlap-1) {
		piece.kind = p.kind
		c.add(piece)
	}
}

// addLines cuts between rows. The first row of a table, its header, is repeated
// where it leaves room for others.
func (c *cutter) addLines(p part) {
	lines := strings.Split(p.text, "\n")
	header := part{kind: p.kind}
	if p.kind == extract.Table {
		if n := count(lines[0]); n <= c.limits.TokensMax/4 {
			header = part{text: lines[0], tokens: n, kind: p.kind}
			lines = lines[1:]
		}
	}
	block := header
	flush := func() {
		if block.text != header.text {
			c.add(block)
		}
		block = header
	}
	room := c.limits.TokensMax - c.limits.Overlap - header.tokens - 2
	for _, line := range lines {
		for _, piece := range pieces(line, room) {
			if block.tokens+piece.tokens+1 > c.limits.TokensMax-1 {
				flush()
			}
			block.text = strings.TrimPrefix(block.text+"\n"+piece.text, "\n")
			block.tokens += piece.tokens + 1
		}
	}
	flush()
}

// next closes the open chunk and starts another with its last words, if there is
// room for them beside coming tokens.
func (c *cutter) next(coming int) {
	if !c.fresh {
		c.lines, c.tokens = nil, 0
		return
	}
	repeated := c.tail(min(c.limits.Overlap, c.limits.TokensMax-coming-1))
	c.close()
	if repeated.text != "" {
		c.lines, c.tokens = append(c.lines, repeated), repeated.tokens+1
	}
}

func (c *cutter) close() {
	texts := make([]string, len(c.lines))
	for i, p := range c.lines {
		texts[i] = p.text
	}
	text := strings.Join(texts, "\n")
	c.chunks = append(c.chunks, Chunk{Heading: c.heading, Text: text, Tokens: count(text)})
	c.lines, c.tokens, c.fresh = nil, 0, false
}

// tail returns the last sentences of the open chunk, at most tokensMax of them.
// Rows of tables and code are not repeated: half of them says nothing.
func (c *cutter) tail(tokensMax int) part {
	last := c.lines[len(c.lines)-1]
	if last.kind == extract.Table || last.kind == extract.Code || tokensMax <= 0 {
		return part{}
	}
	var kept part
	all := sentences(last.text)
	for i := len(all) - 1; i >= 0; i-- {
		n := count(all[i])
		if kept.tokens+n > tokensMax {
			break
		}
		kept = part{text: all[i] + kept.text, tokens: kept.tokens + n}
	}
	kept.text = strings.TrimSpace(kept.text)
	return kept
}

func (c *cutter) finish() []Chunk {
	if c.fresh {
		c.close()
	}
	return c.chunks
}

// pieces cuts text between sentences, and where a sentence is too long, between
// words, to parts of at most tokensMax.
func pieces(text string, tokensMax int) (all []part) {
	var open part
	flush := func() {
		if open.text = strings.TrimSpace(open.text); open.text != "" {
			all = append(all, open)
		}
		open = part{}
	}
	for _, s := range sentences(text) {
		for _, bit := range bits(s, tokensMax) {
			if open.tokens+bit.tokens > tokensMax {
				flush()
			}
			open.text, open.tokens = open.text+bit.text, open.tokens+bit.tokens
		}
	}
	flush()
	return all
}

// bits halves text at a blank, or anywhere when there is none, until each half
// is small enough.
func bits(text string, tokensMax int) []part {
	n := count(text)
	if n <= tokensMax || utf8.RuneCountInString(text) < 2 {
		return []part{{text: text, tokens: n}}
	}
	half := len(text) / 2
	at := strings.LastIndexByte(text[:half], ' ') + 1
	if at <= half/2 {
		for at = half; at > 0 && !utf8.RuneStart(text[at]); at-- {
		}
		if at == 0 {
			_, at = utf8.DecodeRuneInString(text)
		}
	}
	return append(bits(text[:at], tokensMax), bits(text[at:], tokensMax)...)
}

// sentences cuts after full stops, question and exclamation marks that a blank
// and no small letter follow, and after those of Chinese and Japanese. Blanks
// stay with the sentence before them.
func sentences(text string) (all []string) {
	start := 0
	for i, r := range text {
		end := i + utf8.RuneLen(r)
		switch r {
		case '.', '!', '?', '…', ';':
			rest := text[end:]
			after := strings.TrimLeft(rest, `"'”’») `)
			first, _ := utf8.DecodeRuneInString(after)
			if after == "" || !strings.Contains(rest[:len(rest)-len(after)], " ") || unicode.IsLower(first) {
				continue
			}
			end = len(text) - len(after)
		case '。', '！', '？':
		case '\n':
		default:
			continue
		}
		if end > start {
			all = append(all, text[start:end])
			start = end
		}
	}
	if start < len(text) {
		all = append(all, text[start:])
	}
	return all
}
