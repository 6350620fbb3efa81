package model

import (
	"context"
	"errors"
	"strings"

	"parley/db"
)

// The names of models that write down what was said, and of those that speak;
// upstreams list their models without a kind.
var (
	transcriberNames = []string{"whisper", "transcribe", "parakeet", "canary-", "moonshine", "-asr", "asr-"}
	speakerNames     = []string{"tts", "kokoro", "piper", "text-to-speech", "parler", "orpheus", "bark"}
)

// soundKind is the kind of a model of sound, as far as its name tells; "" for any other.
func soundKind(modelID string) string {
	name := strings.ToLower(modelID[strings.LastIndexByte(modelID, '/')+1:])
	for _, part := range transcriberNames {
		if strings.Contains(name, part) {
			return KindTranscription
		}
	}
	for _, part := range speakerNames {
		if strings.Contains(name, part) {
			return KindSpeech
		}
	}
	return ""
}

// Has tells whether the account may use any model of the kind.
func (c *Catalog) Has(ctx context.Context, accountID, kind string) (bool, error) {
	_, err := c.Default(ctx, accountID, kind)
	if errors.Is(err, db.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
