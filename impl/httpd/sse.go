package httpd

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"strconv"
	"sync"
	"time"

	"parley/impl/core/turn"
)

// heartbeatEvery is the silence after which a comment is sent, so that proxies
// keep the connection; parsers that know no comments rarely see one.
const heartbeatEvery = 10 * time.Second

// EventStream writes server-sent events. It is the only writer of them:
// headers, no proxy buffering, a flush and a deadline for what is sent together, heartbeats.
type EventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	beat    *time.Timer

	mu     sync.Mutex
	buf    bytes.Buffer // what is not written yet
	closed bool
	err    error
}

// NewEventStream sends status and headers at once, so that the client sees the
// stream open before the first event. Close it before the handler returns.
func NewEventStream(w http.ResponseWriter, status int) *EventStream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(status)
	s := &EventStream{w: w, control: http.NewResponseController(w)}
	_ = s.control.Flush()
	s.beat = time.AfterFunc(heartbeatEvery, s.heartbeat)
	return s
}

// Send writes one event with data as one line of JSON, or a turn.Literal as it
// stands, and flushes it. An empty event sends no name, id 0 no id; the id line
// follows the data, where naive parsers expect nothing. An error means that the
// client is gone.
func (s *EventStream) Send(event string, id int64, data any) error {
	return s.send(event, id, data, false)
}

// togetherMax bounds what waits to be sent with the event behind it.
const togetherMax = 16 << 10

// send is Send of an event that may wait for the next one, which is there already.
func (s *EventStream) send(event string, id int64, data any, more bool) error {
	raw, err := line(data)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if event != "" {
		s.buf.WriteString("event: ")
		s.buf.WriteString(event)
		s.buf.WriteByte('\n')
	}
	s.buf.WriteString("data: ")
	s.buf.Write(raw)
	if id > 0 {
		s.buf.WriteString("\nid: ")
		s.buf.WriteString(strconv.FormatInt(id, 10))
	}
	s.buf.WriteString("\n\n")
	if more && s.buf.Len() < togetherMax {
		return s.err
	}
	s.beat.Reset(heartbeatEvery)
	return s.write()
}

func line(data any) ([]byte, error) {
	if literal, ok := data.(turn.Literal); ok {
		return []byte(literal), nil
	}
	return json.Marshal(data)
}

func (s *EventStream) heartbeat() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf.WriteString(":\n\n")
	if s.closed || s.write() != nil {
		return
	}
	s.beat.Reset(heartbeatEvery)
}

// write needs s.mu. After the first failure nothing more is written.
func (s *EventStream) write() error {
	defer s.buf.Reset()
	if s.err != nil {
		return s.err
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // not supported by test recorders
	if _, s.err = s.w.Write(s.buf.Bytes()); s.err == nil {
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
		if s.send(f.Event, f.N, f.Data, f.More) != nil {
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
