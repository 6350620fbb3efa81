package realtime

import (
	"context"
	"encoding/json"

	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/speech"
)

const (
	// heardMaxMs bounds what is said at once.
	heardMaxMs = 180_000
	// heardMinMs is the least that can be an item.
	heardMinMs = 100
	// onsetMs is how much sound has gone by when speech is noticed.
	onsetMs = 60
	// hearingMax bounds how much is being written down at once.
	hearingMax = 4
)

// defaultDetection is what a session listens by unless it is told otherwise.
var defaultDetection = json.RawMessage(
	`{"type":"server_vad","threshold":0.5,"prefix_padding_ms":300,"silence_duration_ms":500,"create_response":true,"interrupt_response":true}`)

// listening is how a session finds speech, in the terms of both shapes.
type listening struct {
	Threshold         *float64 `json:"threshold"`
	PrefixPaddingMs   *int     `json:"prefix_padding_ms"`
	SilenceDurationMs *int     `json:"silence_duration_ms"`
	CreateResponse    *bool    `json:"create_response"`
	InterruptResponse *bool    `json:"interrupt_response"`
}

// listens returns how the settings find speech; false when they leave that to the client.
func (s Settings) listens() (l listening, by speech.Detection, on bool) {
	if s.TurnDetection == nil || string(s.TurnDetection) == "null" || json.Unmarshal(s.TurnDetection, &l) != nil {
		return l, by, false
	}
	by = speech.Detection{Threshold: or(l.Threshold, 0.5), SilenceMs: or(l.SilenceDurationMs, 500)}
	return l, by, true
}

func or[T any](given *T, otherwise T) T {
	if given == nil {
		return otherwise
	}
	return *given
}

func (s Settings) inputFormat() string  { return formatOr(s.InputFormat) }
func (s Settings) outputFormat() string { return formatOr(s.OutputFormat) }

func formatOr(name string) string {
	if name == "" {
		return speech.PCM16
	}
	return name
}

// ear is the sound that a session has heard and no item holds yet.
type ear struct {
	raw      []byte
	detector speech.Detector
	itemID   string // of what is being said; "" between
}

// forget drops what was heard.
func (e *ear) forget() {
	e.raw, e.itemID = nil, ""
	e.detector.Forget()
}

// keepLast drops all but the last so many bytes.
func (e *ear) keepLast(n int) {
	if len(e.raw) > n {
		e.raw = append(make([]byte, 0, 2*n), e.raw[len(e.raw)-n:]...) // lets go of a long silence
	}
}

var (
	errBufferFull = fault.New(fault.TooLarge, "The buffer holds three minutes of sound; commit or clear it.").Coded("input_audio_buffer_full")
	errBufferLow  = fault.New(fault.Invalid, "There are less than 100 ms of sound in the buffer.").Coded("input_audio_buffer_commit_empty")
	errHearing    = fault.New(fault.Conflict, "Too much is being transcribed; wait for what was said before.").Coded("too_many_transcriptions")
)

// AppendAudio takes the next sound. With detection it makes items and answers by
// itself as speech ends, otherwise when it is told to.
func (s *Session) AppendAudio(ctx context.Context, raw []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sound.hears {
		return ErrSpeech
	}
	settings := s.settings.resolved(s.sound)
	format := settings.inputFormat()
	most := heardMaxMs * speech.BytesPerMs(format)
	how, by, on := settings.listens()
	if !on {
		if len(s.ear.raw)+len(raw) > most {
			return errBufferFull
		}
		s.ear.raw = append(s.ear.raw, raw...)
		return nil
	}
	before := (or(how.PrefixPaddingMs, 300) + onsetMs) * speech.BytesPerMs(format)
	for len(raw) > 0 {
		n, change := s.ear.detector.Hear(format, raw, by)
		s.ear.raw, raw = append(s.ear.raw, raw[:n]...), raw[n:]
		if change == nil && s.ear.detector.Speaking && len(s.ear.raw) > most {
			s.ear.detector.Forget()
			change = &speech.Change{AtMs: s.ear.detector.HeardMs()}
		}
		if change == nil || change.Began {
			if !s.ear.detector.Speaking || change != nil {
				s.ear.keepLast(before)
			}
		}
		if err := s.heardChange(ctx, change, how); err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) heardChange(ctx context.Context, c *speech.Change, how listening) error {
	switch {
	case c == nil:
		return nil
	case c.Began:
		s.ear.itemID = id.New("item_")
		at := max(0, c.AtMs-or(how.PrefixPaddingMs, 300))
		s.send(Event{Type: SpeechStarted, ItemID: s.ear.itemID, AudioMs: at})
		if s.running != nil && or(how.InterruptResponse, true) {
			s.interrupt(ctx, s.running)
		}
		return nil
	}
	s.send(Event{Type: SpeechStopped, ItemID: s.ear.itemID, AudioMs: c.AtMs})
	if err := s.commit(ctx); err != nil {
		return err
	}
	switch {
	case !or(how.CreateResponse, true):
		return nil
	case s.running != nil:
		s.wanted = true
		return nil
	}
	return s.respond(ctx, Ask{})
}

// CommitAudio makes what was heard an item.
func (s *Session) CommitAudio(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sound.hears {
		return ErrSpeech
	}
	if speech.Milliseconds(s.settings.inputFormat(), len(s.ear.raw)) < heardMinMs {
		return errBufferLow
	}
	return s.commit(ctx)
}

// commit makes an item of the buffer, which is empty then, whatever happens.
func (s *Session) commit(ctx context.Context) error {
	raw, itemID := s.ear.raw, s.ear.itemID
	s.ear.forget()
	if itemID == "" {
		itemID = id.New("item_")
	}
	ms := speech.Milliseconds(s.settings.inputFormat(), len(raw))
	item := Item{
		ID: itemID, Object: "realtime.item", Type: Message, Status: Completed, Role: "user",
		Content: []Part{{Type: InputAudio, DurationMs: ms, sound: raw}},
	}
	return s.createItem(ctx, item, "", true)
}

// takeSound checks the sound of an item to create and takes it out of it: the session keeps words alone.
func (s *Session) takeSound(item *Item) ([]byte, error) {
	var raw []byte
	for i := range item.Content {
		p := &item.Content[i]
		if p.sound == nil {
			continue
		}
		format := s.settings.inputFormat()
		p.DurationMs = speech.Milliseconds(format, len(p.sound))
		switch {
		case !s.sound.hears:
			return nil, ErrSpeech
		case raw != nil:
			return nil, about(fault.New(fault.Invalid, "An item has one part of sound at most.").Coded("invalid_value"), "item.content")
		case p.DurationMs < heardMinMs || p.DurationMs > heardMaxMs:
			return nil, about(fault.New(fault.Invalid, "Sound lasts from 100 ms to three minutes.").Coded("invalid_value"), "item.content")
		case len(s.hearing) >= hearingMax:
			return nil, errHearing
		}
		raw, p.sound = p.sound, nil
	}
	return raw, nil
}

// ClearBuffer forgets what was heard.
func (s *Session) ClearBuffer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ear.forget()
	s.send(Event{Type: BufferCleared})
}

// replaceItem stores a changed item and puts it into its place.
func (s *Session) replaceItem(ctx context.Context, i int, item Item) error {
	if s.stored {
		err := s.service.DB.UpdateRealtimeItem(ctx, s.caller.AccountID, s.ID, item.ID, string(encoded(item)))
		if goneNow(err) {
			return ErrGone
		}
		if err != nil {
			return err
		}
	}
	s.bytes += item.size() - s.entries[i].size()
	s.entries[i].Item = item
	return nil
}
