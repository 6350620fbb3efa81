package webchat

import (
	"context"
	"encoding/json"
	"net/http"

	"parley/db"
	gen "parley/gen/webchat"
	"parley/impl/core/conversation"
	"parley/impl/core/id"
	"parley/impl/core/key"
	"parley/impl/core/project"
	"parley/impl/core/turn"
	"parley/impl/httpd"
)

type chat struct {
	conversations *conversation.Service
	endUsers      httpd.EndUsers
	projects      *project.Service
}

// SendWebchatMessage answers a visitor's message, in a new session or an old one.
func (c chat) SendWebchatMessage(ctx context.Context, request gen.SendWebchatMessageRequestObject) (gen.SendWebchatMessageResponseObject, error) {
	in, err := c.input(ctx, request.Body)
	if err != nil {
		return nil, err
	}
	live, err := c.conversations.Ask(ctx, in)
	if err != nil {
		return nil, err
	}
	if *request.Body.Stream || httpd.WantsEvents(ctx) {
		return stream{ctx: ctx, live: live, visitor: c.endUsers.VisitorToken(in.Caller, in.Caller.EndUser)}, nil
	}
	answer, err := live.Wait(ctx)
	if err != nil {
		return nil, err
	}
	headers := gen.SendWebchatMessage200ResponseHeaders{ParleyTurn: live.ID}
	if token := c.endUsers.VisitorToken(in.Caller, in.Caller.EndUser); token != "" {
		headers.ParleyEndUser = &token
	}
	return gen.SendWebchatMessage200JSONResponse{Headers: headers, Body: toAPIWebchatAnswer(answer)}, nil
}

func (c chat) input(ctx context.Context, body *gen.WebchatRequest) (turn.Input, error) {
	caller := httpd.Caller(ctx)
	sessionID := body.SessionID
	if sessionID == nil && caller.SessionID != "" {
		sessionID = &caller.SessionID // the only one that there is for them
	}
	if sessionID == nil && caller.Kind == key.Publishable && caller.EndUser == "" {
		caller.EndUser = id.New(id.Visitor)
	}
	in := turn.Input{Caller: caller, Surface: surface, Question: body.Message, Awaited: true, ForApp: true, Cites: true}
	var session db.Conversation
	var err error
	if sessionID == nil {
		in.Begins = true
		session, err = c.conversations.Prepare(ctx, conversation.CreateInput{
			AccountID: caller.AccountID, Surface: surface, AppID: caller.AppID, AgentID: caller.AgentID, IDPrefix: id.Session, EndUser: caller.EndUser,
		})
	} else {
		session, err = c.conversations.Visit(ctx, caller, surface, *sessionID)
	}
	if err != nil {
		return in, err
	}
	in.Conversation = &session
	license := ""
	if body.LicenseKey != nil {
		license = *body.LicenseKey
	}
	return in, c.projects.AnswerFor(ctx, &in, license)
}

// stream writes an answer as server-sent events. The turn goes on without a client that leaves.
type stream struct {
	ctx     context.Context
	live    *turn.Live
	visitor string // the token of a visitor; "" when they need none
}

// VisitSendWebchatMessageResponse follows the turn to its end.
func (s stream) VisitSendWebchatMessageResponse(w http.ResponseWriter) error {
	if s.visitor != "" {
		w.Header().Set(httpd.EndUserHeader, s.visitor)
	}
	return httpd.WriteFrames(w, http.StatusOK, s.live.ID, s.live.Frames(s.ctx, 0))
}

// Whole is this surface's answer that is not streamed.
func Whole(_ json.RawMessage, a turn.Answer) any { return toAPIWebchatAnswer(a) }

var pieceForm = turn.FormOf(gen.WebchatDelta{Content: turn.Hole})

// Encode is this surface's stream: message … end, and error before end when
// the answer fails (seed 003).
func Encode(v turn.View, e turn.Event) []turn.Frame {
	if e.Kind == turn.Delta {
		return v.Piece("message", pieceForm, e.Text)
	}
	last := gen.WebchatEnd{SessionID: v.ConversationID}
	if len(e.Citations) > 0 {
		last.Citations = toAPIWebchatCitations(e.Citations)
	}
	end := turn.Frame{Event: "end", Data: last}
	switch e.Kind {
	case turn.Thought:
		return nil
	case turn.Completed:
		return []turn.Frame{end}
	}
	return []turn.Frame{{Event: "error", Data: toAPIWebchatError(e.Text)}, end}
}
