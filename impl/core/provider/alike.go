package provider

import "bytes"

// alike reads the events of one stream. From one event to the next most of them
// differ in their text alone, so that comparing what is around it tells as much
// as reading the JSON, at a tenth of the price.
type alike struct {
	before, after string // of the text's quotes in the event that was read last; "" without one to compare with
	model         string
	failures      int // events in a row that were not like those before them
}

// failuresMax is how many events in a row may be unlike each other until none is looked at any more.
const failuresMax = 16

// read is readChunk, but that the choice of a chunk with nothing but a text may be missing.
func (a *alike) read(name string, data []byte) (chunk, error) {
	if text, ok := a.text(data); ok && name != "error" {
		a.failures = 0
		return chunk{model: a.model, text: text}, nil
	}
	c, err := readChunk(name, data)
	a.before = ""
	if a.failures++; err == nil && a.failures < failuresMax && c.usage == nil && c.finishReason == "" && c.thought == "" && c.calls == "" {
		a.learn(c, data)
	}
	return c, err
}

// text is the text of an event that is otherwise like the one before it.
func (a *alike) text(data []byte) (string, bool) {
	n := len(a.before)
	if n == 0 || len(data) < n || string(data[:n]) != a.before {
		return "", false
	}
	end := bytes.IndexByte(data[n:], '"')
	if end < 0 || !a.ends(data[n+end:]) || !literal(data[n:n+end]) {
		return "", false
	}
	return string(data[n : n+end]), true
}

// ends tells whether an event has after its text what that before it had, or that and padding.
func (a *alike) ends(rest []byte) bool {
	if string(rest) == a.after {
		return true
	}
	cut, padded := cutPadding(rest)
	return padded && len(a.after) == len(cut)+1 && a.after[:len(cut)] == string(cut) && a.after[len(cut)] == '}'
}

// learn takes an event for those that come to be compared with, if its text
// stands in it once and as it is.
func (a *alike) learn(c chunk, data []byte) {
	raw := []byte(c.raw)
	if len(raw) < 2 || string(raw[1:len(raw)-1]) != c.text || !literal(raw[1:len(raw)-1]) || bytes.Count(data, raw) != 1 {
		return
	}
	begins := bytes.Index(data, raw) + 1
	ends := begins + len(c.text)
	if cut, padded := cutPadding(data[ends:]); padded {
		data = append(data[:ends+len(cut):ends+len(cut)], '}')
	}
	a.before, a.after, a.model = string(data[:begins]), string(data[ends:]), c.model
}

// literal tells whether a text stands in JSON as it is.
func literal(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// padding is how the last member of an event begins that OpenAI fills with as
// much as hides the length of the text.
var padding = []byte(`,"obfuscation":"`)

// cutPadding returns what is before that member at the end of an object. Its
// quotes cannot be within a text, where they would be escaped, and what closes
// the JSON closes the outermost object.
func cutPadding(end []byte) (before []byte, padded bool) {
	at := bytes.LastIndex(end, padding)
	if at < 0 {
		return nil, false
	}
	value, closed := bytes.CutSuffix(end[at+len(padding):], []byte(`"}`))
	return end[:at], closed && literal(value)
}
