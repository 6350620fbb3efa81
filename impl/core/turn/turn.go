// Package turn makes answers. Every answer on every surface, streamed or not,
// is a turn, and this is its one implementation:
//
//	Begin  one transaction: the user's message, the turn, the hold of its highest cost
//	Run    the provider's pieces, published to readers at once and stored in batches
//	End    one transaction: the answer, its exact usage, the settlement
//
// The run belongs to the server, not to the request: a reader that leaves does
// not end it. The terminal event is published only after the End has committed,
// so what a client saw acknowledged is durable. A turn whose server died is
// taken over when its lease lapses, keeps its partial text and ends failed.
package turn

import (
	"encoding/json"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/key"
	"parley/impl/core/provider"
)

// The kinds of events. Asked is the first of a log that keeps what was asked.
// Delta and Thought carry text, Calls pieces of calls of
// tools (provider.EncodeCalls); the others end the log.
const (
	Asked     = "asked"
	Delta     = "delta"
	Thought   = "thought"
	Calls     = "calls"
	Completed = db.TurnCompleted
	Failed    = db.TurnFailed
	Cancelled = db.TurnCancelled
)

// Event is one entry of a turn's log. N counts from 1 without gaps.
type Event struct {
	N         int64     `json:"-"` // see pack
	Kind      string    `json:"kind,omitempty"`
	Text      string    `json:"text,omitempty"`       // the next piece, what was asked, or the reason of a failure
	MessageID string    `json:"message_id,omitempty"` // terminal: the answer's message, if there is one
	At        time.Time `json:"at,omitzero"`          // terminal: when the turn ended
	Usage     *Usage    `json:"usage,omitempty"`      // terminal: what the turn took; nil when nothing could be stored
	Finish    string    `json:"finish,omitempty"`     // completed: why the answer ended, one of provider's Finish constants
	Model     string    `json:"model,omitempty"`      // the first: the model that answers, when it is a fallback
	Logprobs  string    `json:"logprobs,omitempty"`   // delta: provider.Delta's
	Detached  bool      `json:"detached,omitempty"`   // asked: the request was answered before the turn's end

	Citations []Citation `json:"citations,omitempty"` // terminal: the passages that the answer cites
}

// Usage is what a turn took, as its terminal event tells readers.
type Usage struct {
	InputTokens  int64 `json:"input_tokens"`
	OutputTokens int64 `json:"output_tokens"`
}

// Terminal tells whether the event ends the log.
func (e Event) Terminal() bool {
	return e.Kind != Delta && e.Kind != Thought && e.Kind != Calls && e.Kind != Asked
}

// eventBytes is what an event takes beside its text.
const eventBytes = 200

// size is what the event takes in memory.
func (e Event) size() int64 { return eventBytes + int64(len(e.Text)) }

// Input describes an answer to make.
type Input struct {
	Caller       key.Caller
	Surface      string
	Conversation *db.Conversation   // nil: the answer belongs to none and History is all there is
	Begins       bool               // the conversation is new: it is stored with the turn or not at all
	Agent        *db.Agent          // nil: no persona
	ModelID      string             // "": the conversation's, the agent's, the default
	Model        *db.Model          // a model that the caller has just found, in place of ModelID
	SystemPrompt string             // beside the agent's persona
	History      []provider.Message // what the model reads before the question
	Options      any                // what the stream shall look like, in the surface's own terms; stored as JSON
	Question     string             // the user's message; stored when there is a conversation; "" when History ends with it
	ImageIDs     []string           // the pictures that Question shows; stored with it
	Images       []string           // the same as the model gets them, see tokens.Message
	Sampling     Sampling           // how the model shall write
	Knowledge    *Knowledge         // what it shall answer from; nil: what the engine finds for the agent, and for the app if it speaks
	Cites        bool               // the surface shows what is cited; elsewhere marks in the text would mean nothing
	ForApp       bool               // the caller's app is who answers
	Work         *Work              // in place of a chat; History and Question are not read
	Unstored     bool               // nothing of the text is kept; for answers without a conversation
	Asked        string             // what was asked, in the surface's own terms, as the first event of the log; "" keeps none

	// Awaited says that the caller takes nothing for granted before the turn's end:
	// its response, or the stream that it gets, ends with it. Then the beginning
	// need not wait for the disk: only a crash of Postgres itself can lose it, the
	// end is then told as a failure, and no end that was told as more is ever lost.
	Awaited bool
}

// Sampling is what a request asks of the model's writing. Zero values leave it to the model.
type Sampling struct {
	MaxOutputTokens int // the model's own limit holds, too
	Temperature     *float64
	Stop            []string // texts before which the answer ends
	EndUser         string   // an opaque name of the end user for the provider
	// Extra goes to the provider as it is, see provider.Request.
	Extra map[string]json.RawMessage
}

// Answer is what an ended turn produced.
type Answer struct {
	TurnID         string
	MessageID      string // "" when nothing was produced
	ConversationID string // "" when the turn has none
	ModelID        string
	Content        string
	Thought        string
	Calls          []provider.Call // of tools, which the client is to run
	Logprobs       string          // a JSON array; "" unless the request asked for them
	Usage          provider.Usage
	CostMicros     int64
	FinishReason   string // why a completed answer ended, one of provider's Finish constants
	CreatedAt      time.Time
	Citations      []Citation   // the passages that Content cites, in order of first citation
	Failure        *fault.Error // nil for a completed turn
	BeganAt        time.Time
	Log            []Event // only of Engine.Answer and for a Whole, see Live.Log otherwise; ends with the terminal event, unless the turn still runs
}
