package characters

import (
	"context"
	"encoding/json"
	"net/http"

	gen "parley/gen/characters"
	"parley/impl/core/turn"
	"parley/impl/httpd"
)

// streamOptions is what a request asks of its stream; it is stored with the turn.
type streamOptions struct {
	Verbose bool `json:"verbose,omitempty"`
}

// stream writes an answer as server-sent events. The turn goes on without a client that leaves.
type stream struct {
	ctx  context.Context
	live *turn.Live
}

// VisitCreateCompletionResponse streams a completion.
func (s stream) VisitCreateCompletionResponse(w http.ResponseWriter) error {
	return httpd.WriteFrames(w, http.StatusOK, s.live.ID, s.live.Frames(s.ctx, 0))
}

// VisitSendMessageResponse streams the answer to a message; sending one creates it, hence 201.
func (s stream) VisitSendMessageResponse(w http.ResponseWriter) error {
	return httpd.WriteFrames(w, http.StatusCreated, s.live.ID, s.live.Frames(s.ctx, 0))
}

// Whole is this surface's answer that is not streamed.
func Whole(options json.RawMessage, a turn.Answer) any {
	var o streamOptions
	_ = json.Unmarshal(options, &o) // stored by us in this shape
	return toAPIAnswer(a, o.Verbose)
}

var pieceForm = turn.FormOf(gen.MessageDelta{Content: turn.Hole})

// Encode is this surface's stream: delta and, when verbose, thought events,
// then message with the whole answer, or error.
func Encode(v turn.View, e turn.Event) []turn.Frame {
	if e.Kind == turn.Delta {
		return v.Piece("delta", pieceForm, e.Text)
	}
	var options streamOptions
	_ = json.Unmarshal(v.Options, &options) // stored by us in this shape
	switch e.Kind {
	case turn.Thought:
		if !options.Verbose {
			return nil
		}
		return v.Piece("thought", pieceForm, e.Text)
	case turn.Completed:
		return []turn.Frame{{Event: "message", Data: toAPIAnswer(turn.Answer{
			MessageID: e.MessageID, Content: v.Content, Thought: v.Thought, CreatedAt: e.At, Citations: e.Citations,
		}, options.Verbose)}}
	}
	return []turn.Frame{{Event: "error", Data: gen.CharactersError{Error: e.Text}}}
}
