package realtime

import (
	"context"
	"encoding/base64"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/model"
	"parley/impl/core/provider"
	"parley/impl/core/speech"
	"parley/impl/core/tokens"
	"parley/impl/core/turn"
)

const (
	// pieceRunesMin is the least that is spoken at once, but for the end of an answer.
	pieceRunesMin = 24
	// pieceRunesMax is the most.
	pieceRunesMax = 1_000
	// Sound has at most so many tokens a rune, and these beside: six times slower than people speak.
	spokenPerRune = 8
	spokenBeside  = 200
)

// voice speaks an answer while it is being written, sentence by sentence: what
// has been written while one piece is spoken is the next.
type voice struct {
	answer *answer
	output *output
	format string
	done   chan struct{} // closed when everything has been spoken, or nothing more will be

	mu      sync.Mutex
	wake    chan struct{} // holds one value
	text    string        // not yet spoken
	whole   bool          // nothing more will be written
	bytes   int           // spoken, encoded
	tokens  int           // spoken
	failure error
}

// speak begins to speak an output.
func (a *answer) speak(o *output) {
	o.voice = &voice{answer: a, output: o, format: a.asked.outputFormat(), done: make(chan struct{}), wake: make(chan struct{}, 1)}
	a.session.answers.Go(func() { o.voice.run(a.ctx) })
}

// add gives the voice more to say.
func (v *voice) add(text string) { v.tell(func() { v.text += text }) }

// finish says that nothing more will be written.
func (v *voice) finish() { v.tell(func() { v.whole = true }) }

func (v *voice) tell(change func()) {
	v.mu.Lock()
	change()
	v.mu.Unlock()
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// run speaks until everything has been said, something fails, or ctx ends.
func (v *voice) run(ctx context.Context) {
	defer close(v.done)
	for {
		piece, over := v.next()
		switch {
		case over:
			return
		case piece == "":
			select {
			case <-v.wake:
			case <-ctx.Done():
				return
			}
		default:
			if err := v.say(ctx, piece); err != nil {
				v.mu.Lock()
				v.failure = err
				v.mu.Unlock()
				return
			}
		}
	}
}

// next takes what can be spoken; over says that there will be nothing more.
func (v *voice) next() (piece string, over bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := sentences(v.text, v.whole)
	piece, v.text = v.text[:n], v.text[n:]
	if strings.TrimSpace(piece) == "" {
		piece = ""
	}
	return piece, piece == "" && v.whole && v.text == ""
}

// sentences returns how many bytes at the beginning of a text are whole
// sentences; all of a text that is whole, within what may be spoken at once.
func sentences(text string, whole bool) int {
	end, runes := 0, 0
	for i, r := range text {
		runes++
		if strings.ContainsRune(".!?。！？\n", r) && runes >= pieceRunesMin {
			if next := i + utf8.RuneLen(r); next == len(text) || text[next] == ' ' || text[next] == '\n' || r > 127 || r == '\n' {
				end = next
			}
		}
		if runes == pieceRunesMax {
			if end == 0 {
				end = i + utf8.RuneLen(r)
			}
			return end
		}
	}
	if whole {
		return len(text)
	}
	return end
}

// say speaks one piece, as a turn of its own.
func (v *voice) say(ctx context.Context, text string) error {
	s, asked := v.answer.session, v.answer.asked
	if s.left() {
		return nil // nobody hears it
	}
	caller, who, err := s.anew(ctx)
	if err != nil {
		return err
	}
	u := provider.Utterance{Voice: asked.Voice, Text: strings.TrimSpace(text), Speed: asked.Speed}
	if u.Voice == "" {
		u.Voice = DefaultVoice
	}
	live, err := s.service.Turns.Start(ctx, turn.Input{
		Caller: caller, Surface: Surface, Agent: who, Unstored: true, Awaited: true,
		Sampling: turn.Sampling{MaxOutputTokens: spokenPerRune*utf8.RuneCountInString(text) + spokenBeside},
		Work: &turn.Work{
			Kind:   model.KindSpeech,
			Tokens: func(m db.Model) (int, error) { return tokens.Count(m.UpstreamName, u.Text), nil },
			Do: func(ctx context.Context, p provider.Provider, m db.Model, _ func(provider.Delta) error) (provider.Result, error) {
				return v.utter(ctx, p, m, u)
			},
		},
	})
	if err != nil {
		return err
	}
	away := context.WithoutCancel(ctx)
	stop := context.AfterFunc(ctx, func() { _, _ = s.service.Turns.Cancel(away, caller.AccountID, live.ID) }) // Wait tells
	defer stop()
	_, err = live.Wait(away)
	return err
}

// utter has a model speak and passes the sound on; what was spoken is paid, also when it breaks off.
func (v *voice) utter(ctx context.Context, p provider.Provider, m db.Model, u provider.Utterance) (provider.Result, error) {
	speaker, ok := p.(provider.Speaker)
	if !ok {
		return provider.Result{}, fault.New(fault.Upstream, "The model's provider does not speak.")
	}
	u.Model = m.UpstreamName
	u.BytesMax = int(speech.SpokenTime(m.MaxOutputTokens).Milliseconds()) * speech.BytesPerMs(speech.PCM16)
	encoder, pcm := speech.Encoder{Format: v.format}, 0
	err := speaker.Speak(ctx, u, func(piece []byte) error {
		pcm += len(piece)
		v.told(encoder.Encode(piece))
		return nil
	})
	usage := provider.Usage{}
	if pcm > 0 {
		length := time.Duration(speech.Milliseconds(speech.PCM16, pcm)) * time.Millisecond
		usage = provider.Usage{InputTokens: tokens.Count(u.Model, u.Text), OutputTokens: speech.SpokenTokens(length)}
		v.mu.Lock()
		v.tokens += usage.OutputTokens
		v.mu.Unlock()
	}
	if err != nil {
		return provider.Result{Usage: usage}, err
	}
	return provider.Result{Usage: usage, FinishReason: provider.FinishStop, Model: u.Model}, nil
}

// told sends sound to the client.
func (v *voice) told(raw []byte) {
	if len(raw) == 0 {
		return
	}
	v.mu.Lock()
	v.bytes += len(raw)
	v.mu.Unlock()
	v.answer.session.tell(Event{
		Type: SoundDelta, ResponseID: v.answer.shown.ID, ItemID: v.output.item.ID, Output: v.output.index, Text: base64.StdEncoding.EncodeToString(raw),
	})
}

// milliseconds is how much has been spoken.
func (v *voice) milliseconds() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return speech.Milliseconds(v.format, v.bytes)
}

// spoken waits until an answer's voices have ended and returns what failed.
func (a *answer) spoken() error {
	a.session.mu.Lock()
	var voices []*voice
	for _, o := range a.outputs {
		if o.voice != nil {
			voices = append(voices, o.voice)
		}
	}
	a.session.mu.Unlock()
	var failure error
	tokens := 0
	for _, v := range voices {
		v.finish()
		<-v.done
		v.mu.Lock()
		tokens += v.tokens
		if failure == nil {
			failure = v.failure
		}
		v.mu.Unlock()
	}
	a.session.mu.Lock()
	a.shown.SpokenTokens = int64(tokens)
	a.session.mu.Unlock()
	return failure
}
