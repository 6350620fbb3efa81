package provider

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"
)

const (
	// eventBytesAtFirst is the room for events that a stream begins with. A usual event is a fifth of it.
	eventBytesAtFirst = 2 << 10
	// drainTime and drainBytes bound what is read after the last event, so that
	// the connection can be used again.
	drainTime  = 50 * time.Millisecond
	drainBytes = 4 << 10
)

var errEventTooLarge = errors.New("event over its limit")

// events reads the server-sent events of one answer. The watchdog is armed only
// while the upstream is to move: a reader that takes its time is not an upstream
// that is silent, and bytes that never make a line are a drip, not progress.
type events struct {
	body     io.ReadCloser
	watch    *watchdog
	idle     time.Duration // between two lines
	bytesMax int           // of one event

	room     []byte
	from     int // where the event begins that is being read
	line     int // where its last line begins
	searched int // up to where that line was searched for its end
	to       int // end of what was read
	joined   []byte

	waited  time.Duration // for the line that is being read
	readAny bool          // a byte came
	ended   bool          // the body was read to its end
}

// rooms are used again: at most calls there is one for each answer.
var rooms = sync.Pool{New: func() any { room := make([]byte, eventBytesAtFirst); return &room }}

func newEvents(body io.ReadCloser, w *watchdog, idle time.Duration, bytesMax int) *events {
	return &events{body: body, watch: w, idle: idle, bytesMax: bytesMax, room: *rooms.Get().(*[]byte)}
}

// next returns the name and the data of the next event that has data, which
// hold until the call after it, or io.EOF. What the end of the body cuts is no event.
func (e *events) next() (name string, data []byte, err error) {
	for {
		end := bytes.IndexByte(e.room[e.searched:e.to], '\n')
		if end < 0 {
			e.searched = e.to
			if err := e.fill(); err != nil {
				return "", nil, err
			}
			continue
		}
		end += e.searched
		blank := end == e.line || end == e.line+1 && e.room[e.line] == '\r'
		event := e.room[e.from:e.line]
		e.line, e.searched = end+1, end+1
		if !blank {
			continue
		}
		e.from = e.line
		if name, data = e.fields(event); len(data) > 0 {
			return name, data, nil
		}
	}
}

// fill reads more behind what was read of the event so far.
func (e *events) fill() error {
	if e.to-e.from > e.bytesMax {
		return errEventTooLarge
	}
	if e.from > 0 {
		e.to = copy(e.room, e.room[e.from:e.to])
		e.line, e.searched, e.from = e.line-e.from, e.searched-e.from, 0
	}
	if e.to == len(e.room) {
		e.room = append(e.room, make([]byte, len(e.room))...)
	}
	n, err := e.wait(e.room[e.to:])
	if n > 0 {
		e.readAny = true
		if bytes.IndexByte(e.room[e.to:e.to+n], '\n') >= 0 {
			e.waited = 0
		}
		e.to += n
		return nil // an error comes once more
	}
	e.ended = e.ended || errors.Is(err, io.EOF)
	return err
}

func (e *events) wait(p []byte) (int, error) {
	begun := e.watch.arm(e.idle - e.waited)
	n, err := e.body.Read(p)
	e.watch.disarm()
	e.waited += time.Since(begun)
	return n, err
}

// fields reads an event's lines. Data in one line, the rule, is not copied.
func (e *events) fields(event []byte) (name string, data []byte) {
	lines := 0
	for len(event) > 0 {
		var line []byte
		line, event, _ = bytes.Cut(event, []byte{'\n'})
		field, value, _ := bytes.Cut(bytes.TrimSuffix(line, []byte{'\r'}), []byte{':'})
		value = bytes.TrimPrefix(value, []byte{' '})
		switch string(field) {
		case "event":
			name = string(value)
		case "data":
			if lines++; lines == 1 {
				data = value
				continue
			}
			if lines == 2 {
				e.joined = append(e.joined[:0], data...)
			}
			e.joined = append(append(e.joined, '\n'), value...)
			data = e.joined
		}
	}
	return name, data
}

// close ends the reading. After the last event the end of the body is due at
// once; reading it lets the connection serve the next call.
func (e *events) close(whole bool) {
	if whole && !e.ended && e.watch.ctx.Err() == nil {
		impatient := time.AfterFunc(drainTime, func() { _ = e.body.Close() })
		_, _ = io.CopyN(io.Discard, e.body, drainBytes)
		impatient.Stop()
	}
	_ = e.body.Close() // it has been read as far as it is wanted
	if room := e.room; len(room) == eventBytesAtFirst {
		rooms.Put(&room)
	}
	e.room = nil
}
