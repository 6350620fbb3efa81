package chats

import (
	"context"
	"net/http"

	gen "parley/gen/chats"
	"parley/impl/core/chat"
	"parley/impl/httpd"
)

type events struct{ service *chat.Service }

// StreamChatEvents follows a chat until its run is over.
func (a events) StreamChatEvents(ctx context.Context, request gen.StreamChatEventsRequestObject) (gen.StreamChatEventsResponseObject, error) {
	caller := httpd.Caller(ctx)
	if _, err := a.service.Get(ctx, caller.AccountID, request.ChatID); err != nil {
		return nil, err
	}
	var after int64
	if request.Params.After != nil {
		after = *request.Params.After
	} else if request.Params.LastEventID != nil {
		after = *request.Params.LastEventID
	}
	return visit(func(w http.ResponseWriter) error {
		s := httpd.NewEventStream(w, http.StatusOK)
		defer s.Close()
		for e, err := range a.service.Follow(ctx, caller.AccountID, request.ChatID, after, false) {
			if err != nil {
				return err // without the last event, so that the client resumes
			}
			if s.Send(e.Kind, e.N, toAPIEvent(caller.AccountID, request.ChatID, e)) != nil {
				return nil // the client is gone
			}
		}
		return nil
	}), nil
}

// visit is a response that writes itself.
type visit func(http.ResponseWriter) error

// VisitStreamChatEventsResponse writes the stream.
func (v visit) VisitStreamChatEventsResponse(w http.ResponseWriter) error { return v(w) }
