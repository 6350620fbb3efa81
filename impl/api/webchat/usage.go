package webchat

import (
	"context"
	"time"

	openapi_types "github.com/oapi-codegen/runtime/types"

	gen "parley/gen/webchat"
	"parley/impl/core/key"
	"parley/impl/core/usage"
	"parley/impl/httpd"
)

type usages struct{ usage *usage.Service }

// GetWebchatUsage sums the app's usage over whole UTC days.
func (u usages) GetWebchatUsage(ctx context.Context, request gen.GetWebchatUsageRequestObject) (gen.GetWebchatUsageResponseObject, error) {
	caller := httpd.Caller(ctx)
	if caller.Kind == key.Publishable {
		return nil, errPublishable
	}
	report, err := u.usage.OfApp(ctx, caller.AccountID, caller.AppID, day(request.Params.StartDate), day(request.Params.EndDate))
	if err != nil {
		return nil, err
	}
	return gen.GetWebchatUsage200JSONResponse(toAPIWebchatUsageReport(report)), nil
}

func day(d *openapi_types.Date) *time.Time {
	if d == nil {
		return nil
	}
	return &d.Time
}
