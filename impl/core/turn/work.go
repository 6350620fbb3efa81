package turn

import (
	"context"

	"parley/db"
	"parley/impl/core/provider"
)

// Work is a turn that asks something else of a model than a chat. What it
// emits is its answer's text, which it may encode as it likes.
type Work struct {
	Kind string // of the model
	// Tokens counts what a model would read; its faults refuse the turn.
	Tokens func(m db.Model) (int, error)
	// Do asks the provider of the model, as Provider.Chat does.
	Do func(ctx context.Context, p provider.Provider, m db.Model, emit func(provider.Delta) error) (provider.Result, error)
}

// workOffer returns what may do a turn's work. There are no fallbacks: another
// model's answers are not alike.
func (e *Engine) workOffer(ctx context.Context, in Input) ([]offer, error) {
	m, p, err := e.models.ResolveKind(ctx, in.Caller.AccountID, in.Work.Kind, wantedModel(in))
	if err != nil {
		return nil, err
	}
	if n := in.Sampling.MaxOutputTokens; n > 0 {
		m.MaxOutputTokens = min(m.MaxOutputTokens, n)
	}
	n, err := in.Work.Tokens(m)
	if err != nil {
		return nil, err
	}
	return e.admitted([]offer{{model: m, provider: p, inputTokens: n}})
}
