package projects

import (
	"context"

	"parley/db"
	gen "parley/gen/projects"
	"parley/impl/core/project"
	"parley/impl/httpd"
)

type conversations struct {
	service *project.Service
	base    base
}

// ListProjectConversations lists a project's conversations.
func (c conversations) ListProjectConversations(ctx context.Context, request gen.ListProjectConversationsRequestObject) (gen.ListProjectConversationsResponseObject, error) {
	caller, params := httpd.Caller(ctx), request.Params
	rows, total, err := c.service.ListConversations(ctx, caller.AccountID, db.ProjectConversationFilter{
		ListFilter: filter(int(*params.Page), perPage, string(*params.Order), text(params.Name)),
		ProjectID:  request.ProjectID, By: string(*params.UserFilter), Me: project.UserNumber(caller),
	})
	if err != nil {
		return nil, err
	}
	page := c.base.pageOf(ctx, int(*params.Page), perPage, len(rows), total)
	return gen.ListProjectConversations200JSONResponse{Data: toAPIProjectConversationPaginator(page, rows), Status: success}, nil
}

// CreateProjectConversation begins a conversation.
func (c conversations) CreateProjectConversation(ctx context.Context, request gen.CreateProjectConversationRequestObject) (gen.CreateProjectConversationResponseObject, error) {
	row, err := c.service.Begin(ctx, httpd.Caller(ctx), request.ProjectID, text(request.Body.Name), text(request.Body.LicenseKey))
	if err != nil {
		return nil, err
	}
	return gen.CreateProjectConversation201JSONResponse{
		Body:    gen.ProjectConversationAnswer{Data: toAPIProjectConversation(row), Status: success},
		Headers: gen.CreateProjectConversation201ResponseHeaders{Location: address(row.ProjectID) + "/conversations/" + row.SessionID + "/messages"},
	}, nil
}

// UpdateProjectConversation renames a conversation.
func (c conversations) UpdateProjectConversation(ctx context.Context, request gen.UpdateProjectConversationRequestObject) (gen.UpdateProjectConversationResponseObject, error) {
	row, err := c.service.Rename(ctx, httpd.Caller(ctx).AccountID, request.ProjectID, request.SessionID, request.Body.Name)
	if err != nil {
		return nil, err
	}
	return gen.UpdateProjectConversation200JSONResponse{Data: toAPIProjectConversation(row), Status: success}, nil
}

// DeleteProjectConversation deletes a conversation with its messages.
func (c conversations) DeleteProjectConversation(ctx context.Context, request gen.DeleteProjectConversationRequestObject) (gen.DeleteProjectConversationResponseObject, error) {
	if err := c.service.DeleteConversation(ctx, httpd.Caller(ctx).AccountID, request.ProjectID, request.SessionID); err != nil {
		return nil, err
	}
	return gen.DeleteProjectConversation200JSONResponse{Data: gen.ProjectsDeletion{Deleted: true}, Status: success}, nil
}
