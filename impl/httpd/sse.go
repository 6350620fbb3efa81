package httpd

import (
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"strconv"
	"sync"
	"time"

	"parley/impl/core/turn"
)

const (
	// heartbeatEvery is the silence after which a comment is sent, so that proxies
	// keep the connection; parsers that know no comments rarely see one.
	heartbeatEvery = 10 * time.Second
	// openWithin is how long the headers wait for the first event, to be sent with it: a stream is seen to be open by then.
	openWithin = 20 * time.Millisecond
)

// EventStream writes server-sent events. It is the only writer of them:
// headers, no proxy buffering, a flush and a deadline for what is sent together, heartbeats.
type EventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	beat    *time.Timer

	mu       sync.Mutex
	room     *[]byte   // of rooms; nil while all is written: most streams are silent most of the time
	buf      []byte    // what is not written yet, in room
	written  time.Time // the latest write
	deadline time.Time // of writes
	closed   bool
	err      error
}

// NewEventStream sends status and headers with the first event, or within openWithin, so that the client sees the
// stream open before an event that takes its time. Close it before the handler returns.
func NewEventStream(w http.ResponseWriter, status int) *EventStream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(status)
	s := &EventStream{w: w, control: http.NewResponseController(w)}
	s.mu.Lock() // the timer reads its field
	defer s.mu.Unlock()
	s.beat = time.AfterFunc(openWithin, s.heartbeat)
	return s
}

// Send writes one event with data as one line of JSON, or a turn.Literal as it
// stands, and flushes it. An empty event sends no name, id 0 no id; the id line
// follows the data, where naive parsers expect nothing. An error means that the
// client is gone.
func (s *EventStream) Send(event string, id int64, data any) error {
	return s.send(turn.Frame{Event: event, N: id, Data: data})
}

// togetherMax bounds what waits to be sent with the event behind it.
const togetherMax = 16 << 10

// send is Send of a frame. It may wait for the next one, if that is there already.
func (s *EventStream) send(f turn.Frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.take()
	begun := len(s.buf)
	if f.Event != "" {
		s.buf = append(append(append(s.buf, "event: "...), f.Event...), '\n')
	}
	var err error
	if s.buf, err = appendLine(append(s.buf, "data: "...), f); err != nil {
		s.buf = s.buf[:begun]
		return err
	}
	if f.N > 0 {
		s.buf = strconv.AppendInt(append(s.buf, "\nid: "...), f.N, 10)
	}
	s.buf = append(s.buf, "\n\n"...)
	if f.More && len(s.buf) < togetherMax {
		return s.err
	}
	return s.write()
}

func appendLine(dst []byte, f turn.Frame) ([]byte, error) {
	if !f.Piece.IsZero() {
		return f.Piece.AppendTo(dst), nil
	}
	if line, ok := f.Data.(turn.Literal); ok {
		return append(dst, line...), nil
	}
	raw, err := json.Marshal(f.Data)
	return append(dst, raw...), err
}

// heartbeat sends a comment, or first the headers, unless something was written since it was set off:
// setting it off with each write would cost more than most writes.
func (s *EventStream) heartbeat() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if s.written.IsZero() {
		s.open()
		return
	}
	if silent := time.Since(s.written); silent < heartbeatEvery {
		s.beat.Reset(heartbeatEvery - silent)
		return
	}
	s.take()
	s.buf = append(s.buf, ":\n\n"...)
	if s.write() == nil {
		s.beat.Reset(heartbeatEvery)
	}
}

// open sends what no event has taken along. It needs s.mu.
func (s *EventStream) open() {
	s.written = time.Now()
	if s.err = s.control.Flush(); s.err == nil {
		s.beat.Reset(heartbeatEvery)
	}
}

var rooms = sync.Pool{New: func() any { return new([]byte) }}

// take makes room for what is to be written. It needs s.mu, as does release.
func (s *EventStream) take() {
	if s.room == nil {
		s.room = rooms.Get().(*[]byte)
		s.buf = (*s.room)[:0]
	}
}

func (s *EventStream) release() {
	if cap(s.buf) <= 2*togetherMax {
		*s.room = s.buf
		rooms.Put(s.room)
	}
	s.room, s.buf = nil, nil
}

// deadlineSlack is how much less than writeTimeout a write may have: a deadline costs as much as a small write.
const deadlineSlack = time.Second

// write needs s.mu. After the first failure nothing more is written.
func (s *EventStream) write() error {
	defer s.release()
	if s.err != nil {
		return s.err
	}
	s.written = time.Now()
	if s.deadline.Sub(s.written) < writeTimeout-deadlineSlack {
		s.deadline = s.written.Add(writeTimeout)
		_ = s.control.SetWriteDeadline(s.deadline) // not supported by test recorders
	}
	if _, s.err = s.w.Write(s.buf); s.err == nil {
		s.err = s.control.Flush()
	}
	return s.err
}

// WriteFrames answers with a turn's stream, until it ends or the client leaves.
// A failure of the log, or a client that reads too slowly, ends the connection
// without a terminal event, so that the client resumes.
func WriteFrames(w http.ResponseWriter, status int, turnID string, frames iter.Seq2[turn.Frame, error]) error {
	w.Header().Set("Parley-Turn", turnID)
	s := NewEventStream(w, status)
	defer s.Close()
	for f, err := range frames {
		if errors.Is(err, turn.ErrSlow) {
			return nil // it resumes after the last id that it got
		}
		if err != nil {
			return err
		}
		if s.send(f) != nil {
			return nil // the client is gone
		}
	}
	return nil
}

// Close stops the heartbeats. It may be called more than once.
func (s *EventStream) Close() {
	s.beat.Stop()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
}
