package realtime

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"parley/db"
	"parley/impl/core/agent"
	"parley/impl/core/fault"
	"parley/impl/core/key"
	"parley/impl/core/model"
	"parley/impl/core/provider"
	"parley/impl/core/speech"
	"parley/impl/core/tokens"
	"parley/impl/core/turn"
)

// heard is sound that is being written down.
type heard struct {
	done    chan struct{} // closed when it has been, or cannot be
	failure *fault.Error  // counts once done is closed
}

// hear has the sound of an item written down. Answers to the item wait for it.
func (s *Session) hear(ctx context.Context, itemID string, raw []byte) {
	h := &heard{done: make(chan struct{})}
	if s.hearing == nil {
		s.hearing = map[string]*heard{}
	}
	s.hearing[itemID] = h
	settings := s.settings
	ctx = context.WithoutCancel(ctx)
	s.answers.Go(func() {
		words, usage, err := s.transcribe(ctx, settings, raw)
		s.mu.Lock()
		defer s.mu.Unlock()
		defer close(h.done)
		delete(s.hearing, itemID)
		if err == nil {
			err = s.understood(ctx, itemID, words)
		}
		asked := settings.Transcription != nil
		switch {
		case err != nil:
			h.failure = fault.From(err)
			s.deaf(itemID, h.failure, asked)
		case asked:
			s.send(Event{Type: TranscriptPiece, ItemID: itemID, Content: s.soundPart(itemID), Text: words})
			s.send(Event{Type: TranscriptHeard, ItemID: itemID, Content: s.soundPart(itemID), Text: words, Heard: usage})
		}
	})
}

// deaf notes that an item could not be written down, so that an answer to it can say why.
func (s *Session) deaf(itemID string, why *fault.Error, told bool) {
	s.unheard = lost{itemID: itemID, failure: why}
	if told {
		s.send(Event{Type: TranscriptFailed, ItemID: itemID, Content: s.soundPart(itemID), Failure: why})
	}
}

// lost is the last item that could not be written down.
type lost struct {
	itemID  string
	failure *fault.Error
}

// soundPart is where an item's sound is among its parts.
func (s *Session) soundPart(itemID string) int {
	i := s.index(itemID)
	if i < 0 {
		return 0
	}
	return max(0, slices.IndexFunc(s.entries[i].Content, func(p Part) bool { return p.Type == InputAudio }))
}

// understood gives an item its words; one that was deleted meanwhile needs none.
func (s *Session) understood(ctx context.Context, itemID, words string) error {
	i := s.index(itemID)
	if i < 0 {
		return nil
	}
	item := s.entries[i].Item
	item.Content = slices.Clone(item.Content)
	item.Content[s.soundPart(itemID)].Transcript = &words
	return s.replaceItem(ctx, i, item)
}

// transcribe is a turn of its own: held, settled and booked as all others.
func (s *Session) transcribe(ctx context.Context, settings Settings, raw []byte) (string, Heard, error) {
	caller, who, err := s.anew(ctx)
	if err != nil {
		return "", Heard{}, err
	}
	var how struct{ Model, Language, Prompt string }
	if settings.Transcription != nil {
		if err := json.Unmarshal(settings.Transcription, &how); err != nil {
			return "", Heard{}, err
		}
	}
	modelID, err := s.service.soundModel(ctx, caller.AccountID, model.KindTranscription, how.Model)
	if err != nil {
		return "", Heard{}, err
	}
	format := settings.inputFormat()
	length := time.Duration(speech.Milliseconds(format, len(raw))) * time.Millisecond
	live, err := s.service.Turns.Start(ctx, turn.Input{
		Caller: caller, Surface: Surface, Agent: who, ModelID: modelID, Unstored: true, Awaited: true,
		Work: &turn.Work{
			Kind:   model.KindTranscription,
			Tokens: func(db.Model) (int, error) { return speech.HeardTokens(length), nil },
			Do: func(ctx context.Context, p provider.Provider, m db.Model, emit func(provider.Delta) error) (provider.Result, error) {
				return writeDown(ctx, p, provider.Recording{
					Model: m.UpstreamName, WAV: speech.WAV(format, raw), Language: how.Language, Prompt: how.Prompt,
				}, speech.HeardTokens(length), emit)
			},
		},
	})
	if err != nil {
		return "", Heard{}, err
	}
	a, err := live.Wait(ctx)
	return a.Content, Heard{InputTokens: a.Usage.InputTokens, OutputTokens: a.Usage.OutputTokens}, err
}

func writeDown(ctx context.Context, p provider.Provider, r provider.Recording, heardTokens int, emit func(provider.Delta) error) (provider.Result, error) {
	transcriber, ok := p.(provider.Transcriber)
	if !ok {
		return provider.Result{}, fault.New(fault.Upstream, "The model's provider transcribes nothing.")
	}
	words, err := transcriber.Transcribe(ctx, r)
	if err != nil {
		return provider.Result{}, err
	}
	usage := provider.Usage{InputTokens: heardTokens, OutputTokens: tokens.Count(r.Model, words)}
	return provider.Result{Usage: usage, FinishReason: provider.FinishStop, Model: r.Model}, emit(provider.Delta{Text: words})
}

// anew returns who the caller is by now and the agent that answers; nil for a model.
// What is heard and spoken belongs to an answer that the plan has admitted or will.
func (s *Session) anew(ctx context.Context) (key.Caller, *db.Agent, error) {
	caller, err := s.again(ctx)
	if err != nil {
		return caller, nil, err
	}
	caller.EndUser, caller.SessionID, caller.ConcurrentStreams = s.caller.EndUser, s.caller.SessionID, 0
	who, err := s.service.Agents.Named(ctx, caller.AccountID, s.answering, model.KindLLM)
	return caller, who.Agent, err
}

// soundModel is the id of the account's model of a kind with a name or an alias;
// any other name, as vendors' clients have them built in, is the account's default.
func (s *Service) soundModel(ctx context.Context, accountID, kind, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	who, err := s.Agents.Named(ctx, accountID, name, kind)
	if err == nil && who.Model != nil {
		return who.Model.ID, nil
	}
	if err != nil && !errors.Is(err, agent.ErrNoModel) {
		return "", err
	}
	m, err := s.Agents.Meant(ctx, accountID, name, kind)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return "", nil
	}
	return m.ID, err
}

// soundOf tells what an account has models for.
func (s *Service) soundOf(ctx context.Context, accountID string) (sound, error) {
	hears, err := s.Agents.Models.Has(ctx, accountID, model.KindTranscription)
	if err != nil {
		return sound{}, err
	}
	speaks, err := s.Agents.Models.Has(ctx, accountID, model.KindSpeech)
	return sound{hears: hears, speaks: speaks}, err
}
