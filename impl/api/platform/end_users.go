package platform

import (
	"context"
	"time"

	gen "parley/gen/platform"
	"parley/impl/core/key"
	"parley/impl/httpd"
)

type endUsers struct{ service *key.Service }

// CreateEndUserToken makes a token for an end user of the key's app.
func (e endUsers) CreateEndUserToken(ctx context.Context, request gen.CreateEndUserTokenRequestObject) (gen.CreateEndUserTokenResponseObject, error) {
	caller, body := httpd.Caller(ctx), request.Body
	made, err := e.service.NewEndUserToken(ctx, caller, key.EndUserInput{
		EndUser: body.EndUser, SessionID: value(body.SessionID), Life: time.Duration(*body.ExpiresIn) * time.Second,
	})
	if err != nil {
		return nil, err
	}
	return gen.CreateEndUserToken201JSONResponse{
		Token: made.Text, EndUser: body.EndUser, AppID: caller.AppID, SessionID: body.SessionID, ExpiresAt: made.ExpiresAt.UTC(),
	}, nil
}
