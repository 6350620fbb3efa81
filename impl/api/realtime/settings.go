package realtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"parley/impl/core/fault"
	"parley/impl/core/realtime"
)

// shape is one of the two protocols.
type shape int

const (
	today shape = iota
	beta
)

const (
	instructionsMax = 100_000
	toolsMax        = 128
	toolBytesMax    = 64 << 10
	outputTokensMax = 4096
)

// betaSettings are a session's members in the beta's shape; others are ignored.
type betaSettings struct {
	Model                   *string         `json:"model"`
	Modalities              []string        `json:"modalities"`
	Instructions            *string         `json:"instructions"`
	Voice                   *string         `json:"voice"`
	InputAudioFormat        *string         `json:"input_audio_format"`
	OutputAudioFormat       *string         `json:"output_audio_format"`
	InputAudioTranscription json.RawMessage `json:"input_audio_transcription"`
	TurnDetection           json.RawMessage `json:"turn_detection"`
	Tools                   *[]tool         `json:"tools"`
	ToolChoice              json.RawMessage `json:"tool_choice"`
	Temperature             *float64        `json:"temperature"`
	Speed                   *float64        `json:"speed"`
	MaxOutputTokens         json.RawMessage `json:"max_response_output_tokens"`
}

// todaySettings are those in today's shape; a member that is not here is refused.
type todaySettings struct {
	Type             *string         `json:"type"`
	Model            *string         `json:"model"`
	OutputModalities []string        `json:"output_modalities"`
	Instructions     *string         `json:"instructions"`
	Audio            todayAudio      `json:"audio"`
	Tools            *[]tool         `json:"tools"`
	ToolChoice       json.RawMessage `json:"tool_choice"`
	MaxOutputTokens  json.RawMessage `json:"max_output_tokens"`

	// What vendors' clients send and means nothing here, or is what is shown to them.
	ID                json.RawMessage `json:"id"`
	Object            json.RawMessage `json:"object"`
	ExpiresAt         json.RawMessage `json:"expires_at"`
	Tracing           json.RawMessage `json:"tracing"`
	Truncation        json.RawMessage `json:"truncation"`
	Include           json.RawMessage `json:"include"`
	Prompt            json.RawMessage `json:"prompt"`
	Reasoning         json.RawMessage `json:"reasoning"`
	ParallelToolCalls json.RawMessage `json:"parallel_tool_calls"`
}

type todayAudio struct {
	Input struct {
		Format         *format         `json:"format"`
		Transcription  json.RawMessage `json:"transcription"`
		NoiseReduction json.RawMessage `json:"noise_reduction"`
		TurnDetection  json.RawMessage `json:"turn_detection"`
	} `json:"input"`
	Output struct {
		Format *format         `json:"format"`
		Voice  json.RawMessage `json:"voice"`
		Speed  *float64        `json:"speed"`
	} `json:"output"`
}

type format struct {
	Type string `json:"type"`
	Rate int    `json:"rate,omitempty"`
}

type tool struct {
	Type        string          `json:"type"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
	Strict      json.RawMessage `json:"strict"`
}

// change is the members of either shape that were given, before they are checked.
type change struct {
	model, instructions, voice      *string
	modalities                      []string
	inputFormat, outputFormat       *string
	transcription, turnDetection    json.RawMessage
	tools                           *[]tool
	toolChoice, maxOutputTokens     json.RawMessage
	temperature, speed              *float64
	modalitiesMember, maximumMember string
}

// apply reads settings in the shape and returns current with what they change.
// At is where they stand, for errors.
func (s shape) apply(current realtime.Settings, raw []byte, at string) (realtime.Settings, error) {
	c, err := s.read(raw, at)
	if err != nil {
		return current, err
	}
	return c.apply(current, at)
}

func (s shape) read(raw []byte, at string) (change, error) {
	if s == beta {
		var b betaSettings
		if err := decode(raw, &b, at, false); err != nil {
			return change{}, err
		}
		return change{
			model: b.Model, instructions: b.Instructions, voice: b.Voice, modalities: b.Modalities, inputFormat: b.InputAudioFormat,
			outputFormat: b.OutputAudioFormat, transcription: b.InputAudioTranscription, turnDetection: b.TurnDetection, tools: b.Tools,
			toolChoice: b.ToolChoice, maxOutputTokens: b.MaxOutputTokens, temperature: b.Temperature, speed: b.Speed,
			modalitiesMember: "modalities", maximumMember: "max_response_output_tokens",
		}, nil
	}
	var t todaySettings
	if err := decode(raw, &t, at, true); err != nil {
		return change{}, err
	}
	if t.Type == nil {
		return change{}, broken(at+"/type", "required", "is required")
	}
	if *t.Type != "realtime" {
		return change{}, broken(at+"/type", "enum", "must be realtime").Coded("unsupported_session_type")
	}
	return t.change(at)
}

func (t todaySettings) change(at string) (change, error) {
	c := change{
		model: t.Model, instructions: t.Instructions, modalities: t.OutputModalities, transcription: t.Audio.Input.Transcription,
		turnDetection: t.Audio.Input.TurnDetection, speed: t.Audio.Output.Speed, tools: t.Tools, toolChoice: t.ToolChoice, maxOutputTokens: t.MaxOutputTokens,
		modalitiesMember: "output_modalities", maximumMember: "max_output_tokens",
	}
	for member, f := range map[string]*format{"/audio/input/format": t.Audio.Input.Format, "/audio/output/format": t.Audio.Output.Format} {
		if f == nil {
			continue
		}
		name, ok := formatNames[f.Type]
		if !ok || (f.Rate != 0 && f.Rate != 24000 && f.Type == "audio/pcm") {
			return c, broken(at+member, "enum", "is not a format that is offered")
		}
		if strings.Contains(member, "input") {
			c.inputFormat = &name
		} else {
			c.outputFormat = &name
		}
	}
	if isGiven(t.Audio.Output.Voice) {
		var voice string
		if json.Unmarshal(t.Audio.Output.Voice, &voice) != nil {
			return c, broken(at+"/audio/output/voice", "type", "must be a name")
		}
		c.voice = &voice
	}
	return c, nil
}

var (
	formatNames = map[string]string{"audio/pcm": "pcm16", "audio/pcmu": "g711_ulaw", "audio/pcma": "g711_alaw"}
	formatTypes = map[string]string{"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
	voiceForm   = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,100}$`)
	nameForm    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

// decode reads JSON into a struct and names the member that does not fit.
func decode(raw []byte, into any, at string, closed bool) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if closed {
		d.DisallowUnknownFields()
	}
	err := d.Decode(into)
	if err == nil {
		return nil
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return broken(strings.TrimSuffix(at+"/"+strings.ReplaceAll(wrong.Field, ".", "/"), "/"), "type", "has the wrong type")
	}
	if _, member, ok := strings.Cut(err.Error(), `unknown field "`); ok {
		member = strings.TrimSuffix(member, `"`)
		return broken(at+"/"+member[:min(len(member), 100)], "additionalProperties", "is not known").Coded("unknown_parameter")
	}
	return fault.New(fault.Invalid, "The message has a wrong form.").Because(err)
}

func isGiven(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// apply checks what was given and puts it into the settings.
func (c change) apply(s realtime.Settings, at string) (realtime.Settings, error) {
	for _, m := range c.modalities {
		if m != "text" && m != "audio" {
			return s, broken(at+"/"+c.modalitiesMember, "enum", "must be text or audio")
		}
	}
	switch {
	case len(c.modalities) == 0:
	case !slices.Contains(c.modalities, "audio"):
		s.Modalities = realtime.Text
	case slices.Contains(c.modalities, "text"):
		s.Modalities = realtime.Both
	default:
		s.Modalities = realtime.Audio
	}
	if c.model != nil {
		s.Model = *c.model
	}
	if c.instructions != nil {
		if len(*c.instructions) > instructionsMax {
			return s, broken(at+"/instructions", "maxLength", "must have at most 100000 bytes")
		}
		s.Instructions = *c.instructions
	}
	if err := c.applyAudio(&s, at); err != nil {
		return s, err
	}
	var err error
	if c.tools != nil {
		if s.Tools, err = readTools(*c.tools, at+"/tools"); err != nil {
			return s, err
		}
	}
	if isGiven(c.toolChoice) {
		if s.ToolChoice, err = readChoice(c.toolChoice, at+"/tool_choice"); err != nil {
			return s, err
		}
	}
	if c.temperature != nil {
		if *c.temperature < 0 || *c.temperature > 2 {
			return s, broken(at+"/temperature", "maximum", "must be from 0 to 2")
		}
		s.Temperature = c.temperature
	}
	if isGiven(c.maxOutputTokens) {
		s.MaxOutputTokens, err = readMaximum(c.maxOutputTokens, at+"/"+c.maximumMember)
	}
	return s, err
}

// applyAudio keeps what only audio needs, so that clients find it again.
func (c change) applyAudio(s *realtime.Settings, at string) error {
	if c.voice != nil {
		if !voiceForm.MatchString(*c.voice) {
			return broken(at+"/voice", "pattern", "must be the name of a voice")
		}
		s.Voice = *c.voice
	}
	if c.speed != nil {
		if *c.speed < 0.25 || *c.speed > 1.5 {
			return broken(at+"/speed", "maximum", "must be from 0.25 to 1.5")
		}
		s.Speed = *c.speed
	}
	for given, into := range map[*string]*string{c.inputFormat: &s.InputFormat, c.outputFormat: &s.OutputFormat} {
		if given == nil {
			continue
		}
		if formatTypes[*given] == "" {
			return broken(at, "enum", "names an audio format that is not offered")
		}
		*into = *given
	}
	if c.transcription != nil {
		var t struct {
			Model    string `json:"model,omitempty"`
			Language string `json:"language,omitempty"`
			Prompt   string `json:"prompt,omitempty"`
		}
		var err error
		if s.Transcription, err = reread(c.transcription, &t, at+"/transcription"); err != nil {
			return err
		}
	}
	if c.turnDetection == nil {
		return nil
	}
	var d struct {
		Type              string   `json:"type"`
		Threshold         *float64 `json:"threshold,omitempty"`
		PrefixPaddingMs   *int     `json:"prefix_padding_ms,omitempty"`
		SilenceDurationMs *int     `json:"silence_duration_ms,omitempty"`
		CreateResponse    *bool    `json:"create_response,omitempty"`
		InterruptResponse *bool    `json:"interrupt_response,omitempty"`
	}
	detection, err := reread(c.turnDetection, &d, at+"/turn_detection")
	if err != nil {
		return err
	}
	s.TurnDetection = detection
	at += "/turn_detection"
	switch {
	case detection == nil:
		s.TurnDetection = json.RawMessage("null") // none, not the default
	case d.Type != "server_vad":
		return broken(at+"/type", "enum", "must be server_vad")
	case d.Threshold != nil && (*d.Threshold < 0 || *d.Threshold > 1):
		return broken(at+"/threshold", "maximum", "must be from 0 to 1")
	case d.PrefixPaddingMs != nil && (*d.PrefixPaddingMs < 0 || *d.PrefixPaddingMs > 5000):
		return broken(at+"/prefix_padding_ms", "maximum", "must be from 0 to 5000")
	case d.SilenceDurationMs != nil && (*d.SilenceDurationMs < 50 || *d.SilenceDurationMs > 10000):
		return broken(at+"/silence_duration_ms", "maximum", "must be from 50 to 10000")
	}
	return nil
}

// reread keeps the members that are known of an object; nil for null.
func reread(raw json.RawMessage, into any, at string) (json.RawMessage, error) {
	if !isGiven(raw) {
		return nil, nil
	}
	if err := decode(raw, into, at, false); err != nil {
		return nil, err
	}
	return json.Marshal(into)
}

func readTools(given []tool, at string) ([]realtime.Tool, error) {
	if len(given) > toolsMax {
		return nil, broken(at, "maxItems", "must have at most 128 items")
	}
	tools := make([]realtime.Tool, len(given))
	for i, t := range given {
		place := at + "/" + strconv.Itoa(i)
		parameters := t.Parameters
		if !isGiven(parameters) {
			parameters = nil
		}
		switch {
		case t.Type != "function" && t.Type != "":
			return nil, broken(place+"/type", "enum", "must be function")
		case !nameForm.MatchString(t.Name):
			return nil, broken(place+"/name", "pattern", "must be the name of a function")
		case len(t.Description)+len(t.Parameters) > toolBytesMax:
			return nil, broken(place, "maxLength", "must have at most 65536 bytes")
		case parameters != nil && parameters[0] != '{':
			return nil, broken(place+"/parameters", "type", "must be a JSON schema")
		}
		tools[i] = realtime.Tool{Type: "function", Name: t.Name, Description: t.Description, Parameters: parameters}
	}
	return tools, nil
}

func readChoice(raw json.RawMessage, at string) (json.RawMessage, error) {
	var word string
	if json.Unmarshal(raw, &word) == nil {
		if word == "auto" || word == "none" || word == "required" {
			return raw, nil
		}
		return nil, broken(at, "enum", "must be auto, none, required or a function")
	}
	var named struct {
		Type string `json:"type"`
		Name string `json:"name"`
	}
	if err := decode(raw, &named, at, false); err != nil {
		return nil, err
	}
	if named.Type != "function" || !nameForm.MatchString(named.Name) {
		return nil, broken(at, "enum", "must be auto, none, required or a function")
	}
	return json.Marshal(named)
}

func readMaximum(raw json.RawMessage, at string) (int, error) {
	var word string
	if json.Unmarshal(raw, &word) == nil && word == "inf" {
		return 0, nil
	}
	var n int
	if json.Unmarshal(raw, &n) != nil {
		return 0, broken(at, "type", `must be a number or "inf"`)
	}
	if n < 1 || n > outputTokensMax {
		return 0, broken(at, "maximum", "must be from 1 to 4096")
	}
	return n, nil
}
