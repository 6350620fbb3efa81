package turn

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/provider"
)

const (
	// storeTimeout bounds one attempt to store.
	storeTimeout = 10 * time.Second
	// previewRunes is how much of an answer lists show.
	previewRunes = 120
)

var errCancelled = fault.New(fault.Canceled, "The answer was cancelled.")

// run is one turn at work. Its fields belong to its goroutine, but for the log,
// which the flusher shares, and for what never changes: the name that it is held
// under, the turn's id and whether it is stored.
type run struct {
	engine   *Engine
	live     *Live
	ctx      context.Context
	turn     db.Turn
	held     db.Held // of turn, whose other fields change
	model    db.Model
	provider provider.Provider
	prompt   []provider.Message
	sampling Sampling
	work     *Work

	knowledge *Knowledge         // of the request; nil without one
	passages  []provider.Passage // what the model is offered of it

	plain   bool // the turn began together with others; see db.Ending
	unheard bool // no webhook waits to be told

	fallbacks []offer // what may answer instead, in order
	switched  bool    // another model answers than the stored beginning names; its first event says so
	tokens    int64   // the most that any offer can take

	text, thought strings.Builder
	calls         calls
	next          int64 // number of the next event
	first         int64 // number of the answer's first event

	log  stored
	slot int // of the rounds that store its events
}

func (e *Engine) newRun(request context.Context, in Input, offers []offer) *run {
	ctx, cancel := context.WithCancelCause(traceOf(request, e.running))
	now := e.now()
	held, most := dearest(offers)
	t := db.Turn{
		AccountID: in.Caller.AccountID, ID: id.New(id.Turn), Surface: in.Surface, AppID: in.Caller.AppID,
		KeyID: in.Caller.KeyID, ModelID: offers[0].model.ID, State: db.TurnRunning, Owner: e.owner, Lease: lease,
		HeldMicros: held, EndUser: endUser(in), CreatedAt: now, Unstored: in.Unstored,
	}
	if in.Conversation != nil {
		t.ConversationID = &in.Conversation.ID
	}
	t.Options = []byte("{}")
	if in.Options != nil {
		t.Options = encode(in.Options)
	}
	r := &run{
		engine: e, live: newLive(t, cancel, e.encoderOf(t), e.now), ctx: ctx, turn: t, held: t.Held(), sampling: in.Sampling, work: in.Work,
		fallbacks: offers[1:], tokens: most, next: 1, first: 1, knowledge: in.Knowledge, slot: rand.IntN(flushAll),
	}
	r.take(offers[0])
	if in.Asked != "" {
		r.live.publish(Event{N: 1, Kind: Asked, Text: in.Asked, Model: r.model.ID, Detached: !in.Awaited})
		r.next, r.first = 2, 2
	}
	return r
}

// silent tells whether the model has not begun to answer.
func (r *run) silent() bool { return r.next == r.first }

func (r *run) run() {
	defer r.engine.unregister(r)
	defer r.trace()()
	defer r.live.cancel(nil)
	result, err := r.ask()
	if cause := context.Cause(r.ctx); err != nil && cause != nil {
		err = cause // why the run was ended, not how the provider noticed
	}
	r.finish(result, err)
	if r.turn.Unstored && r.live.lostTo() == nil {
		r.engine.recent.add(r.turn.AccountID, r.live, r.engine.now())
	}
}

// chat asks the provider. A panic in there must fail this turn, not the server.
func (r *run) chat() (result provider.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			r.engine.log.Error("provider panicked", "turn", r.turn.ID, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("provider panicked: %v", p)
		}
	}()
	if r.work != nil {
		return r.work.Do(r.ctx, r.provider, r.model, r.emit)
	}
	emit, rest := r.emit, func() error { return nil }
	if r.knowledge != nil && r.knowledge.Unmarked && len(r.passages) > 0 {
		emit, rest = unmarked(r.emit)
	}
	result, err = r.provider.Chat(r.ctx, provider.Request{
		Model: r.model.UpstreamName, Messages: r.prompt, Knowledge: r.passages, MaxOutputTokens: r.model.MaxOutputTokens,
		Temperature: r.sampling.Temperature, Stop: r.sampling.Stop, EndUser: r.sampling.EndUser, Extra: r.sampling.Extra,
	}, emit)
	if err == nil {
		err = rest()
	}
	return result, err
}

// emit publishes a piece to readers at once; what stores it takes it from there.
func (r *run) emit(d provider.Delta) error {
	if r.silent() {
		r.meterSpoke()
		r.heard(nil)
	}
	d.Text, d.Thought = storable(d.Text), storable(d.Thought)
	if d.Thought != "" {
		r.thought.WriteString(d.Thought)
		r.publish(Thought, d.Thought)
	}
	if d.Text != "" || d.Logprobs != "" {
		r.text.WriteString(d.Text)
		r.calls.logprobs(d.Logprobs)
		e := r.event(Delta, d.Text)
		e.Logprobs = d.Logprobs
		r.live.publish(e)
	}
	if d.Calls != "" {
		r.calls.add(d.Calls)
		r.publish(Calls, d.Calls)
	}
	return nil
}

func (r *run) event(kind, text string) Event {
	e := Event{N: r.next, Kind: kind, Text: text, Model: r.fallback()}
	r.next++
	return e
}

// fallback is the model that answers when the next event is to say so, else "".
func (r *run) fallback() string {
	if !r.switched {
		return ""
	}
	r.switched = false
	return r.model.ID
}

func (r *run) publish(kind, text string) { r.live.publish(r.event(kind, text)) }

// encode is for events and options, which are plain structs.
func encode(value any) []byte {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return raw
}

// storable drops what Postgres does not take in text: NUL and broken UTF-8.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "")
}

// Preview is the beginning of an answer's text, on one line, as lists show it.
func Preview(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= previewRunes {
		return text
	}
	return string([]rune(text)[:previewRunes]) + "…"
}
