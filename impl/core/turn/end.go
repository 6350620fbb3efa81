package turn

import (
	"context"
	"errors"
	"time"

	"parley/db"
	"parley/impl/core/event"
	"parley/impl/core/failpoint"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/money"
	"parley/impl/core/provider"
	"parley/impl/core/tokens"
)

const (
	// storePatience bounds all attempts to store an end.
	storePatience = 10 * time.Minute
	// storeRetry is the pause between attempts while the database is away.
	storeRetry = 250 * time.Millisecond
)

// errTakenOver says that another server ended, or will end, the turn.
var errTakenOver = fault.New(fault.Unavailable, "Another server has taken over the answer.")

// finish stores the end of the turn and only then tells the readers.
func (r *run) finish(result provider.Result, failure error) {
	previous, from := r.log.seal()
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
	r.turn.LastEvent = last.N
	failpoint.Here(failpoint.BeforeEnd)
	err := r.store(r.ending(a, last, previous, from), last)
	failpoint.Here(failpoint.Ended)
	if errors.Is(err, errTakenOver) {
		r.live.lose(err)
		return
	}
	if err != nil {
		r.engine.log.Error("turn could not be ended", "turn", r.turn.ID, "error", err)
		a.Failure = fault.New(fault.Unavailable, "The answer could not be stored.").Because(err)
		last = Event{N: last.N, Kind: Failed, Text: a.Failure.Message}
	}
	r.meterEnded(a.Failure)
	r.live.end(last, a)
	failpoint.Here(failpoint.Told)
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
	if u.InputTokens == 0 && u.OutputTokens == 0 && !r.unanswerable() && r.text.Len()+r.thought.Len()+len(r.calls.pieces) > 0 {
		u = provider.Usage{InputTokens: int(r.turn.InputTokens), Estimated: true,
			OutputTokens: tokens.Count(r.model.UpstreamName, r.text.String()+r.thought.String()+r.calls.text())}
	}
	t := &r.turn
	t.InputTokens, t.OutputTokens, t.Estimated, t.EndedAt = int64(u.InputTokens), int64(u.OutputTokens), u.Estimated, &now
	t.CostMicros = min(t.HeldMicros, money.Cost(t.InputTokens, t.OutputTokens, r.model.InputMicrosPer1K, r.model.OutputMicrosPer1K))
	a := Answer{
		TurnID: t.ID, ModelID: r.model.ID, Content: r.text.String(), Thought: r.thought.String(), Calls: r.calls.joined(), Logprobs: r.calls.allLogprobs(),
		Usage: u, CostMicros: t.CostMicros, CreatedAt: now, BeganAt: t.CreatedAt,
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

// ending turns the answer into rows: with the events from a number on, which
// follow the batch that begins with previous.
func (r *run) ending(a Answer, last Event, previous, from int64) db.Ending {
	e := db.Ending{EntryID: id.New(id.Entry), Plain: r.plain}
	if !r.turn.Unstored {
		e.Previous, e.FirstEvent, e.Events = previous, from, pack(r.live.upTo(last, from))
	}
	e.Nothing = a.Failure != nil && a.CostMicros == 0 && a.Content == "" && a.Thought == "" && a.Calls == nil
	if a.MessageID != "" && a.ConversationID != "" {
		e.Answer = &db.Message{ID: a.MessageID, Content: a.Content, Thought: a.Thought}
		if len(a.Citations) > 0 {
			e.Answer.Citations = db.JSON(encode(a.Citations))
		}
		e.Preview = Preview(a.Content)
	}
	if !r.unheard {
		e.Told = event.OfTurn(r.turn, a.MessageID)
	}
	return e
}

// store ends the turn in the database, waiting out an outage: an answer that
// was produced must not be lost because Postgres restarts.
func (r *run) store(e db.Ending, last Event) error {
	deadline := time.Now().Add(storePatience)
	for {
		err := r.tryStore(e, last)
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

func (r *run) tryStore(e db.Ending, last Event) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), storeTimeout)
	defer cancel()
	err := r.engine.db.EndTurn(ctx, r.turn, e)
	if !errors.Is(err, db.ErrNotFound) {
		return err
	}
	stored, readErr := r.engine.db.Turn(ctx, r.turn.AccountID, r.turn.ID)
	switch {
	case readErr != nil:
		return errors.Join(err, readErr)
	case stored.Owner != r.turn.Owner || stored.Generation != r.turn.Generation:
		return errTakenOver
	case stored.State != db.TurnRunning:
		// An earlier attempt has committed and only its reply been lost: nobody but
		// the owner ends a turn.
		return nil
	case e.Previous == 0:
		return err
	}
	// What was stored of the log is gone, with a crash of Postgres or with the conversation.
	e.Previous, e.FirstEvent, e.Events = 0, 1, pack(r.live.upTo(last, 1))
	return r.engine.db.EndTurn(ctx, r.turn, e)
}
