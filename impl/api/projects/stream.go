package projects

import (
	"context"
	"encoding/json"
	"net/http"

	gen "parley/gen/projects"
	"parley/impl/core/project"
	"parley/impl/core/turn"
	"parley/impl/httpd"
)

// stream writes an answer as server-sent events. The turn goes on without a client that leaves.
type stream struct {
	ctx  context.Context
	live *turn.Live
}

// VisitSendProjectMessageResponse follows the turn to its end.
func (s stream) VisitSendProjectMessageResponse(w http.ResponseWriter) error {
	return httpd.WriteFrames(w, http.StatusOK, s.live.ID, s.live.Frames(s.ctx, 0))
}

// VisitCreateProjectCompletionResponse follows the turn to its end.
func (s stream) VisitCreateProjectCompletionResponse(w http.ResponseWriter) error {
	return httpd.WriteFrames(w, http.StatusOK, s.live.ID, s.live.Frames(s.ctx, 0))
}

// Whole is this surface's answer that is not streamed.
func Whole(options json.RawMessage, a turn.Answer) any {
	o := project.OptionsOf(options)
	if o.Completion {
		return toAPIProjectCompletion(a, o)
	}
	return toAPIProjectAnswerSent(a, o)
}

// Encode is this surface's stream (seed 004): start, an empty progress, progress
// with each piece, and finish, or error when the answer fails. Completions are chunks as OpenAI's.
func Encode(v turn.View, e turn.Event) []turn.Frame {
	o := project.OptionsOf(v.Options)
	if o.Completion {
		return encodeCompletion(v, e)
	}
	if e.Kind == turn.Thought {
		if e.N == 1 {
			return opening(o)
		}
		return nil
	}
	var frames []turn.Frame
	if e.N == 1 {
		frames = opening(o)
	}
	switch e.Kind {
	case turn.Delta:
		return append(frames, progress(e.Text))
	case turn.Completed:
		return append(frames, turn.Frame{Event: "finish", Data: gen.ProjectMessageFinish{
			Status: "finish", ID: o.PromptID, CreatedAt: instant(o.AskedAt), SessionID: v.ConversationID, Citations: citations(o, e.Citations),
		}})
	}
	return append(frames, turn.Frame{Event: "error", Data: gen.ProjectMessageError{Status: "error", Error: e.Text}})
}

func opening(o project.Options) []turn.Frame {
	return []turn.Frame{{Event: "start", Data: gen.ProjectMessageStart{Status: "start", Prompt: o.Prompt}}, progress("")}
}

var progressForm = turn.FormOf(gen.ProjectMessageProgress{Status: "progress", Message: turn.Hole})

func progress(piece string) turn.Frame {
	return turn.Frame{Event: "progress", Piece: progressForm.With(piece)}
}
