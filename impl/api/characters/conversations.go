package characters

import (
	"context"

	gen "parley/gen/characters"
	"parley/impl/core/conversation"
	"parley/impl/core/id"
	"parley/impl/httpd"
)

type conversations struct{ service *conversation.Service }

// ListConversations lists the account's conversations, the newest first.
func (c conversations) ListConversations(ctx context.Context, request gen.ListConversationsRequestObject) (gen.ListConversationsResponseObject, error) {
	limit := int(*request.Params.Limit)
	rows, err := c.service.DB.Conversations(ctx, httpd.Caller(ctx).AccountID, surface, text(request.Params.Cursor), limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage("/api/v1/conversations", rows[limit-1].ID, limit)
	}
	return gen.ListConversations200JSONResponse{
		Body: toAPIConversations(rows), Headers: gen.ListConversations200ResponseHeaders{Link: link},
	}, nil
}

// CreateConversation stores a conversation with the messages that are given.
func (c conversations) CreateConversation(ctx context.Context, request gen.CreateConversationRequestObject) (gen.CreateConversationResponseObject, error) {
	caller, body := httpd.Caller(ctx), request.Body
	row, err := c.service.Create(ctx, conversation.CreateInput{
		AccountID: caller.AccountID, Surface: surface, AppID: caller.AppID, IDPrefix: id.Conversation,
		AgentID: text(body.AgentID), ModelID: body.LLMID, Title: body.Title, SystemPrompt: text(body.SystemPrompt),
		Messages: fromAPIPromptMessages(body.Messages),
	})
	if err != nil {
		return nil, err
	}
	return gen.CreateConversation201JSONResponse{
		Body:    toAPIConversation(row),
		Headers: gen.CreateConversation201ResponseHeaders{Location: "/api/v1/conversations/" + row.ID},
	}, nil
}

// GetConversation returns one conversation.
func (c conversations) GetConversation(ctx context.Context, request gen.GetConversationRequestObject) (gen.GetConversationResponseObject, error) {
	row, err := c.service.Get(ctx, httpd.Caller(ctx).AccountID, surface, "", request.ConversationID)
	if err != nil {
		return nil, err
	}
	return gen.GetConversation200JSONResponse(toAPIConversation(row)), nil
}

// UpdateConversation changes a conversation.
func (c conversations) UpdateConversation(ctx context.Context, request gen.UpdateConversationRequestObject) (gen.UpdateConversationResponseObject, error) {
	b := request.Body
	row, err := c.service.Update(ctx, httpd.Caller(ctx).AccountID, surface, request.ConversationID, conversation.UpdateInput{
		Title: b.Title, SystemPrompt: b.SystemPrompt, ModelID: b.LLMID, AgentID: b.AgentID,
	})
	if err != nil {
		return nil, err
	}
	return gen.UpdateConversation200JSONResponse(toAPIConversation(row)), nil
}

// DeleteConversation removes a conversation with everything in it.
func (c conversations) DeleteConversation(ctx context.Context, request gen.DeleteConversationRequestObject) (gen.DeleteConversationResponseObject, error) {
	if err := c.service.Delete(ctx, httpd.Caller(ctx).AccountID, surface, "", request.ConversationID); err != nil {
		return nil, err
	}
	return gen.DeleteConversation204Response{}, nil
}
