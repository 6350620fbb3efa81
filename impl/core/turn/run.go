package turn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"parley/db"
	"parley/impl/core/event"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/money"
	"parley/impl/core/provider"
	"parley/impl/core/tokens"
)

const (
	// flushEvery is how much of a stream a crash can lose: a batch of events is
	// stored at most this often.
	flushEvery = 200 * time.Millisecond
	// storeTimeout bounds one attempt to store, storePatience all attempts of an End.
	storeTimeout  = 10 * time.Second
	storePatience = 10 * time.Minute
	// storeRetry is the pause between attempts while the database is away.
	storeRetry = 250 * time.Millisecond
	// previewRunes is how much of an answer lists show.
	previewRunes = 120
)

var errCancelled = fault.New(fault.Canceled, "The answer was cancelled.")

// run is one turn at work. Its fields belong to its goroutine.
type run struct {
	engine   *Engine
	live     *Live
	ctx      context.Context
	turn     db.Turn
	model    db.Model
	provider provider.Provider
	prompt   []provider.Message
	sampling Sampling

	knowledge *Knowledge         // of the request; nil without one
	passages  []provider.Passage // what the model is offered of it

	fallbacks []offer // what may answer instead, in order
	switched  bool    // another model answers than the stored beginning names; its first event says so
	tokens    int64   // the most that any offer can take

	storing sync.Mutex // held while events are added or stored

	text, thought strings.Builder
	pending       []Event // published, not yet stored
	next          int64   // number of the next event
	flushed       time.Time
}

func (e *Engine) newRun(in Input, offers []offer) *run {
	ctx, cancel := context.WithCancelCause(e.running)
	now := e.now()
	held, most := dearest(offers)
	t := db.Turn{
		AccountID: in.Caller.AccountID, ID: id.New(id.Turn), Surface: in.Surface, AppID: in.Caller.AppID,
		KeyID: in.Caller.KeyID, ModelID: offers[0].model.ID, State: db.TurnRunning, Owner: e.owner, LeaseUntil: now.Add(lease),
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
		engine: e, live: newLive(t.ID, cancel, e.encoderOf(t)), ctx: ctx, turn: t, sampling: in.Sampling,
		fallbacks: offers[1:], tokens: most, next: 1, flushed: now, knowledge: in.Knowledge,
	}
	r.take(offers[0])
	return r
}

func (r *run) run() {
	defer r.engine.unregister(r)
	defer r.live.cancel(nil)
	result, err := r.ask()
	if cause := context.Cause(r.ctx); err != nil && cause != nil {
		err = cause // why the run was ended, not how the provider noticed
	}
	r.finish(result, err)
	if r.turn.Unstored {
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
	emit, rest := r.emit, func() error { return nil }
	if r.knowledge != nil && r.knowledge.Unmarked && len(r.passages) > 0 {
		emit, rest = unmarked(r.emit)
	}
	result, err = r.provider.Chat(r.ctx, provider.Request{
		Model: r.model.UpstreamName, Messages: r.prompt, Knowledge: r.passages, MaxOutputTokens: r.model.MaxOutputTokens,
		Temperature: r.sampling.Temperature, Stop: r.sampling.Stop, EndUser: r.sampling.EndUser,
	}, emit)
	if err == nil {
		err = rest()
	}
	return result, err
}

// emit publishes a piece to readers at once and stores a batch now and then.
func (r *run) emit(d provider.Delta) error {
	if r.next == 1 {
		r.heard(nil)
	}
	r.storing.Lock()
	defer r.storing.Unlock()
	d.Text, d.Thought = storable(d.Text), storable(d.Thought)
	if d.Thought != "" {
		r.thought.WriteString(d.Thought)
		r.publish(Thought, d.Thought)
	}
	if d.Text != "" {
		r.text.WriteString(d.Text)
		r.publish(Delta, d.Text)
	}
	if !r.due() {
		return nil
	}
	return r.flush()
}

// due tells whether pending events are to be stored. A turn that is followed
// from another server is stored more often.
func (r *run) due() bool {
	every := flushEvery
	if r.live.followed.Load() {
		every = followedFlush
	}
	return len(r.pending) > 0 && r.engine.now().Sub(r.flushed) >= every
}

// flushDue stores in the background what is due. It never waits: a run that is
// adding or storing events does it itself.
func (r *run) flushDue() {
	if !r.storing.TryLock() {
		return
	}
	if !r.due() {
		r.storing.Unlock()
		return
	}
	go func() {
		defer r.storing.Unlock()
		if err := r.flush(); err != nil {
			r.live.cancel(err)
		}
	}()
}

func (r *run) event(kind, text string) Event {
	e := Event{N: r.next, Kind: kind, Text: text, Model: r.fallback()}
	r.next++
	if !r.turn.Unstored {
		r.pending = append(r.pending, e)
	}
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

// flush stores the pending events. A database that is away does not stop the
// stream: they stay pending. A turn that is no longer ours does.
func (r *run) flush() error {
	r.flushed = r.engine.now()
	ctx, cancel := context.WithTimeout(r.ctx, storeTimeout)
	defer cancel()
	err := r.engine.db.AppendEvents(ctx, r.turn, r.pending[0].N, encode(r.pending))
	if errors.Is(err, db.ErrNotFound) {
		return errCancelled // deleted, or taken over by another server
	}
	if err != nil {
		r.engine.log.Warn("storing events failed; they stay pending", "turn", r.turn.ID, "error", err)
		return nil
	}
	r.pending = nil
	r.hint()
	return nil
}

// finish stores the end of the turn and only then tells the readers.
func (r *run) finish(result provider.Result, failure error) {
	r.storing.Lock()
	defer r.storing.Unlock()
	a := r.settle(result.Usage, failure)
	a.Citations = r.citations(result.Cited)
	last := Event{
		N: r.next, Kind: stateOf(a.Failure), MessageID: a.MessageID, At: *r.turn.EndedAt,
		Usage: &Usage{InputTokens: r.turn.InputTokens, OutputTokens: r.turn.OutputTokens}, Model: r.fallback(), Citations: a.Citations,
	}
	if a.Failure != nil {
		last.Text = a.Failure.Message
	} else {
		last.Finish, a.FinishReason = result.FinishReason, result.FinishReason
	}
	if !r.turn.Unstored {
		r.pending = append(r.pending, last)
	}
	r.turn.LastEvent = last.N
	if err := r.store(r.ending(a)); err != nil {
		r.engine.log.Error("turn could not be ended", "turn", r.turn.ID, "error", err)
		a.Failure = fault.New(fault.Unavailable, "The answer could not be stored.").Because(err)
		last = Event{N: last.N, Kind: Failed, Text: a.Failure.Message}
	}
	r.pending = nil
	r.live.end(last, a)
	r.hint()
}

// hint tells who follows the turn from another server that there is more of it.
func (r *run) hint() {
	if r.live.followed.Load() {
		r.engine.more(r.turn.ID)
	}
}

// settle fixes what was used and what it costs. The cost never exceeds the
// hold: the account cannot be overdrawn by an upstream that counts more.
func (r *run) settle(u provider.Usage, failure error) Answer {
	now := r.engine.now()
	if u.InputTokens == 0 && u.OutputTokens == 0 && !r.unanswerable() && r.text.Len()+r.thought.Len() > 0 {
		u = provider.Usage{InputTokens: int(r.turn.InputTokens), Estimated: true,
			OutputTokens: tokens.Count(r.model.UpstreamName, r.text.String()+r.thought.String())}
	}
	t := &r.turn
	t.InputTokens, t.OutputTokens, t.Estimated, t.EndedAt = int64(u.InputTokens), int64(u.OutputTokens), u.Estimated, &now
	t.CostMicros = min(t.HeldMicros, money.Cost(t.InputTokens, t.OutputTokens, r.model.InputMicrosPer1K, r.model.OutputMicrosPer1K))
	a := Answer{
		TurnID: t.ID, ModelID: r.model.ID, Content: r.text.String(), Thought: r.thought.String(),
		Usage: u, CostMicros: t.CostMicros, CreatedAt: now,
	}
	if t.ConversationID != nil {
		a.ConversationID = *t.ConversationID
	}
	if failure != nil {
		a.Failure = fault.From(failure)
		kind := a.Failure.Kind.String()
		t.Failure, t.FailureKind = &a.Failure.Message, &kind
	}
	t.State = stateOf(a.Failure)
	if a.Content != "" || a.Failure == nil {
		a.MessageID = id.New(id.Message) // a failed turn keeps its partial text
	}
	return a
}

func stateOf(f *fault.Error) string {
	switch {
	case f == nil:
		return Completed
	case f.Kind == fault.Canceled:
		return Cancelled
	}
	return Failed
}

// ending turns the answer into rows.
func (r *run) ending(a Answer) db.Ending {
	e := db.Ending{EntryID: id.New(id.Entry)}
	if len(r.pending) > 0 {
		e.FirstEvent, e.Events = r.pending[0].N, encode(r.pending)
	}
	e.Nothing = a.Failure != nil && a.CostMicros == 0 && a.Content == "" && a.Thought == ""
	if a.MessageID != "" && a.ConversationID != "" {
		e.Answer = &db.Message{ID: a.MessageID, Content: a.Content, Thought: a.Thought}
		if len(a.Citations) > 0 {
			e.Answer.Citations = db.JSON(encode(a.Citations))
		}
		e.Preview = preview(a.Content)
	}
	e.Told = event.OfTurn(r.turn, a.MessageID)
	return e
}

// store ends the turn in the database, waiting out an outage: an answer that
// was produced must not be lost because Postgres restarts.
func (r *run) store(e db.Ending) error {
	deadline := time.Now().Add(storePatience)
	for {
		err := r.tryStore(e)
		if !errors.Is(err, db.ErrUnavailable) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-time.After(storeRetry):
		case <-r.engine.running.Done():
			return err
		}
	}
}

func (r *run) tryStore(e db.Ending) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), storeTimeout)
	defer cancel()
	err := r.engine.db.EndTurn(ctx, r.turn, e)
	if !errors.Is(err, db.ErrNotFound) {
		return err
	}
	// An earlier attempt may have committed and only its reply been lost. Nobody
	// but the owner ends a turn, so one that ended under our name is ended by us.
	stored, readErr := r.engine.db.Turn(ctx, r.turn.AccountID, r.turn.ID)
	if readErr == nil && stored.Owner == r.turn.Owner && stored.State != db.TurnRunning {
		return nil
	}
	return errors.Join(err, readErr)
}

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

func preview(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= previewRunes {
		return text
	}
	return string([]rune(text)[:previewRunes]) + "…"
}
