package chats

import (
	"context"
	"time"

	gen "parley/gen/chats"
	"parley/impl/core/chat"
	"parley/impl/httpd"
)

type chats struct{ service *chat.Service }

// ListChats lists the account's chats, the newest first.
func (a chats) ListChats(ctx context.Context, request gen.ListChatsRequestObject) (gen.ListChatsResponseObject, error) {
	limit := int(*request.Params.Limit)
	rows, err := a.service.List(ctx, httpd.Caller(ctx).AccountID, text(request.Params.Cursor), limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage(httpd.Mounted(ctx)+"/chats", rows[limit-1].ID, limit)
	}
	list := make(gen.ChatList, len(rows))
	for i, row := range rows {
		list[i] = toAPIChat(row)
	}
	return gen.ListChats200JSONResponse{Body: list, Headers: gen.ListChats200ResponseHeaders{Link: link}}, nil
}

// CreateChat makes a chat of a flow or a template.
func (a chats) CreateChat(ctx context.Context, request gen.CreateChatRequestObject) (gen.CreateChatResponseObject, error) {
	body := request.Body
	in := chat.CreateInput{Name: body.Name, FromType: text(body.FromType), FromID: text(body.FromFlow)}
	member := "from_flow"
	if in.FromType == chat.FromTemplate {
		in.FromID, member = text(body.FromTemplate), "from_template"
	}
	if in.FromID == "" {
		return nil, missing(member)
	}
	c, err := a.service.Create(ctx, httpd.Caller(ctx), in)
	if err != nil {
		return nil, err
	}
	return gen.CreateChat200JSONResponse(toAPIChat(c)), nil
}

// GetChat tells how a chat stands, once it does not run or the caller's patience ends.
func (a chats) GetChat(ctx context.Context, request gen.GetChatRequestObject) (gen.GetChatResponseObject, error) {
	patience := time.Duration(*request.Params.WaitSeconds) * time.Second
	c, err := a.service.Await(ctx, httpd.Caller(ctx).AccountID, request.ChatID, patience)
	if err != nil {
		return nil, err
	}
	return gen.GetChat200JSONResponse(toAPIChat(c)), nil
}

// DeleteChat ends a chat's run and removes it.
func (a chats) DeleteChat(ctx context.Context, request gen.DeleteChatRequestObject) (gen.DeleteChatResponseObject, error) {
	if err := a.service.Delete(ctx, httpd.Caller(ctx).AccountID, request.ChatID); err != nil {
		return nil, err
	}
	return gen.DeleteChat200JSONResponse(gen.ChatDeleted{Result: gen.ChatDeletedResultDeleted}), nil
}

// CancelChat ends a chat's run.
func (a chats) CancelChat(ctx context.Context, request gen.CancelChatRequestObject) (gen.CancelChatResponseObject, error) {
	c, err := a.service.Cancel(ctx, httpd.Caller(ctx).AccountID, request.ChatID)
	if err != nil {
		return nil, err
	}
	return gen.CancelChat200JSONResponse(toAPIChat(c)), nil
}
