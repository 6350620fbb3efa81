package console

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"parley/gen/client"
	"parley/gen/client/platform"
)

// eventKinds are what a webhook can be told.
var eventKinds = []platform.WebhookEventKind{
	platform.WebhookEventKindBalanceLow, platform.WebhookEventKindChatWaiting, platform.WebhookEventKindEngagementRuleMet, platform.WebhookEventKindErasureDone,
	platform.WebhookEventKindExportReady, platform.WebhookEventKindKeyCreated, platform.WebhookEventKindKeyRevoked, platform.WebhookEventKindKeyRotated,
	platform.WebhookEventKindKeyUnusualUsage, platform.WebhookEventKindMessageCreated, platform.WebhookEventKindTurnFailed,
}

// webhooksPage is what the page of webhooks is given.
type webhooksPage struct {
	Webhooks []platform.Webhook
	Next     string
	Kinds    []platform.WebhookEventKind
	Made     *platform.WebhookWithSecret
	URL      string // as the form had it
	Chosen   []string
}

// Has tells whether the form had an event ticked.
func (p webhooksPage) Has(kind platform.WebhookEventKind) bool {
	return slices.Contains(p.Chosen, string(kind))
}

func (c *Console) showWebhooks(v *visit) error {
	return v.showWebhooks(http.StatusOK, view{}, webhooksPage{})
}

func (v *visit) showWebhooks(status int, page view, data webhooksPage) error {
	limit := int32(pageSize)
	params := &platform.ListWebhooksParams{Limit: &limit}
	if cursor := v.URL.Query().Get("cursor"); cursor != "" {
		params.Cursor = &cursor
	}
	var response http.Response
	got, err := v.api.Platform.ListWebhooks(v.Context(), params, client.Into(&response))
	if err != nil {
		return err
	}
	data.Webhooks, data.Next, data.Kinds = got, v.next(&response), eventKinds
	page.Title, page.Nav, page.Data = "Webhooks", "webhooks", data
	return v.show(status, "webhooks", page)
}

// createWebhook makes a webhook and shows its secret on the answer itself, for it is to be had only now.
func (c *Console) createWebhook(v *visit) error {
	create := platform.WebhookCreate{URL: v.field("url"), Events: platform.WebhookEventKinds{}}
	text := v.field("include_text") != ""
	create.IncludeText = &text
	for _, kind := range v.PostForm["events"] {
		create.Events = append(create.Events, platform.WebhookEventKind(kind))
	}
	made, err := v.api.Platform.CreateWebhook(v.Context(), create, v.once())
	if err != nil {
		status, reason, other := v.refusal(err)
		if other != nil {
			return other
		}
		return v.showWebhooks(status, view{Error: reason}, webhooksPage{URL: create.URL, Chosen: v.PostForm["events"]})
	}
	return v.showWebhooks(http.StatusCreated, view{}, webhooksPage{Made: made})
}

// webhookPage is the page of one webhook.
type webhookPage struct {
	Webhook    platform.Webhook
	Deliveries []platform.WebhookDelivery
	Next       string
	Secret     string
	Now        time.Time
}

func (c *Console) showWebhook(v *visit) error { return v.showWebhook(http.StatusOK, view{}, "") }

func (v *visit) showWebhook(status int, page view, secret string) error {
	id := v.PathValue("id")
	hook, err := v.api.Platform.GetWebhook(v.Context(), id)
	if err != nil {
		return err
	}
	limit := int32(pageSize)
	params := &platform.ListWebhookDeliveriesParams{Limit: &limit}
	if cursor := v.URL.Query().Get("cursor"); cursor != "" {
		params.Cursor = &cursor
	}
	var response http.Response
	deliveries, err := v.api.Platform.ListWebhookDeliveries(v.Context(), id, params, client.Into(&response))
	if err != nil {
		return err
	}
	page.Title, page.Nav = "Webhook", "webhooks"
	page.Data = webhookPage{Webhook: *hook, Deliveries: deliveries, Next: v.next(&response), Secret: secret}
	return v.show(status, "webhook", page)
}

// changeWebhook does what a button of a webhook says.
func (c *Console) changeWebhook(v *visit) error {
	id, done := v.PathValue("id"), "saved"
	var err error
	switch do := v.field("do"); do {
	case "delete":
		if err = v.api.Platform.DeleteWebhook(v.Context(), id); err == nil {
			return v.see("/webhooks", "deleted")
		}
	case "test":
		done = "sent"
		_, err = v.api.Platform.SendWebhookTest(v.Context(), id, v.once())
	case "redeliver":
		done = "sent"
		_, err = v.api.Platform.RepeatWebhookDelivery(v.Context(), id, v.field("delivery"), v.once())
	case "rotate":
		grace := int32((24 * time.Hour).Seconds())
		made, err := v.api.Platform.RotateWebhookSecret(v.Context(), id, platform.WebhookRotation{GraceSeconds: &grace}, v.once())
		if err != nil {
			return err
		}
		return v.showWebhook(http.StatusOK, view{}, made.Secret)
	default:
		status := platform.WebhookStatusDisabled
		if do == "enable" {
			status = platform.WebhookStatusEnabled
		}
		_, err = v.api.Platform.UpdateWebhook(v.Context(), id, platform.WebhookUpdate{Status: &status})
	}
	if err == nil {
		return v.see("/webhooks/"+id, done)
	}
	status, text, other := v.refusal(err)
	if other != nil || status == http.StatusNotFound {
		return err
	}
	return v.showWebhook(status, view{Error: text}, "")
}

// healthPage is what the page of the system's health is given.
type healthPage struct {
	Ready     bool
	Took      time.Duration
	Limit     string
	Remaining string
	Account   platform.Account
	Plan      string
}

// showHealth tells whether the server can serve, and how much of the plan is left.
func (c *Console) showHealth(v *visit) error {
	began := time.Now()
	_, err := v.api.Platform.GetReadiness(v.Context())
	data := healthPage{Ready: err == nil, Took: time.Since(began)}
	through := v.inside()
	through.counts = true // to see what the plan says
	api, err := newClient(through)
	if err != nil {
		return err
	}
	var response http.Response
	account, err := api.Platform.GetOwnAccount(v.Context(), client.Into(&response))
	if err != nil {
		return err
	}
	h := response.Header
	data.Account, data.Limit, data.Remaining, data.Plan = *account, h.Get("X-RateLimit-Limit"), h.Get("X-RateLimit-Remaining"), v.me.Plan
	if data.Limit == strconv.Itoa(math.MaxInt32) { // what a plan without a limit says
		data.Limit, data.Remaining = "", ""
	}
	return v.show(http.StatusOK, "health", view{Title: "System", Nav: "health", Data: data})
}
