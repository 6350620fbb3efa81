package turn

import (
	"context"
	"encoding/json"
	"errors"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/idempotency"
	"parley/impl/core/provider"
)

// Whole writes a surface's answer that is not streamed, as a value to send as
// JSON. Like Encoder it is a pure function of what is stored.
type Whole func(options json.RawMessage, a Answer) any

// Repeat returns the answer to a turn's request once more, in its surface's
// form, waiting for its end wherever the turn runs. The fault of a turn that
// failed is its error; one whose log was erased or never stored is a NotFound fault.
func (e *Engine) Repeat(ctx context.Context, t db.Turn) (any, error) {
	if t.Owner == pictureOwner && e.Pictures != nil {
		return e.Pictures(ctx, t)
	}
	whole := e.Wholes[t.Surface]
	if whole == nil {
		return nil, fault.New(fault.NotFound, "Turn not found")
	}
	a, err := e.answered(ctx, t)
	if err != nil {
		return nil, err
	}
	return whole(json.RawMessage(t.Options), a), nil
}

// answered is what the turn's request was answered with: the whole answer, or
// what was known of it when the request was answered before its end.
func (e *Engine) answered(ctx context.Context, t db.Turn) (Answer, error) {
	if t.Unstored {
		return e.answerOf(ctx, t)
	}
	log, err := e.Log(ctx, t)
	if err == nil && log[0].Detached {
		return Answer{TurnID: t.ID, ModelID: log[0].Model, BeganAt: t.CreatedAt, Log: log[:1]}, nil
	}
	return e.answerOf(ctx, t)
}

func (e *Engine) answerOf(ctx context.Context, t db.Turn) (Answer, error) {
	if live := e.liveTurn(t.AccountID, t.ID); live != nil {
		a, err := live.Wait(ctx)
		a.Log = live.Log()
		return a, err
	}
	if t.Unstored {
		if f := failureOf(t); f != nil {
			return Answer{}, f
		}
		return Answer{}, errUnstored
	}
	r := &run{engine: e, turn: t, next: 1}
	var log []Event
	for s, err := range e.tail(ctx, t) {
		if err != nil {
			return Answer{}, err
		}
		r.replay(s.Event)
		log = append(log, s.Event)
	}
	if err := ctx.Err(); err != nil {
		return Answer{}, err
	}
	ended, err := e.Find(ctx, t.AccountID, t.ID) // t may have been read while it ran
	if err != nil {
		return Answer{}, err
	}
	if f := failureOf(ended); f != nil {
		return Answer{}, f
	}
	if len(log) == 0 || !log[len(log)-1].Terminal() {
		return Answer{}, errErased
	}
	last := log[len(log)-1]
	a := Answer{
		TurnID: ended.ID, MessageID: last.MessageID, ModelID: ended.ModelID, Content: r.text.String(), Thought: r.thought.String(),
		Calls: r.calls.joined(), Logprobs: r.calls.allLogprobs(),
		Usage:      provider.Usage{InputTokens: int(ended.InputTokens), OutputTokens: int(ended.OutputTokens), Estimated: ended.Estimated},
		CostMicros: ended.CostMicros, FinishReason: last.Finish, CreatedAt: last.At, Citations: last.Citations, BeganAt: ended.CreatedAt, Log: log,
	}
	if ended.ConversationID != nil {
		a.ConversationID = *ended.ConversationID
	}
	return a, nil
}

// failureOf is the fault that ended a stored turn, nil when it completed.
func failureOf(t db.Turn) *fault.Error {
	if t.Failure == nil {
		return nil
	}
	kind := fault.Unavailable // turns of before kinds were stored
	if t.FailureKind != nil {
		kind = fault.Named(*t.FailureKind)
	}
	return fault.New(kind, "%s", *t.Failure)
}

// claimed tells a caller whose Idempotency-Key another request took while this
// one began: refusal is why it could not begin, which may only be due to that.
func (e *Engine) claimed(ctx context.Context, refusal error) error {
	claim := idempotency.ClaimOf(ctx)
	if claim == nil {
		return refusal
	}
	var conflict *db.ConflictError
	if errors.As(refusal, &conflict) && conflict.Constraint == db.ClaimsKey {
		return idempotency.ErrTaken
	}
	if _, err := e.db.Claim(ctx, claim.AccountID, claim.AppID, claim.Key); err == nil {
		return idempotency.ErrTaken
	}
	return refusal
}
