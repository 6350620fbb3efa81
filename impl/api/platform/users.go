package platform

import (
	"context"

	"parley/db"
	gen "parley/gen/platform"
	"parley/impl/core/key"
	"parley/impl/core/user"
	"parley/impl/httpd"
)

type users struct{ service *user.Service }

// ListUsers lists the account's people, the newest first.
func (u users) ListUsers(ctx context.Context, request gen.ListUsersRequestObject) (gen.ListUsersResponseObject, error) {
	limit := int(*request.Params.Limit)
	rows, err := u.service.List(ctx, httpd.Caller(ctx).AccountID, value(request.Params.Cursor), limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage("/api/v1/admin/users", rows[limit-1].ID, limit)
	}
	out := make(gen.UserList, len(rows))
	for i, row := range rows {
		out[i] = toAPIUser(row)
	}
	return gen.ListUsers200JSONResponse{Body: out, Headers: gen.ListUsers200ResponseHeaders{Link: link}}, nil
}

// CreateUser invites a person and shows their one-time token.
func (u users) CreateUser(ctx context.Context, request gen.CreateUserRequestObject) (gen.CreateUserResponseObject, error) {
	body, caller := request.Body, httpd.Caller(ctx)
	made, err := u.service.Create(ctx, user.CreateInput{
		AccountID: caller.AccountID, By: &caller, Email: body.Email, Name: value(body.Name), Role: key.Role(body.Role),
	})
	if err != nil {
		return nil, err
	}
	return gen.CreateUser201JSONResponse{
		Body: toAPIUserInvitation(made), Headers: gen.CreateUser201ResponseHeaders{Location: "/api/v1/admin/users/" + made.ID},
	}, nil
}

// GetUser returns one person.
func (u users) GetUser(ctx context.Context, request gen.GetUserRequestObject) (gen.GetUserResponseObject, error) {
	row, err := u.service.Get(ctx, httpd.Caller(ctx).AccountID, request.UserID)
	if err != nil {
		return nil, err
	}
	return gen.GetUser200JSONResponse(toAPIUser(row)), nil
}

// UpdateUser changes what is given of a person.
func (u users) UpdateUser(ctx context.Context, request gen.UpdateUserRequestObject) (gen.UpdateUserResponseObject, error) {
	body, caller := request.Body, httpd.Caller(ctx)
	in := user.UpdateInput{Name: body.Name}
	if body.Role != nil {
		role := key.Role(*body.Role)
		in.Role = &role
	}
	if body.Status != nil {
		active := *body.Status == gen.KeyStatusActive
		in.Active = &active
	}
	row, err := u.service.Update(ctx, caller.AccountID, &caller, request.UserID, in)
	if err != nil {
		return nil, err
	}
	return gen.UpdateUser200JSONResponse(toAPIUser(row)), nil
}

// DeleteUser ends a person for good.
func (u users) DeleteUser(ctx context.Context, request gen.DeleteUserRequestObject) (gen.DeleteUserResponseObject, error) {
	caller := httpd.Caller(ctx)
	if err := u.service.Delete(ctx, caller.AccountID, &caller, request.UserID); err != nil {
		return nil, err
	}
	return gen.DeleteUser204Response{}, nil
}

// CreateUserLink gives a person a new one-time token.
func (u users) CreateUserLink(ctx context.Context, request gen.CreateUserLinkRequestObject) (gen.CreateUserLinkResponseObject, error) {
	caller := httpd.Caller(ctx)
	made, err := u.service.Link(ctx, caller.AccountID, &caller, request.UserID)
	if err != nil {
		return nil, err
	}
	return gen.CreateUserLink201JSONResponse{
		Body: toAPIUserInvitation(made), Headers: gen.CreateUserLink201ResponseHeaders{Location: "/api/v1/admin/users/" + made.ID},
	}, nil
}

func toAPIUser(u db.User) gen.User {
	out := gen.User{
		ID: u.ID, Email: u.Email, Name: u.Name, Role: gen.UserRole(u.Role), Status: gen.KeyStatusInactive, HasPassword: u.PasswordHash != nil,
		CreatedAt: u.CreatedAt.UTC(), LastSignInAt: utc(u.LastSignInAt),
	}
	if u.Active {
		out.Status = gen.KeyStatusActive
	}
	return out
}

func toAPIUserInvitation(made user.Invited) gen.UserInvitation {
	u := toAPIUser(made.User)
	return gen.UserInvitation{
		ID: u.ID, Email: u.Email, Name: u.Name, Role: u.Role, Status: u.Status, Token: made.Link, TokenExpiresAt: made.ExpiresAt.UTC(),
		HasPassword: u.HasPassword, CreatedAt: u.CreatedAt, LastSignInAt: u.LastSignInAt,
	}
}
