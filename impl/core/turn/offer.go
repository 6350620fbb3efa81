package turn

import (
	"context"
	"errors"
	"math"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/provider"
)

// offer is a model that may answer a turn, with what it would read.
type offer struct {
	model       db.Model
	provider    provider.Provider
	prompt      []provider.Message
	passages    []provider.Passage
	inputTokens int
}

// offers returns what may answer, in order: the model wanted and its fallbacks,
// from the first on whose provider is not failing. There is one at least.
func (e *Engine) offers(ctx context.Context, in Input) ([]offer, error) {
	if in.Work != nil {
		return e.workOffer(ctx, in)
	}
	m, p, err := e.wanted(ctx, in)
	if err != nil {
		return nil, err
	}
	first, err := newOffer(in, m, p)
	if err != nil {
		return nil, err
	}
	all := []offer{first}
	models, providers, err := e.models.Fallbacks(ctx, in.Caller.AccountID, m)
	if err != nil {
		return nil, err
	}
	for i := range models {
		o, err := newOffer(in, models[i], providers[i])
		if err == nil {
			all = append(all, o)
		} else if fault.KindOf(err) != fault.TooLarge && !errors.Is(err, errBlind) {
			return nil, err
		}
	}
	return e.admitted(all)
}

// wanted returns the model that a turn is wanted of, and its provider.
func (e *Engine) wanted(ctx context.Context, in Input) (db.Model, provider.Provider, error) {
	if in.Model != nil {
		p, err := e.models.ProviderOf(ctx, in.Caller.AccountID, *in.Model)
		return *in.Model, p, err
	}
	return e.models.Resolve(ctx, in.Caller.AccountID, wantedModel(in))
}

// bytesPerToken is more than text has, but for long runs of spaces and the like.
const bytesPerToken = 8

// HistoryBytes is how much of a conversation's text is worth reading for a turn: more does not fit the context of the
// model that it wants. Of what that is unknown for, or what Start will refuse, everything is.
func (e *Engine) HistoryBytes(ctx context.Context, in Input) int64 {
	m, _, err := e.wanted(ctx, in)
	if err != nil || m.ContextTokens <= 0 {
		return math.MaxInt64
	}
	return bytesPerToken * int64(m.ContextTokens)
}

// admitted drops the offers before the first whose provider may be called; when
// there is none, the error is that of the first.
func (e *Engine) admitted(all []offer) ([]offer, error) {
	var refused error
	for i, o := range all {
		err := e.breakers.admit(o.model, e.now())
		if err == nil {
			return all[i:], nil
		}
		if refused == nil {
			refused = err
		}
	}
	return nil, refused
}

func newOffer(in Input, m db.Model, p provider.Provider) (offer, error) {
	if n := in.Sampling.MaxOutputTokens; n > 0 {
		m.MaxOutputTokens = min(m.MaxOutputTokens, n)
	}
	reads := provider.ExtraTokens(m.UpstreamName, in.Sampling.Extra)
	prompt, passages, inputTokens, err := buildPrompt(in, m, reads)
	return offer{model: m, provider: p, prompt: prompt, passages: passages, inputTokens: inputTokens}, err
}

// dearest is the highest cost and the most tokens that any of the offers can take.
func dearest(all []offer) (heldMicros, tokens int64) {
	for _, o := range all {
		heldMicros = max(heldMicros, hold(o.model, o.inputTokens))
		tokens = max(tokens, int64(o.inputTokens+o.model.MaxOutputTokens))
	}
	return heldMicros, tokens
}

// ask has the model answer, or one of its fallbacks while those before it
// refuse without having begun.
func (r *run) ask() (provider.Result, error) {
	if r.unanswerable() {
		return r.decline()
	}
	for {
		result, err := r.chat()
		r.meterCall(r.ctx, err)
		if err == nil && r.silent() || err != nil && r.ctx.Err() == nil {
			r.heard(err)
		}
		if err == nil || !r.silent() || r.ctx.Err() != nil || provider.RefusalIn(err) == nil || !r.fallBack(err) {
			return result, err
		}
	}
}

// fallBack turns to the next offer whose provider may be called; false when
// there is none.
func (r *run) fallBack(refusal error) bool {
	for len(r.fallbacks) > 0 {
		next := r.fallbacks[0]
		r.fallbacks = r.fallbacks[1:]
		if r.engine.breakers.admit(next.model, r.engine.now()) != nil {
			continue
		}
		r.engine.log.Info("a model's provider refused; another model answers", "turn", r.turn.ID, "model", r.model.ID,
			"fallback", next.model.ID, "error", refusal)
		r.take(next)
		r.switched = true
		return true
	}
	return false
}

// take makes an offer the one that answers.
func (r *run) take(o offer) {
	r.model, r.provider, r.prompt, r.passages = o.model, o.provider, o.prompt, o.passages
	r.turn.ModelID, r.turn.InputTokens = o.model.ID, int64(o.inputTokens)
}
