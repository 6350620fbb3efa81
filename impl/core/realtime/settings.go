// Package realtime holds conversations over one lasting connection, as OpenAI's
// Realtime API does: items come one by one, answers are asked for, and both
// ends tell each other by events.
//
// A Session is the state machine of one connection. It knows neither WebSockets
// nor the two shapes that its surface speaks: commands come as method calls,
// events go out as Event. Answers are turns of package turn, so they are
// metered, limited and settled as all others; the text of a session is kept with
// the session, as items, in the order of the conversation.
package realtime

import (
	"encoding/json"
	"time"

	"parley/impl/core/fault"
)

// Surface is the name under which sessions and turns are stored.
const Surface = "realtime"

// The ceilings of a session.
const (
	ItemsMax     = 1000
	ItemsBytes   = 4 << 20
	besideMax    = 3 // answers that write no conversation
	partsMax     = 64
	Idle         = 15 * time.Minute // without a message of the client
	Life         = 2 * time.Hour
	DefaultVoice = "alloy"
)

// Settings are how a session talks. They are stored as JSON.
type Settings struct {
	Model           string          `json:"model,omitempty"` // as the client named it; "" is the account's default
	Instructions    string          `json:"instructions,omitempty"`
	Tools           []Tool          `json:"tools,omitempty"`
	ToolChoice      json.RawMessage `json:"tool_choice,omitempty"` // a word, or an object that names a function; nil is "auto"
	Temperature     *float64        `json:"temperature,omitempty"`
	MaxOutputTokens int             `json:"max_output_tokens,omitempty"` // 0 leaves it to the model

	// What only audio needs is kept and shown, also without a speech provider.
	Modalities    string          `json:"modalities,omitempty"` // Text, Audio or Both; "" is Both
	Voice         string          `json:"voice,omitempty"`
	Speed         float64         `json:"speed,omitempty"`        // of the voice; 0 is its own
	InputFormat   string          `json:"input_format,omitempty"` // pcm16, g711_ulaw or g711_alaw; "" is pcm16
	OutputFormat  string          `json:"output_format,omitempty"`
	Transcription json.RawMessage `json:"transcription,omitempty"`
	TurnDetection json.RawMessage `json:"turn_detection,omitempty"` // "null" is none; nil is the default
}

// What answers may be. Both is sound where there is a provider of it, otherwise text.
const (
	Text  = "text"
	Audio = "audio"
	Both  = "both"
)

// ErrSpeech says that something takes a speech provider that is not there.
var ErrSpeech = fault.New(fault.Invalid, "No speech provider is configured: sessions are of text alone.").Coded("speech_not_configured")

// sound is what an account has models for.
type sound struct{ hears, speaks bool }

// resolved is the settings as they hold with the sound that there is.
func (s Settings) resolved(by sound) Settings {
	if s.Modalities != Text && by.speaks {
		s.Modalities = Audio
	} else {
		s.Modalities = Text
	}
	if s.TurnDetection == nil && by.hears {
		s.TurnDetection = defaultDetection
	}
	return s
}

// check is ErrSpeech for settings that want sound alone where there is none.
func (s Settings) check(by sound) error {
	if s.Modalities == Audio && !by.speaks {
		return ErrSpeech
	}
	return nil
}

// Tool is a function that the client runs for the model.
type Tool struct {
	Type        string          `json:"type"`
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"` // a JSON schema
}

// extra is what goes to the model's provider beside the messages, in the terms of chat completions.
func extra(tools []Tool, choice json.RawMessage) map[string]json.RawMessage {
	if len(tools) == 0 {
		return nil
	}
	offered := make([]any, len(tools))
	for i, t := range tools {
		function := map[string]any{"name": t.Name}
		if t.Description != "" {
			function["description"] = t.Description
		}
		if t.Parameters != nil {
			function["parameters"] = t.Parameters
		}
		offered[i] = map[string]any{"type": "function", "function": function}
	}
	out := map[string]json.RawMessage{"tools": encoded(offered)}
	if choice == nil {
		return out
	}
	var named struct{ Name string }
	if json.Unmarshal(choice, &named) == nil && named.Name != "" {
		choice = encoded(map[string]any{"type": "function", "function": map[string]any{"name": named.Name}})
	}
	out["tool_choice"] = choice
	return out
}

// encoded is for values that always encode: texts, numbers, and what was read as JSON.
func encoded(value any) json.RawMessage {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return raw
}
