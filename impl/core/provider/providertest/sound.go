package providertest

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"unicode/utf8"
)

// SoundMs is how long Sounds lasts for each rune of its text.
const SoundMs = 10

// soundBytesPerMs is that of 16 bits, 24,000 samples a second.
const soundBytesPerMs = 48

// Sounds answers a request for speech with 10 ms of a quiet hum a rune, in pieces.
func Sounds(e *Exchange) {
	e.Header().Set("Content-Type", "audio/pcm")
	for range utf8.RuneCountInString(e.Text) {
		_, _ = e.Write(bytes.Repeat([]byte{0x10, 0x00}, SoundMs*soundBytesPerMs/2))
	}
	_ = http.NewResponseController(e).Flush()
}

// SoundThenHold answers with a beginning of speech and then nothing more.
func SoundThenHold(e *Exchange) {
	Sounds(e)
	e.Hold()
}

// Words answers a request for a transcription.
func Words(text string) Answer {
	return func(e *Exchange) {
		e.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(e).Encode(map[string]any{"text": text})
	}
}

// formOf reads the fields of a form; of a file its size.
func formOf(contentType string, body []byte) map[string]any {
	fields := map[string]any{}
	_, params, _ := mime.ParseMediaType(contentType)
	for form := multipart.NewReader(bytes.NewReader(body), params["boundary"]); ; {
		part, err := form.NextPart()
		if err != nil {
			return fields
		}
		content, _ := io.ReadAll(part)
		if part.FileName() != "" {
			fields[part.FormName()] = len(content)
			continue
		}
		fields[part.FormName()] = string(content)
	}
}
