package webchat

import (
	"context"
	"time"

	"parley/db"
	gen "parley/gen/webchat"
	"parley/impl/core/conversation"
	"parley/impl/core/fault"
	"parley/impl/core/key"
	"parley/impl/httpd"
)

// sessionIdle is the silence after which a session counts as ended. A further
// message brings it back.
const sessionIdle = 30 * 24 * time.Hour

// listedMessages is how many of a session's latest messages include_all shows.
const listedMessages = 100

type sessions struct {
	conversations *conversation.Service
	now           func() time.Time
}

var errPublishable = fault.New(fault.Forbidden, "A publishable key may not do this.")

// ListSessions lists the app's live sessions, or with include_all also ended
// ones and those of the account's other apps, each with its latest messages.
func (s sessions) ListSessions(ctx context.Context, request gen.ListSessionsRequestObject) (gen.ListSessionsResponseObject, error) {
	caller, p := httpd.Caller(ctx), request.Params
	if caller.Kind == key.Publishable {
		return nil, errPublishable
	}
	page, perPage := int(*p.Page), int(*p.PerPage)
	filter := db.SessionFilter{
		Surface: surface, AppID: caller.AppID, ActiveSince: s.now().Add(-sessionIdle),
		Offset: (page - 1) * perPage, Limit: perPage + 1,
	}
	if *p.IncludeAll {
		filter.AppID, filter.ActiveSince = "", time.Unix(0, 0)
	}
	rows, err := s.conversations.DB.Sessions(ctx, caller.AccountID, filter)
	if err != nil {
		return nil, err
	}
	hasMore := len(rows) > perPage
	rows = rows[:min(len(rows), perPage)]
	var messages map[string][]db.Message
	if *p.IncludeAll {
		if messages, err = s.latestMessages(ctx, caller.AccountID, rows); err != nil {
			return nil, err
		}
	}
	return gen.ListSessions200JSONResponse{
		Success:  gen.SessionListSuccessTrue,
		Sessions: toAPISessions(rows, messages),
		Meta:     toAPISessionPageMeta(page, perPage, hasMore),
	}, nil
}

func (s sessions) latestMessages(ctx context.Context, accountID string, rows []db.Conversation) (map[string][]db.Message, error) {
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	all, err := s.conversations.DB.MessagesOf(ctx, accountID, ids, listedMessages)
	if err != nil {
		return nil, err
	}
	bySession := map[string][]db.Message{}
	for _, m := range all {
		bySession[m.ConversationID] = append(bySession[m.ConversationID], m)
	}
	return bySession, nil
}

// GetSession returns a session and a page of its messages, the latest page first.
func (s sessions) GetSession(ctx context.Context, request gen.GetSessionRequestObject) (gen.GetSessionResponseObject, error) {
	caller := httpd.Caller(ctx)
	row, err := s.conversations.Visit(ctx, caller, surface, request.SessionID)
	if err != nil {
		return nil, sessionFault(err)
	}
	page, perPage := int(*request.Params.Page), int(*request.Params.PerPage)
	messages, err := s.conversations.DB.MessagesBefore(ctx, caller.AccountID, row.ID, (page-1)*perPage, perPage)
	if err != nil {
		return nil, err
	}
	session := toAPISession(row)
	session.Messages = toAPISessionMessages(messages)
	judged, err := s.conversations.Judged(ctx, row, messages)
	if err != nil {
		return nil, err
	}
	for i, m := range session.Messages {
		if reaction, found := judged[m.ID]; found {
			session.Messages[i].Reaction = (*gen.SessionMessageReaction)(&reaction)
		}
	}
	return gen.GetSession200JSONResponse{
		Success: gen.SessionHistorySuccessTrue,
		Session: session,
		Meta:    toAPISessionPageMeta(page, perPage, int64(page*perPage) < row.LastSeq),
	}, nil
}

// DeleteSession erases a session of the app.
func (s sessions) DeleteSession(ctx context.Context, request gen.DeleteSessionRequestObject) (gen.DeleteSessionResponseObject, error) {
	caller := httpd.Caller(ctx)
	if caller.Kind == key.Publishable {
		if _, err := s.conversations.Visit(ctx, caller, surface, request.SessionID); err != nil {
			return nil, sessionFault(err)
		}
	}
	if err := s.conversations.Delete(ctx, caller.AccountID, surface, caller.AppID, request.SessionID); err != nil {
		return nil, sessionFault(err)
	}
	return gen.DeleteSession200JSONResponse{Success: gen.SessionDeletionSuccessTrue, Deleted: 1}, nil
}

// DeleteAllSessions erases every session of the app.
func (s sessions) DeleteAllSessions(ctx context.Context, _ gen.DeleteAllSessionsRequestObject) (gen.DeleteAllSessionsResponseObject, error) {
	caller := httpd.Caller(ctx)
	if caller.Kind == key.Publishable {
		return nil, errPublishable
	}
	n, err := s.conversations.DeleteAll(ctx, caller.AccountID, surface, caller.AppID)
	if err != nil {
		return nil, err
	}
	return gen.DeleteAllSessions200JSONResponse{Success: gen.SessionDeletionSuccessTrue, Deleted: n}, nil
}

// sessionFault words a missing conversation as this surface calls it.
func sessionFault(err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return fault.New(fault.NotFound, "Session not found")
	}
	return err
}
