package turn

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math"
	"strings"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/provider"
)

// Encoder writes a surface's stream. It is a pure function of a stored turn and
// its log up to an event, so that a resumed or replayed stream has the same bytes as the first.
type Encoder func(v View, e Event) []Frame

// View is what an encoder knows of a turn: what its beginning stored and, with
// the terminal event, the whole text.
type View struct {
	TurnID         string
	ConversationID string
	ModelID        string
	BeganAt        time.Time
	Options        json.RawMessage
	Content        string
	Thought        string
	Calls          []provider.Call
	// State is what the encoder keeps between the events of one reading of the log, which
	// always begins with the first; nil then.
	State *any

	room []Frame // for an event that is one piece, used again by the next
}

// Piece is the frames of an event that is one piece of the answer: data of a form with the piece in its hole. They
// hold until the next event is encoded.
func (v View) Piece(event string, form *Form, text string) []Frame {
	return append(v.room[:0], Frame{Event: event, Piece: form.With(text)})
}

// Frame is one server-sent event. The last frame of a turn's event carries
// its number as N, the others 0: a client resumes between events, not within one.
type Frame struct {
	Event string // "" for an event without a name
	N     int64
	Data  any   // sent as JSON, but for a Literal
	Piece Piece // sent in place of Data, unless it is zero
	// More tells that the next frame is there already: they can be sent together. Encoders leave it alone.
	More bool
}

// Content is what the frame carries, whichever it is.
func (f Frame) Content() any {
	if f.Piece.IsZero() {
		return f.Data
	}
	return f.Piece
}

// Literal is one line of data that is sent as it stands.
type Literal string

// encoding is a turn as its surface shows it.
type encoding struct {
	encoder Encoder
	view    View
}

func (e *Engine) encoderOf(t db.Turn) encoding {
	v := View{TurnID: t.ID, ModelID: t.ModelID, BeganAt: t.CreatedAt, Options: json.RawMessage(t.Options)}
	if t.ConversationID != nil {
		v.ConversationID = *t.ConversationID
	}
	return encoding{encoder: e.Encoders[t.Surface], view: v}
}

// teller knows what a log told in all when its terminal event comes.
type teller interface {
	add(e Event)   // takes in an event before that
	whole(v *View) // fills in the text
}

// gathered is the teller of a stored log.
type gathered struct {
	content, thought strings.Builder
	called           calls
}

func (g *gathered) add(e Event) {
	switch e.Kind {
	case Delta:
		g.content.WriteString(e.Text)
	case Thought:
		g.thought.WriteString(e.Text)
	case Calls:
		g.called.add(e.Text)
	}
}

func (g *gathered) whole(v *View) {
	v.Content, v.Thought, v.Calls = g.content.String(), g.thought.String(), g.called.joined()
}

// frames encodes a whole log and yields what lies beyond number after. A
// cursor beyond the end of the log gets the terminal event.
func (enc encoding) frames(steps iter.Seq2[step, error], after int64, all teller) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		v := enc.view
		v.State, v.room = new(any), make([]Frame, 0, 1)
		send := together{yield: yield}
		for s, err := range steps {
			if err != nil {
				if send.now() {
					yield(Frame{}, err)
				}
				return
			}
			e := s.Event
			if e.Model != "" {
				v.ModelID = e.Model
			}
			if all.add(e); e.Terminal() {
				all.whole(&v)
			}
			frames := enc.encoder(v, e)
			if e.N <= after && !e.Terminal() {
				continue
			}
			for i, f := range frames {
				if i == len(frames)-1 {
					f.N = e.N
				}
				if !send.add(f) {
					return
				}
			}
			if !s.more && !send.now() {
				return
			}
		}
	}
}

// together yields frames one behind: each tells whether there is another one already.
type together struct {
	yield func(Frame, error) bool
	held  bool
	frame Frame
}

// add yields the frame before f; false when its reader left.
func (t *together) add(f Frame) bool {
	before, held := t.frame, t.held
	t.frame, t.held = f, true
	before.More = true
	return !held || t.yield(before, nil)
}

// now yields the last frame, if it was not; false when its reader left.
func (t *together) now() bool {
	held := t.held
	t.held = false
	return !held || t.yield(t.frame, nil)
}

const (
	// behindMax is how much further behind than it was before a reader may fall,
	// and behindFor for how long: a burst is no fault of its readers.
	behindMax = 256 << 10
	behindFor = 10 * time.Second
)

// ErrSlow says that a reader takes a stream much more slowly than it is made. It
// holds up nobody, but would keep the whole log in memory for as long as it
// likes; it is cut, and resumes after the last event that it got.
var ErrSlow = fault.New(fault.Unavailable, "The stream is read too slowly; resume it after the last event received.")

// pace is how a reader keeps up with a turn that this server runs. One that
// begins with a long log may take its time with that, so it is measured by the
// least that it ever was behind.
type pace struct {
	read, best int64
	since      time.Time // when it fell too far behind; zero: it has not
}

// slow takes in that the reader is about to get an event, and tells whether it
// has been too far behind for too long.
func (p *pace) slow(l *Live, next Event) bool {
	owed := l.size() - p.read
	p.read += next.size()
	p.best = min(p.best, owed)
	if owed <= p.best+behindMax {
		p.since = time.Time{}
		return false
	}
	if p.since.IsZero() {
		p.since = l.now()
	}
	return l.now().Sub(p.since) >= behindFor
}

// Frames yields the turn's stream in its surface's format beyond number after,
// as it comes, up to the end. It stops early when ctx ends, and with ErrSlow for
// a reader that falls too far behind; the turn goes on.
func (l *Live) Frames(ctx context.Context, after int64) iter.Seq2[Frame, error] {
	steps := func(yield func(step, error) bool) {
		p := pace{best: math.MaxInt64}
		for s := range l.steps(ctx, 0) {
			if p.slow(l, s.Event) {
				yield(step{}, ErrSlow)
				return
			}
			if !yield(s, nil) {
				return
			}
		}
		if err := l.lostTo(); err != nil {
			yield(step{}, err)
		}
	}
	return l.encode.frames(steps, after, ran{l})
}

// ran is the teller of a turn that runs here: all its readers share its text.
type ran struct{ live *Live }

func (ran) add(Event) {}

func (r ran) whole(v *View) {
	r.live.mu.Lock()
	defer r.live.mu.Unlock()
	v.Content, v.Thought, v.Calls = r.live.answer.Content, r.live.answer.Thought, r.live.answer.Calls
}

var errUnstored = fault.New(fault.NotFound, "The turn's text is not stored, as its request asked.")

// tailEvery is how often a turn that runs on another server is looked at while
// its hints cannot be heard.
const tailEvery = 100 * time.Millisecond

// Find returns a turn of the account; any other is a NotFound fault.
func (e *Engine) Find(ctx context.Context, accountID, turnID string) (db.Turn, error) {
	t, err := e.db.Turn(ctx, accountID, turnID)
	if errors.Is(err, db.ErrNotFound) {
		return db.Turn{}, fault.New(fault.NotFound, "Turn not found")
	}
	return t, err
}

// Frames yields a turn's stream from wherever it is: from memory while this
// server runs it, otherwise from the stored log, which another server may still
// be writing. A turn whose log was erased with its conversation, or that is not
// to be stored and did not run here just now, is a NotFound fault.
func (e *Engine) Frames(ctx context.Context, t db.Turn, after int64) (iter.Seq2[Frame, error], error) {
	if live := e.liveTurn(t.AccountID, t.ID); live != nil {
		return live.Frames(ctx, after), nil
	}
	enc := e.encoderOf(t)
	if enc.encoder == nil {
		return nil, fault.New(fault.NotFound, "Turn not found")
	}
	if t.Unstored {
		if live := e.recent.find(t, e.now()); live != nil {
			return live.Frames(ctx, after), nil
		}
		return nil, errUnstored
	}
	if t.State != db.TurnRunning {
		batches, err := e.db.TurnEvents(ctx, t.AccountID, t.ID, 0)
		if err != nil {
			return nil, err
		}
		if len(batches) == 0 {
			return nil, errErased
		}
	}
	return enc.frames(e.tail(ctx, t), after, new(gathered)), nil
}

func (e *Engine) liveTurn(accountID, turnID string) *Live {
	e.mu.Lock()
	defer e.mu.Unlock()
	if a := e.live[turnID]; a != nil && a.accountID == accountID {
		return a.Live
	}
	return nil
}

// tail yields the stored events of a turn, and waits for more until the
// terminal one is stored. It ends without one when the log is erased under it.
func (e *Engine) tail(ctx context.Context, t db.Turn) iter.Seq2[step, error] {
	return func(yield func(step, error) bool) {
		wake, end := e.read(t.ID)
		defer end()
		if t.State == db.TurnRunning && e.hearing.Load() {
			e.tell(ctx, signalFollow, t.ID)
		}
		var last int64
		for {
			events, err := e.stored(ctx, t, last)
			if err != nil {
				yield(step{}, err)
				return
			}
			for i, ev := range events {
				if !yield(step{ev, i < len(events)-1}, nil) || ev.Terminal() {
					return
				}
				last = ev.N
			}
			if len(events) == 0 && e.erased(ctx, t) {
				return
			}
			if !e.pause(ctx, t.ID, wake) {
				return
			}
		}
	}
}

func (e *Engine) stored(ctx context.Context, t db.Turn, after int64) ([]Event, error) {
	batches, err := e.db.TurnEvents(ctx, t.AccountID, t.ID, after)
	if err != nil {
		return nil, err
	}
	events, _, err := decode(batches, after)
	return events, err
}

// decode reads the events beyond a number, each once, up to the first that is
// missing: batches may overlap, and the last ones of a log can be gone. Last is
// the first event of the batch that ends with the last of them.
func decode(batches []db.EventBatch, after int64) (events []Event, last int64, err error) {
	for _, b := range batches {
		batch, err := Unpack(b)
		if err != nil {
			return nil, 0, err
		}
		for _, ev := range batch {
			if ev.N == after+1 {
				events, after, last = append(events, ev), ev.N, b.First
			}
		}
	}
	return events, last, nil
}

// erased tells whether a turn ended without leaving a log to wait for.
func (e *Engine) erased(ctx context.Context, t db.Turn) bool {
	now, err := e.db.Turn(ctx, t.AccountID, t.ID)
	if err != nil || now.State == db.TurnRunning {
		return false
	}
	batches, err := e.db.TurnEvents(ctx, t.AccountID, t.ID, 0)
	return err == nil && len(batches) == 0
}

// Cancel ends a running turn: at once when this server runs it, otherwise the
// server that does is asked to. Cancelling an ended turn changes nothing.
func (e *Engine) Cancel(ctx context.Context, accountID, turnID string) (db.Turn, error) {
	if live := e.liveTurn(accountID, turnID); live != nil {
		live.cancel(errCancelled)
		_, _ = live.Wait(ctx) // its outcome is read below
	} else if err := e.db.RequestCancel(ctx, accountID, turnID); err != nil && !errors.Is(err, db.ErrNotFound) {
		return db.Turn{}, err
	} else if err == nil {
		e.tell(ctx, signalCancel, turnID)
	}
	return e.Find(ctx, accountID, turnID)
}
