// Package providertest has what tests of and around providers need: Scripted, a
// provider that does what it is told; Upstream, an OpenAI-compatible server that
// misbehaves on demand; and Run, the suite that every provider passes.
package providertest

import (
	"context"
	"slices"
	"sync"

	"parley/impl/core/fault"
	"parley/impl/core/provider"
	"parley/impl/core/tokens"
)

// Script is one answer of a Scripted provider.
type Script struct {
	Pieces       []provider.Delta
	Gate         <-chan struct{} // when set, each piece waits for a value, or for the gate to be closed
	Err          error           // what Chat ends with, after FailAfter pieces; nil for success
	FailAfter    int             // pieces emitted before Err
	Usage        *provider.Usage // what the upstream "reported"; nil counts and sets Estimated
	Cited        []int           // nil reads the citations from the text
	FinishReason string          // "stop" when empty
	Model        string          // Request.Model when empty
}

// Text is a script that answers with pieces.
func Text(pieces ...string) Script {
	var s Script
	for _, p := range pieces {
		s.Pieces = append(s.Pieces, provider.Delta{Text: p})
	}
	return s
}

// Scripted is a provider that plays its scripts in turn, the last one for ever.
type Scripted struct {
	Offers []provider.Model // what Models lists; one named "scripted" when nil

	mu       sync.Mutex
	scripts  []Script
	requests []provider.Request
}

var _ provider.Provider = (*Scripted)(nil)

// NewScripted returns a provider that plays scripts; without any it answers "ok".
func NewScripted(scripts ...Script) *Scripted {
	if len(scripts) == 0 {
		scripts = []Script{Text("ok")}
	}
	return &Scripted{scripts: scripts}
}

// Requests returns the requests of Chat so far, in order of arrival.
func (s *Scripted) Requests() []provider.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Models implements provider.Provider.
func (s *Scripted) Models(context.Context) ([]provider.Model, error) {
	if s.Offers == nil {
		return []provider.Model{{ID: "scripted", Name: "Scripted", ContextTokens: 8192}}, nil
	}
	return s.Offers, nil
}

// Chat implements provider.Provider.
func (s *Scripted) Chat(ctx context.Context, req provider.Request, emit func(provider.Delta) error) (provider.Result, error) {
	script := s.take(req)
	var sent []provider.Delta
	for i, piece := range script.Pieces {
		if script.Err != nil && i == script.FailAfter {
			break
		}
		if err := script.wait(ctx); err != nil {
			return script.result(req, sent), err
		}
		sent = append(sent, piece)
		if err := emit(piece); err != nil {
			return script.result(req, sent), err
		}
	}
	r := script.result(req, sent)
	if script.Err == nil {
		r.FinishReason = script.FinishReason
		if r.FinishReason == "" {
			r.FinishReason = provider.FinishStop
		}
	}
	return r, script.Err
}

func (s *Scripted) take(req provider.Request) Script {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, req)
	script := s.scripts[0]
	if len(s.scripts) > 1 {
		s.scripts = s.scripts[1:]
	}
	return script
}

func (s Script) wait(ctx context.Context) error {
	canceled := func() error {
		return fault.New(fault.Canceled, "The request was canceled.").Because(ctx.Err())
	}
	if s.Gate != nil {
		select {
		case <-s.Gate:
		case <-ctx.Done():
			return canceled()
		}
	}
	if ctx.Err() != nil {
		return canceled()
	}
	return nil
}

func (s Script) result(req provider.Request, sent []provider.Delta) provider.Result {
	var text string
	for _, d := range sent {
		text += d.Text
	}
	r := provider.Result{Cited: s.Cited, Model: s.Model}
	if r.Model == "" {
		r.Model = req.Model
	}
	if r.Cited == nil {
		r.Cited = provider.Citations(text, len(req.Knowledge))
	}
	complete := len(sent) == len(s.Pieces)
	if s.Usage != nil && s.Err == nil && complete {
		r.Usage = *s.Usage
		return r
	}
	r.Usage = provider.Usage{InputTokens: tokens.CountMessages(req.Model, req.Prompt()), Estimated: true}
	for _, d := range sent {
		r.Usage.OutputTokens += tokens.Count(req.Model, d.Text) + tokens.Count(req.Model, d.Thought)
	}
	return r
}
