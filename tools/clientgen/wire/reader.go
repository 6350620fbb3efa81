// Package wire is what the generated clients share: the reader of server-sent
// events, the iterator that streaming methods return, and the error of the API.
package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"time"
)

// MaxEvent bounds a line of a stream, and the data of one event, in bytes. The
// longest answer that the document allows fits, with every character escaped.
const MaxEvent = 16 << 20

// ErrTooLong says that a line or an event of a stream exceeds MaxEvent.
var ErrTooLong = errors.New("event stream: line or event too long")

// Event is one server-sent event as the HTML standard defines it.
type Event struct {
	Name  string        // the event's name, "message" when the stream gives none
	ID    string        // the last id that the stream gave, also with an earlier event
	Data  []byte        // the data lines, joined by line feeds
	Retry time.Duration // how long to wait before connecting again; zero when the stream did not say
}

// Reader takes events off a stream. It accepts every spelling of the standard:
// CR, LF and CRLF line ends, a byte order mark, comments, fields without a
// colon, unknown fields.
type Reader struct {
	in      *bufio.Reader
	started bool
	skipLF  bool // the last line ended with CR: an LF that follows belongs to it
	lastID  string
	retry   time.Duration
}

// NewReader returns a Reader of r.
func NewReader(r io.Reader) *Reader {
	return &Reader{in: bufio.NewReader(r)}
}

// Next returns the next event. At the end of the stream it returns io.EOF and
// drops, as the standard wants, an event that no blank line closed. Other
// errors are ErrTooLong and those of the underlying reader.
func (r *Reader) Next() (Event, error) {
	var name string
	var data []byte
	var hasData bool
	for {
		line, err := r.line()
		if err != nil {
			return Event{}, err
		}
		if len(line) == 0 {
			if hasData {
				return r.event(name, data), nil
			}
			name = ""
			continue
		}
		field, value := split(line)
		switch field {
		case "event":
			name = value
		case "data":
			if hasData {
				data = append(data, '\n')
			}
			hasData = true
			data = append(data, value...)
		default:
			r.remember(field, value)
		}
		if len(data) > MaxEvent {
			return Event{}, ErrTooLong
		}
	}
}

func (r *Reader) event(name string, data []byte) Event {
	if name == "" {
		name = "message"
	}
	return Event{Name: name, ID: r.lastID, Data: data, Retry: r.retry}
}

// remember keeps the fields that outlive their event.
func (r *Reader) remember(field, value string) {
	switch field {
	case "id":
		if !bytes.ContainsRune([]byte(value), 0) {
			r.lastID = value
		}
	case "retry":
		if ms, err := strconv.ParseUint(value, 10, 31); err == nil {
			r.retry = time.Duration(ms) * time.Millisecond
		}
	}
}

// split cuts a line into field and value. A comment has the empty field.
func split(line []byte) (field, value string) {
	name, rest, _ := bytes.Cut(line, []byte{':'})
	return string(name), string(bytes.TrimPrefix(rest, []byte{' '}))
}

// line returns the next line without its end. A last line that nothing ends is
// not a line.
func (r *Reader) line() ([]byte, error) {
	var line []byte
	for {
		c, err := r.in.ReadByte()
		if err != nil {
			return nil, err
		}
		afterCR := r.skipLF
		r.skipLF = false
		switch {
		case c == '\n' && afterCR:
			continue
		case c == '\r':
			r.skipLF = true
			return r.withoutMark(line), nil
		case c == '\n':
			return r.withoutMark(line), nil
		case len(line) == MaxEvent:
			return nil, ErrTooLong
		}
		line = append(line, c)
	}
}

// withoutMark takes the byte order mark off the first line.
func (r *Reader) withoutMark(line []byte) []byte {
	if !r.started {
		r.started = true
		return bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	return line
}
