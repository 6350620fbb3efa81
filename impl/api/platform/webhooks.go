package platform

import (
	"context"
	"time"

	"parley/db"
	gen "parley/gen/platform"
	"parley/impl/core/webhook"
	"parley/impl/httpd"
)

type webhooks struct{ service *webhook.Service }

// ListWebhooks lists the account's webhooks, the newest first.
func (w webhooks) ListWebhooks(ctx context.Context, request gen.ListWebhooksRequestObject) (gen.ListWebhooksResponseObject, error) {
	limit := int(*request.Params.Limit)
	rows, err := w.service.List(ctx, httpd.Caller(ctx).AccountID, value(request.Params.Cursor), limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage("/api/v1/admin/webhooks", rows[limit-1].ID, limit)
	}
	list := make(gen.WebhookList, len(rows))
	for i, row := range rows {
		list[i] = toAPIWebhook(row)
	}
	return gen.ListWebhooks200JSONResponse{Body: list, Headers: gen.ListWebhooks200ResponseHeaders{Link: link}}, nil
}

// CreateWebhook makes a webhook and shows its secret.
func (w webhooks) CreateWebhook(ctx context.Context, request gen.CreateWebhookRequestObject) (gen.CreateWebhookResponseObject, error) {
	body := request.Body
	made, err := w.service.Create(ctx, httpd.Caller(ctx).AccountID, webhook.Input{
		URL: &body.URL, Description: body.Description, Events: fromAPIWebhookEventKinds(body.Events), IncludeText: body.IncludeText,
	})
	if err != nil {
		return nil, err
	}
	return gen.CreateWebhook201JSONResponse{
		Body: toAPIWebhookWithSecret(made), Headers: gen.CreateWebhook201ResponseHeaders{Location: "/api/v1/admin/webhooks/" + made.ID},
	}, nil
}

// GetWebhook returns one webhook.
func (w webhooks) GetWebhook(ctx context.Context, request gen.GetWebhookRequestObject) (gen.GetWebhookResponseObject, error) {
	row, err := w.service.Get(ctx, httpd.Caller(ctx).AccountID, request.WebhookID)
	if err != nil {
		return nil, err
	}
	return gen.GetWebhook200JSONResponse(toAPIWebhook(row)), nil
}

// UpdateWebhook changes what is given of a webhook.
func (w webhooks) UpdateWebhook(ctx context.Context, request gen.UpdateWebhookRequestObject) (gen.UpdateWebhookResponseObject, error) {
	body := request.Body
	in := webhook.Input{URL: body.URL, Description: body.Description, IncludeText: body.IncludeText}
	if body.Events != nil {
		in.Events = fromAPIWebhookEventKinds(*body.Events)
	}
	if body.Status != nil {
		enabled := *body.Status == gen.WebhookStatusEnabled
		in.Enabled = &enabled
	}
	row, err := w.service.Update(ctx, httpd.Caller(ctx).AccountID, request.WebhookID, in)
	if err != nil {
		return nil, err
	}
	return gen.UpdateWebhook200JSONResponse(toAPIWebhook(row)), nil
}

// DeleteWebhook ends a webhook.
func (w webhooks) DeleteWebhook(ctx context.Context, request gen.DeleteWebhookRequestObject) (gen.DeleteWebhookResponseObject, error) {
	if err := w.service.Delete(ctx, httpd.Caller(ctx).AccountID, request.WebhookID); err != nil {
		return nil, err
	}
	return gen.DeleteWebhook204Response{}, nil
}

// RotateWebhookSecret gives a webhook a new secret.
func (w webhooks) RotateWebhookSecret(ctx context.Context, request gen.RotateWebhookSecretRequestObject) (gen.RotateWebhookSecretResponseObject, error) {
	grace := time.Duration(*request.Body.GraceSeconds) * time.Second
	rotated, err := w.service.Rotate(ctx, httpd.Caller(ctx).AccountID, request.WebhookID, grace)
	if err != nil {
		return nil, err
	}
	return gen.RotateWebhookSecret200JSONResponse(toAPIWebhookWithSecret(rotated)), nil
}

// SendWebhookTest sends a test event to a webhook.
func (w webhooks) SendWebhookTest(ctx context.Context, request gen.SendWebhookTestRequestObject) (gen.SendWebhookTestResponseObject, error) {
	d, err := w.service.SendTest(ctx, httpd.Caller(ctx).AccountID, request.WebhookID)
	if err != nil {
		return nil, err
	}
	return gen.SendWebhookTest202JSONResponse(toAPIWebhookDelivery(d)), nil
}

// ListWebhookDeliveries lists what was sent to a webhook, the newest first.
func (w webhooks) ListWebhookDeliveries(ctx context.Context, request gen.ListWebhookDeliveriesRequestObject) (gen.ListWebhookDeliveriesResponseObject, error) {
	limit := int(*request.Params.Limit)
	rows, err := w.service.Deliveries(ctx, httpd.Caller(ctx).AccountID, request.WebhookID, value(request.Params.Cursor), limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage("/api/v1/admin/webhooks/"+request.WebhookID+"/deliveries", rows[limit-1].ID, limit)
	}
	list := make(gen.WebhookDeliveryList, len(rows))
	for i, row := range rows {
		list[i] = toAPIWebhookDelivery(row)
	}
	return gen.ListWebhookDeliveries200JSONResponse{Body: list, Headers: gen.ListWebhookDeliveries200ResponseHeaders{Link: link}}, nil
}

// RepeatWebhookDelivery sends a delivery again.
func (w webhooks) RepeatWebhookDelivery(ctx context.Context, request gen.RepeatWebhookDeliveryRequestObject) (gen.RepeatWebhookDeliveryResponseObject, error) {
	d, err := w.service.Redeliver(ctx, httpd.Caller(ctx).AccountID, request.WebhookID, request.DeliveryID)
	if err != nil {
		return nil, err
	}
	return gen.RepeatWebhookDelivery202JSONResponse(toAPIWebhookDelivery(d)), nil
}

func fromAPIWebhookEventKinds(kinds gen.WebhookEventKinds) []string {
	out := make([]string, len(kinds))
	for i, kind := range kinds {
		out[i] = string(kind)
	}
	return out
}

func toAPIWebhook(w db.Webhook) gen.Webhook {
	out := gen.Webhook{
		ID: w.ID, URL: w.URL, Description: w.Description, Events: make(gen.WebhookEventKinds, len(w.Events)), IncludeText: w.IncludeText,
		Status: gen.WebhookStatus(w.Status), DisabledReason: w.DisabledReason,
		FailingSince: utc(w.FailingSince), PreviousSecretUntil: utc(w.PreviousUntil), CreatedAt: w.CreatedAt.UTC(),
	}
	for i, kind := range w.Events {
		out.Events[i] = gen.WebhookEventKind(kind)
	}
	return out
}

func toAPIWebhookWithSecret(made webhook.WithSecret) gen.WebhookWithSecret {
	w := toAPIWebhook(made.Webhook)
	return gen.WebhookWithSecret{
		ID: w.ID, Secret: made.Secret, URL: w.URL, Description: w.Description, Events: w.Events, IncludeText: w.IncludeText,
		Status: w.Status, DisabledReason: w.DisabledReason, FailingSince: w.FailingSince,
		PreviousSecretUntil: w.PreviousSecretUntil, CreatedAt: w.CreatedAt,
	}
}

func toAPIWebhookDelivery(d db.Delivery) gen.WebhookDelivery {
	return gen.WebhookDelivery{
		ID: d.ID, WebhookID: d.WebhookID, EventID: d.EventID, Type: d.Kind, State: gen.WebhookDeliveryState(d.State), Attempts: int32(d.Attempts),
		StatusCode: int32Of(d.StatusCode), DurationMs: int32Of(d.DurationMS), Error: d.Problem, NextAttemptAt: utc(d.NextAttemptAt), CreatedAt: d.CreatedAt.UTC(),
	}
}

func int32Of(n *int) *int32 {
	if n == nil {
		return nil
	}
	narrow := int32(*n)
	return &narrow
}
