package chats

import (
	"context"
	"strconv"
	"time"

	gen "parley/gen/chats"
	"parley/impl/core/chat"
	"parley/impl/httpd"
)

type messages struct{ service *chat.Service }

// ListChatMessages lists what was said in a chat, the oldest first.
func (a messages) ListChatMessages(ctx context.Context, request gen.ListChatMessagesRequestObject) (gen.ListChatMessagesResponseObject, error) {
	limit := int(*request.Params.Limit)
	// A cursor that we did not make is before the first message.
	after, _ := strconv.ParseInt(text(request.Params.Cursor), 10, 64)
	caller := httpd.Caller(ctx)
	rows, err := a.service.Messages(ctx, caller.AccountID, request.ChatID, after, limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage(httpd.Mounted(ctx)+"/chats/"+request.ChatID+"/messages", strconv.FormatInt(rows[limit-1].Seq, 10), limit)
	}
	list := make(gen.ChatMessageList, len(rows))
	for i, row := range rows {
		list[i] = toAPIMessage(caller.AccountID, request.ChatID, row)
	}
	return gen.ListChatMessages200JSONResponse{Body: list, Headers: gen.ListChatMessages200ResponseHeaders{Link: link}}, nil
}

// SendChatMessage begins a run, and answers once it does not run or the caller's patience ends.
func (a messages) SendChatMessage(ctx context.Context, request gen.SendChatMessageRequestObject) (gen.SendChatMessageResponseObject, error) {
	said := request.Body.Message
	if said == nil {
		said = request.Body.Content
	}
	if said == nil {
		return nil, missing("message")
	}
	caller := httpd.Caller(ctx)
	c, m, err := a.service.Send(ctx, caller, request.ChatID, *said)
	if err != nil {
		return nil, err
	}
	sent := toAPIMessageSent(c, m)
	if patience := time.Duration(*request.Params.Wait) * time.Second; patience > 0 {
		sent, err = httpd.Afterwards(ctx, sent, func(ctx context.Context) (gen.ChatMessageSent, error) {
			c, err := a.service.Await(ctx, caller.AccountID, c.ID, patience)
			return toAPIMessageSent(c, m), err
		})
	}
	return gen.SendChatMessage200JSONResponse(sent), err
}

// SendChatInput answers a run that waits for a person.
func (a messages) SendChatInput(ctx context.Context, request gen.SendChatInputRequestObject) (gen.SendChatInputResponseObject, error) {
	said := request.Body.Message
	if said == nil {
		said = request.Body.Content
	}
	if said == nil {
		return nil, missing("message")
	}
	c, err := a.service.Input(ctx, httpd.Caller(ctx).AccountID, request.ChatID, *said)
	if err != nil {
		return nil, err
	}
	return gen.SendChatInput200JSONResponse(gen.ChatInputTaken{Detail: "The input was taken.", Status: gen.ChatStatus(c.Status)}), nil
}
