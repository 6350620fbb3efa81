package realtime

import (
	"encoding/json"
	"time"

	"parley/impl/core/fault"
)

// The events of a session, by their names in today's shape.
const (
	SessionCreated      = "session.created"
	SessionUpdated      = "session.updated"
	ConversationCreated = "conversation.created"
	ItemAdded           = "conversation.item.added"
	ItemDone            = "conversation.item.done"
	ItemRetrieved       = "conversation.item.retrieved"
	ItemTruncated       = "conversation.item.truncated"
	ItemDeleted         = "conversation.item.deleted"
	BufferCleared       = "input_audio_buffer.cleared"
	RateLimits          = "rate_limits.updated"
	ResponseCreated     = "response.created"
	ResponseDone        = "response.done"
	OutputAdded         = "response.output_item.added"
	OutputDone          = "response.output_item.done"
	PartAdded           = "response.content_part.added"
	PartDone            = "response.content_part.done"
	TextDelta           = "response.output_text.delta"
	TextDone            = "response.output_text.done"
	ArgumentsDelta      = "response.function_call_arguments.delta"
	ArgumentsDone       = "response.function_call_arguments.done"

	SpeechStarted    = "input_audio_buffer.speech_started"
	SpeechStopped    = "input_audio_buffer.speech_stopped"
	BufferCommitted  = "input_audio_buffer.committed"
	TranscriptHeard  = "conversation.item.input_audio_transcription.completed"
	TranscriptPiece  = "conversation.item.input_audio_transcription.delta"
	TranscriptFailed = "conversation.item.input_audio_transcription.failed"
	SoundDelta       = "response.output_audio.delta"
	SoundDone        = "response.output_audio.done"
	TranscriptDelta  = "response.output_audio_transcript.delta"
	TranscriptDone   = "response.output_audio_transcript.done"
)

// Event is what a session tells its client. Which fields count follows from Type.
type Event struct {
	Type       string
	View       *View     // of the session's own events
	Item       *Item     // of items and outputs
	Previous   string    // the item before an added one; "" for none
	ItemID     string    // which item, of events without one
	Response   *Response // created and done
	ResponseID string    // whose output it is
	Output     int       // index of the output
	Content    int       // index of the part; of truncation too
	AudioMs    int       // where in the sound: of truncation, and of the beginning and end of speech
	Text       string    // the next piece or, of done, all of it; base64 of sound
	Spoken     bool      // of parts: the part is sound
	Failure    *fault.Error
	Heard      Heard  // of what was transcribed
	CallID     string // of arguments
	Name       string // of the function, of done arguments
	Limit      Limit
}

// Heard is what transcribing took.
type Heard struct{ InputTokens, OutputTokens int }

// View is a session as its client sees it.
type View struct {
	ID        string
	Model     string // that really answers: the model's id or the agent's
	ExpiresAt time.Time
	Settings
}

// Limit is how many requests the plan leaves.
type Limit struct {
	Limit, Remaining int
	Reset            time.Duration
}

// The states of a response are Completed, Incomplete, InProgress and these.
const (
	Failed    = "failed"
	Cancelled = "cancelled"
)

// Response is an answer.
type Response struct {
	ID              string
	SessionID       string
	Status          string
	Reason          string       // why it is not whole: client_cancelled, turn_detected, max_output_tokens or content_filter
	Failure         *fault.Error // of a failed one
	Output          []Item
	Ended           bool // its usage is known
	InputTokens     int64
	OutputTokens    int64
	SpokenTokens    int64           // of sound, beside OutputTokens
	Spoken          bool            // it is sound, with a transcript
	Metadata        json.RawMessage // the client's own; nil
	OutOfBand       bool            // it writes no conversation
	MaxOutputTokens int
	Temperature     *float64
}
