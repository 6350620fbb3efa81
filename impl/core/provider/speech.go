package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
)

// Recording is sound whose words are wanted.
type Recording struct {
	Model    string
	WAV      []byte
	Language string // "": the model finds out
	Prompt   string // what the words may be about; ""
}

// Transcriber is a provider that has models for transcription, too. Its errors are those of Provider.Chat.
type Transcriber interface {
	// Transcribe returns the words, valid UTF-8 without NUL; "" when there are none.
	Transcribe(ctx context.Context, r Recording) (string, error)
}

// Utterance is a text to speak.
type Utterance struct {
	Model, Voice, Text string
	Speed              float64 // 1 is the voice's own; 0 leaves it to the model
	BytesMax           int     // of sound; what is longer is an error
}

// Speaker is a provider that has models for speech, too. Its errors are those of Provider.Chat.
type Speaker interface {
	// Speak streams the sound as 16 bits, little-endian, 24,000 samples a second,
	// through emit, in pieces of any length, from one goroutine and never after it
	// returned. An error of emit ends it and is in the chain of the error returned.
	Speak(ctx context.Context, u Utterance, emit func(pcm []byte) error) error
}

const (
	// wordsBytesMax bounds an upstream's answer to a recording.
	wordsBytesMax = 256 << 10
	// soundPiece is how much sound is passed on at once.
	soundPiece = 16 << 10
)

var (
	_ Transcriber = (*OpenAI)(nil)
	_ Speaker     = (*OpenAI)(nil)
)

// Transcribe implements Transcriber with the upstream's POST /audio/transcriptions.
func (o *OpenAI) Transcribe(ctx context.Context, r Recording) (string, error) {
	form, contentType, err := r.form()
	if err != nil {
		return "", err
	}
	w := newWatchdog(ctx, o.opts.TotalTimeout)
	defer w.stop()
	var raw []byte
	err = o.untilHeard(w, func() (bool, error) {
		res, failure := o.send(w, "/audio/transcriptions", contentType, form)
		if failure != nil {
			return false, failure
		}
		defer func() { _ = res.Body.Close() }() // read to its end, or given up
		w.arm(o.opts.IdleTimeout)
		defer w.disarm()
		raw, failure = io.ReadAll(io.LimitReader(res.Body, wordsBytesMax+1))
		if failure == nil && len(raw) > wordsBytesMax {
			failure = errAnswerTooLarge
		}
		return true, failure
	})
	if err != nil {
		return "", err
	}
	var words struct {
		Text *string `json:"text"`
	}
	if json.Unmarshal(raw, &words) != nil || words.Text == nil {
		return "", w.fault(errBadJSON)
	}
	return strings.TrimSpace(clean(*words.Text)), nil
}

func (r Recording) form() (body []byte, contentType string, err error) {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for _, field := range [][2]string{{"model", r.Model}, {"response_format", "json"}, {"language", r.Language}, {"prompt", r.Prompt}} {
		if err == nil && field[1] != "" {
			err = form.WriteField(field[0], field[1])
		}
	}
	var part io.Writer
	if err == nil {
		part, err = form.CreateFormFile("file", "speech.wav")
	}
	if err == nil {
		_, err = part.Write(r.WAV)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		return nil, "", fmt.Errorf("write a form: %w", err)
	}
	return b.Bytes(), form.FormDataContentType(), nil
}

// Speak implements Speaker with the upstream's POST /audio/speech.
func (o *OpenAI) Speak(ctx context.Context, u Utterance, emit func(pcm []byte) error) error {
	body := map[string]any{"model": u.Model, "voice": u.Voice, "input": u.Text, "response_format": "pcm"}
	if u.Speed > 0 {
		body["speed"] = u.Speed
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	w := newWatchdog(ctx, o.opts.TotalTimeout)
	defer w.stop()
	return o.untilHeard(w, func() (bool, error) {
		res, failure := o.send(w, "/audio/speech", "application/json", raw)
		if failure != nil {
			return false, failure
		}
		defer func() { _ = res.Body.Close() }() // read to its end, or given up
		return o.relay(w, res.Body, u.BytesMax, emit)
	})
}

// relay passes sound on as it comes.
func (o *OpenAI) relay(w *watchdog, from io.Reader, bytesMax int, emit func([]byte) error) (begun bool, err error) {
	buffer := make([]byte, soundPiece)
	for left := bytesMax; ; {
		w.arm(o.opts.IdleTimeout)
		n, err := from.Read(buffer)
		w.disarm()
		if left -= n; left < 0 {
			return begun, errAnswerTooLarge
		}
		if n > 0 {
			begun = true
			if err := emit(buffer[:n]); err != nil {
				return begun, &emitError{err}
			}
		}
		if err == io.EOF && !begun {
			return false, errCut
		}
		if err == io.EOF {
			return true, nil
		}
		if err != nil {
			return begun, err
		}
	}
}

// send makes one request and returns its 200.
func (o *OpenAI) send(w *watchdog, path, contentType string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(w.ctx, http.MethodPost, strings.TrimSuffix(o.opts.BaseURL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	r.Header.Set("Content-Type", contentType)
	if o.opts.Key != "" {
		r.Header.Set("Authorization", "Bearer "+o.opts.Key)
	}
	w.arm(o.opts.FirstByteTimeout)
	defer w.disarm()
	res, err := o.opts.Client.Do(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, readStatus(res)
	}
	return res, nil
}

// untilHeard repeats an attempt like a chat's while nothing of an answer has come.
func (o *OpenAI) untilHeard(w *watchdog, attempt func() (begun bool, failure error)) error {
	for retries := 0; ; retries++ {
		begun, failure := attempt()
		if failure == nil {
			return nil
		}
		delay, ok := o.retryDelay(failure, retries)
		if begun || w.ctx.Err() != nil || !ok || !w.wait(delay) {
			return w.refusal(&answer{begun: begun}, failure)
		}
	}
}
