package platform

import (
	"context"
	"time"

	"parley/db"
	gen "parley/gen/platform"
	"parley/impl/core/oauth"
	"parley/impl/httpd"
)

type oauthClients struct{ service *oauth.Service }

// ListOauthClients lists the account's OAuth clients, the newest first.
func (o oauthClients) ListOauthClients(ctx context.Context, request gen.ListOauthClientsRequestObject) (gen.ListOauthClientsResponseObject, error) {
	limit := int(*request.Params.Limit)
	rows, err := o.service.List(ctx, httpd.Caller(ctx).AccountID, value(request.Params.Cursor), limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage("/api/v1/admin/oauth-clients", rows[limit-1].ID, limit)
	}
	out := make(gen.OauthClientList, len(rows))
	for i, c := range rows {
		out[i] = toAPIOauthClient(c)
	}
	return gen.ListOauthClients200JSONResponse{Body: out, Headers: gen.ListOauthClients200ResponseHeaders{Link: link}}, nil
}

// CreateOauthClient makes a client and shows its secret.
func (o oauthClients) CreateOauthClient(ctx context.Context, request gen.CreateOauthClientRequestObject) (gen.CreateOauthClientResponseObject, error) {
	body := request.Body
	made, err := o.service.Create(ctx, oauth.CreateInput{
		By: httpd.Caller(ctx), Name: body.Name, Scopes: fromAPIKeyScopes(&body.Scopes), AppID: value(body.AppID),
	})
	if err != nil {
		return nil, err
	}
	return gen.CreateOauthClient201JSONResponse{
		Body: toAPIOauthClientWithSecret(made), Headers: gen.CreateOauthClient201ResponseHeaders{Location: "/api/v1/admin/oauth-clients/" + made.ID},
	}, nil
}

// GetOauthClient returns one client.
func (o oauthClients) GetOauthClient(ctx context.Context, request gen.GetOauthClientRequestObject) (gen.GetOauthClientResponseObject, error) {
	c, err := o.service.Get(ctx, httpd.Caller(ctx).AccountID, request.ClientID)
	if err != nil {
		return nil, err
	}
	return gen.GetOauthClient200JSONResponse(toAPIOauthClient(c)), nil
}

// UpdateOauthClient changes what is given of a client.
func (o oauthClients) UpdateOauthClient(ctx context.Context, request gen.UpdateOauthClientRequestObject) (gen.UpdateOauthClientResponseObject, error) {
	body := request.Body
	in := oauth.UpdateInput{Name: body.Name, Scopes: fromAPIKeyScopes(body.Scopes)}
	if body.Status != nil {
		active := *body.Status == gen.KeyStatusActive
		in.Active = &active
	}
	c, err := o.service.Update(ctx, httpd.Caller(ctx), request.ClientID, in)
	if err != nil {
		return nil, err
	}
	return gen.UpdateOauthClient200JSONResponse(toAPIOauthClient(c)), nil
}

// RotateOauthClient gives a client a new secret.
func (o oauthClients) RotateOauthClient(ctx context.Context, request gen.RotateOauthClientRequestObject) (gen.RotateOauthClientResponseObject, error) {
	grace := time.Duration(*request.Body.GraceSeconds) * time.Second
	rotated, err := o.service.Rotate(ctx, httpd.Caller(ctx), request.ClientID, grace)
	if err != nil {
		return nil, err
	}
	return gen.RotateOauthClient200JSONResponse(toAPIOauthClientWithSecret(rotated)), nil
}

// DeleteOauthClient ends a client for good.
func (o oauthClients) DeleteOauthClient(ctx context.Context, request gen.DeleteOauthClientRequestObject) (gen.DeleteOauthClientResponseObject, error) {
	if err := o.service.Delete(ctx, httpd.Caller(ctx).AccountID, request.ClientID); err != nil {
		return nil, err
	}
	return gen.DeleteOauthClient204Response{}, nil
}

func toAPIOauthClient(c db.OauthClient) gen.OauthClient {
	out := gen.OauthClient{
		ID: c.ID, Name: c.Name, Status: gen.KeyStatusInactive, Scopes: make(gen.KeyScopes, len(c.Scopes)), AppID: c.AppID,
		CreatedAt: c.CreatedAt.UTC(), LastUsedAt: utc(c.LastUsedAt),
	}
	if c.Active {
		out.Status = gen.KeyStatusActive
	}
	for i, s := range c.Scopes {
		out.Scopes[i] = gen.KeyScope(s)
	}
	return out
}

func toAPIOauthClientWithSecret(made oauth.Created) gen.OauthClientWithSecret {
	c := toAPIOauthClient(made.OauthClient)
	return gen.OauthClientWithSecret{
		ID: c.ID, Name: c.Name, Secret: made.Secret, Status: c.Status, Scopes: c.Scopes, AppID: c.AppID, CreatedAt: c.CreatedAt, LastUsedAt: c.LastUsedAt,
	}
}
