package turn

import (
	"context"
	"errors"
	"strings"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/idempotency"
)

// Meter is told how answers go. Its methods must be quick: answers wait for them.
type Meter interface {
	// TurnSpoke is told of an answer's first piece.
	TurnSpoke(t db.Turn, by db.Model, took time.Duration)
	// TurnEnded is told of every answer that this server ended, before its readers are; failure is nil for a completed one.
	TurnEnded(t db.Turn, by db.Model, outcome string, failure *fault.Error, took time.Duration)
	// TurnRefused is told why a turn did not begin.
	TurnRefused(kind fault.Kind)
	// UpstreamFailed is told of every call that a provider failed.
	UpstreamFailed(of db.Model, kind fault.Kind)
}

// Running is how many answers this server is making.
func (e *Engine) Running() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.live)
}

// LeftAlone is how many providers this server asks only now and then, because
// they failed: of the server as a whole, and of accounts.
func (e *Engine) LeftAlone() (servers, own int) {
	e.breakers.mu.Lock()
	defer e.breakers.mu.Unlock()
	for of, f := range e.breakers.failed {
		switch accountID, _, _ := strings.Cut(of, " "); {
		case f.times < breakAfter:
		case accountID == "":
			servers++
		default:
			own++
		}
	}
	return servers, own
}

// PictureEnded tells of a picture's turn, whose end is stored.
func (e *Engine) PictureEnded(ctx context.Context, t db.Turn, failure *fault.Error) {
	if e.Meter == nil {
		return
	}
	m, err := e.models.Priced(ctx, t.AccountID, t.ModelID)
	if err != nil {
		m = db.Model{AccountID: t.AccountID}
	}
	if failure == nil {
		t.CostMicros = t.HeldMicros
	}
	e.Meter.TurnEnded(t, m, stateOf(failure), failure, e.now().Sub(t.CreatedAt))
}

func (r *run) meterSpoke() {
	took := r.engine.now().Sub(r.turn.CreatedAt)
	ms := max(0, took.Milliseconds())
	r.turn.FirstMs = &ms
	if m := r.engine.Meter; m != nil {
		m.TurnSpoke(r.turn, r.model, took)
	}
}

func (r *run) meterEnded(failure *fault.Error) {
	if m := r.engine.Meter; m != nil {
		m.TurnEnded(r.turn, r.model, stateOf(failure), failure, r.engine.now().Sub(r.turn.CreatedAt))
	}
}

// meterCall tells of a call of the provider that failed, unless it was the server or a client that ended it.
func (r *run) meterCall(ctx context.Context, err error) {
	if m := r.engine.Meter; m != nil && err != nil && ctx.Err() == nil {
		m.UpstreamFailed(r.model, fault.KindOf(err))
	}
}

func (e *Engine) meterRefused(err error) {
	if e.Meter != nil && !errors.Is(err, idempotency.ErrTaken) {
		e.Meter.TurnRefused(fault.KindOf(err))
	}
}
