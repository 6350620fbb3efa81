package platform

import (
	"context"
	"time"

	gen "parley/gen/platform"
	"parley/impl/core/key"
	"parley/impl/httpd"
)

type keys struct{ service *key.Service }

// ListKeys lists the account's keys, the newest first.
func (k keys) ListKeys(ctx context.Context, request gen.ListKeysRequestObject) (gen.ListKeysResponseObject, error) {
	limit := int(*request.Params.Limit)
	rows, err := k.service.List(ctx, httpd.Caller(ctx).AccountID, value(request.Params.Cursor), limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage("/api/v1/keys", rows[limit-1].ID, limit)
	}
	return gen.ListKeys200JSONResponse{Body: toAPIKeyList(rows), Headers: gen.ListKeys200ResponseHeaders{Link: link}}, nil
}

// CreateKey makes a key and shows its text.
func (k keys) CreateKey(ctx context.Context, request gen.CreateKeyRequestObject) (gen.CreateKeyResponseObject, error) {
	caller := httpd.Caller(ctx)
	made, err := k.service.Create(ctx, fromAPIKeyCreate(*request.Body, caller.AccountID, caller))
	if err != nil {
		return nil, err
	}
	return gen.CreateKey201JSONResponse{
		Body: toAPIKeyWithText(made), Headers: gen.CreateKey201ResponseHeaders{Location: "/api/v1/keys/" + made.ID},
	}, nil
}

// GetKey returns one key.
func (k keys) GetKey(ctx context.Context, request gen.GetKeyRequestObject) (gen.GetKeyResponseObject, error) {
	row, err := k.service.Get(ctx, httpd.Caller(ctx).AccountID, request.KeyID)
	if err != nil {
		return nil, err
	}
	return gen.GetKey200JSONResponse(toAPIKey(row)), nil
}

// UpdateKey changes what is given of a key.
func (k keys) UpdateKey(ctx context.Context, request gen.UpdateKeyRequestObject) (gen.UpdateKeyResponseObject, error) {
	body := request.Body
	in := key.UpdateInput{
		Name: body.Name, Scopes: fromAPIKeyScopes(body.Scopes), Origins: fromAPIKeyOrigins(body.Origins), Agents: fromAPIKeyAgents(body.Agents),
		ExpiresAt: body.ExpiresAt, NeverExpires: body.NeverExpires != nil,
	}
	if body.Status != nil {
		active := *body.Status == gen.KeyStatusActive
		in.Active = &active
	}
	row, err := k.service.Update(ctx, httpd.Caller(ctx), request.KeyID, in)
	if err != nil {
		return nil, err
	}
	return gen.UpdateKey200JSONResponse(toAPIKey(row)), nil
}

// RotateKey gives a key a new text.
func (k keys) RotateKey(ctx context.Context, request gen.RotateKeyRequestObject) (gen.RotateKeyResponseObject, error) {
	grace := time.Duration(*request.Body.GraceSeconds) * time.Second
	rotated, err := k.service.Rotate(ctx, httpd.Caller(ctx), request.KeyID, grace)
	if err != nil {
		return nil, err
	}
	return gen.RotateKey200JSONResponse(toAPIKeyWithText(rotated)), nil
}

// DeleteKey ends a key for good.
func (k keys) DeleteKey(ctx context.Context, request gen.DeleteKeyRequestObject) (gen.DeleteKeyResponseObject, error) {
	if err := k.service.Delete(ctx, httpd.Caller(ctx).AccountID, request.KeyID); err != nil {
		return nil, err
	}
	return gen.DeleteKey204Response{}, nil
}
