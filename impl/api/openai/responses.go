package openai

import (
	"context"
	"iter"
	"net/http"
	"strings"

	"parley/db"
	gen "parley/gen/openai"
	"parley/impl/core/fault"
	"parley/impl/core/key"
	"parley/impl/core/turn"
	"parley/impl/httpd"
)

type responses struct {
	names names
	turns *turn.Engine
}

const (
	codeNoResponse = "response_not_found"
	codeNoPrevious = "previous_response_not_found"
)

var errNoResponse = fault.New(fault.NotFound, "Response not found.").Coded(codeNoResponse)

// A response is a turn under another name.
const (
	turnPrefix     = "turn_"
	responsePrefix = "resp_"
)

func responseID(turnID string) string { return responsePrefix + strings.TrimPrefix(turnID, turnPrefix) }

func turnOf(responseID string) string {
	return turnPrefix + strings.TrimPrefix(responseID, responsePrefix)
}

// CreateModelResponse answers an input, and keeps what it answered.
func (r responses) CreateModelResponse(ctx context.Context, request gen.CreateModelResponseRequestObject) (gen.CreateModelResponseResponseObject, error) {
	in, err := r.input(ctx, request.Body)
	if err != nil {
		return nil, err
	}
	live, err := r.turns.Start(ctx, in)
	if err != nil {
		return nil, overContext(err, "/input")
	}
	if isTrue(request.Body.Stream) || httpd.WantsEvents(ctx) {
		return responseStream{turnID: live.ID, frames: live.Frames(ctx, 0)}, nil
	}
	answer := turn.Answer{TurnID: live.ID, BeganAt: live.BeganAt}
	if in.Awaited {
		answer, err = live.Wait(ctx)
		answer.Log = live.Log()
	} else {
		for asked := range live.Follow(ctx, 0) {
			answer.Log = []turn.Event{asked}
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return gen.CreateModelResponse200JSONResponse{
		Body: toAPIResponse(viewOf(answer), answer.Log), Headers: gen.CreateModelResponse200ResponseHeaders{ParleyTurn: live.ID},
	}, nil
}

// responseStream is a response's events.
type responseStream struct {
	turnID string
	frames iter.Seq2[turn.Frame, error]
}

// VisitCreateModelResponseResponse writes the events.
func (s responseStream) VisitCreateModelResponseResponse(w http.ResponseWriter) error {
	return httpd.WriteFrames(w, http.StatusOK, s.turnID, s.frames)
}

// VisitGetModelResponseResponse writes the events.
func (s responseStream) VisitGetModelResponseResponse(w http.ResponseWriter) error {
	return httpd.WriteFrames(w, http.StatusOK, s.turnID, s.frames)
}

// GetModelResponse returns a response as it is now, or its events.
func (r responses) GetModelResponse(ctx context.Context, request gen.GetModelResponseRequestObject) (gen.GetModelResponseResponseObject, error) {
	t, err := r.find(ctx, request.ResponseID)
	if err != nil {
		return nil, err
	}
	if !isTrue(request.Params.Stream) && !httpd.WantsEvents(ctx) {
		response, err := r.read(ctx, t)
		return gen.GetModelResponse200JSONResponse(response), err
	}
	frames, err := r.turns.Frames(ctx, t, 0)
	if err != nil {
		return nil, lostResponse(err)
	}
	if after := request.Params.StartingAfter; after != nil {
		frames = beyond(frames, *after)
	}
	return responseStream{turnID: t.ID, frames: frames}, nil
}

// beyond yields the frames with a larger sequence number, and always the last.
func beyond(frames iter.Seq2[turn.Frame, error], after int64) iter.Seq2[turn.Frame, error] {
	return func(yield func(turn.Frame, error) bool) {
		next := int64(0)
		for f, err := range frames {
			skip := err == nil && next <= after && !isEnd(f.Event)
			next++
			if !skip && !yield(f, err) {
				return
			}
		}
	}
}

// DeleteModelResponse forgets a response.
func (r responses) DeleteModelResponse(ctx context.Context, request gen.DeleteModelResponseRequestObject) (gen.DeleteModelResponseResponseObject, error) {
	t, err := r.find(ctx, request.ResponseID)
	if err != nil {
		return nil, err
	}
	if err := r.turns.Erase(ctx, t.AccountID, t.ID); err != nil {
		return nil, err
	}
	return gen.DeleteModelResponse200JSONResponse{ID: responseID(t.ID), Object: gen.DeletedModelResponseObjectResponse, Deleted: true}, nil
}

// CancelModelResponse stops a response that is being made.
func (r responses) CancelModelResponse(ctx context.Context, request gen.CancelModelResponseRequestObject) (gen.CancelModelResponseResponseObject, error) {
	t, err := r.find(ctx, request.ResponseID)
	if err != nil {
		return nil, err
	}
	if t, err = r.turns.Cancel(ctx, t.AccountID, t.ID); err != nil {
		return nil, err
	}
	response, err := r.read(ctx, t)
	return gen.CancelModelResponse200JSONResponse(response), err
}

// find returns a stored response of the account; any other is the same NotFound
// fault. What belongs to no end user is no publishable key's to read.
func (r responses) find(ctx context.Context, id string) (db.Turn, error) {
	caller := httpd.Caller(ctx)
	t, err := r.turns.Find(ctx, caller.AccountID, turnOf(id))
	if err == nil && (t.Surface != surface || readOptions([]byte(t.Options)).API != apiResponses || t.Unstored || caller.Kind == key.Publishable) {
		err = errNoResponse
	}
	return t, lostResponse(err)
}

// lostResponse names what is not found.
func lostResponse(err error) error {
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return errNoResponse
	}
	return err
}

func (r responses) read(ctx context.Context, t db.Turn) (gen.ModelResponse, error) {
	log, err := r.turns.Log(ctx, t)
	if err != nil {
		return gen.ModelResponse{}, lostResponse(err)
	}
	return toAPIResponse(turn.View{TurnID: t.ID, ModelID: t.ModelID, BeganAt: t.CreatedAt}, log), nil
}

func viewOf(a turn.Answer) turn.View {
	return turn.View{TurnID: a.TurnID, ModelID: a.ModelID, BeganAt: a.BeganAt}
}
