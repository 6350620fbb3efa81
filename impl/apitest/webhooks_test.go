package apitest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"parley/gen/client/platform"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

const webhooksPath = "/api/v1/admin/webhooks"

func (x tenant) createWebhook(t *testing.T, body map[string]any) platform.WebhookWithSecret {
	t.Helper()
	made := x.do(t, testkit.Request{Path: webhooksPath, Body: body}).Want(t, http.StatusCreated)
	var w platform.WebhookWithSecret
	made.JSON(t, &w)
	if made.Header.Get("Location") != webhooksPath+"/"+w.ID {
		t.Errorf("webhook %s at %s", w.ID, made.Header.Get("Location"))
	}
	return w
}

// told is the body of a delivery.
type told struct {
	Type      string
	Timestamp time.Time
	Data      map[string]any
}

// verified checks a delivery with the library that receivers use.
func verified(t *testing.T, p testkit.Posted, secret string) told {
	t.Helper()
	verifier, err := standard.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify(p.Body, p.Header); err != nil {
		t.Errorf("signature: %v", err)
	}
	var m told
	if err := json.Unmarshal(p.Body, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// delivered waits for the newest delivery of a webhook to be in a state.
func (x tenant) delivered(t *testing.T, webhookID, state string) platform.WebhookDelivery {
	t.Helper()
	var list []platform.WebhookDelivery
	eventually(t, "the delivery is "+state, func() bool {
		x.get(t, webhooksPath+"/"+webhookID+"/deliveries", &list)
		return len(list) > 0 && string(list[0].State) == state && (list[0].Attempts > 0 || state == "pending")
	})
	return list[0]
}

func TestAWebhookIsToldOfAnswers(t *testing.T) {
	t.Parallel()
	x, receiver := newTenant(t), testkit.NewReceiver(t)
	plain := testkit.NewReceiver(t)
	x.Upstream(t, providertest.SSE("The answer"), providertest.Status(http.StatusBadRequest, "bad", "no"))
	w := x.createWebhook(t, map[string]any{"url": receiver.URL, "events": []string{"message.created", "turn.failed"}, "include_text": true})
	x.createWebhook(t, map[string]any{"url": plain.URL, "events": []string{"message.created"}})
	var answer struct {
		SessionID string `json:"session_id"`
	}
	got := x.do(t, testkit.Request{Path: "/api/v1/chat", Body: map[string]any{"message": "Hi"}}).Want(t, http.StatusOK)
	got.JSON(t, &answer)
	posted := receiver.Next(t)
	m := verified(t, posted, w.Secret)
	if m.Type != "message.created" || m.Data["turn_id"] != got.Header.Get("Parley-Turn") || m.Data["conversation_id"] != answer.SessionID ||
		m.Data["text"] != "The answer" || m.Data["key_id"] != x.key.ID || m.Data["surface"] != "webchat" {
		t.Errorf("told %s", posted.Body)
	}
	if body := string(plain.Next(t).Body); strings.Contains(body, "The answer") {
		t.Errorf("text for who did not ask for it: %s", body)
	}
	d := x.delivered(t, w.ID, "delivered")
	if d.Attempts != 1 || *d.StatusCode != 204 || d.EventID != posted.Header.Get("webhook-id") || d.Type != "message.created" || d.Error != nil || d.NextAttemptAt != nil {
		t.Errorf("delivery %+v", d)
	}
	x.do(t, testkit.Request{Path: "/api/v1/chat", Body: map[string]any{"message": "Hi"}}).Want(t, http.StatusBadGateway)
	if m := verified(t, receiver.Next(t), w.Secret); m.Type != "turn.failed" {
		t.Errorf("told %+v", m)
	}
}

func TestAWebhookIsToldOfKeys(t *testing.T) {
	t.Parallel()
	x, receiver := newTenant(t), testkit.NewReceiver(t)
	w := x.createWebhook(t, map[string]any{"url": receiver.URL, "events": []string{"key.created", "key.revoked", "key.rotated"}})
	k := x.createKey(t, `{"name":"Watched"}`)
	path := "/api/v1/keys/" + k.ID
	for _, step := range []struct {
		request testkit.Request
		want    string
	}{
		{testkit.Request{Path: "/healthz"}, "key.created"}, // the creation above
		{testkit.Request{Path: path + "/rotate", Body: `{}`}, "key.rotated"},
		{testkit.Request{Method: http.MethodPatch, Path: path, Body: `{"status":"inactive"}`}, "key.revoked"},
		{testkit.Request{Method: http.MethodDelete, Path: path}, "key.revoked"},
	} {
		if got := x.do(t, step.request); got.Status >= 300 {
			t.Fatalf("%s: %d", step.want, got.Status)
		}
		posted := receiver.Next(t)
		if m := verified(t, posted, w.Secret); m.Type != step.want || m.Data["key_id"] != k.ID || strings.Contains(string(posted.Body), "Watched") {
			t.Errorf("told %s, want %s", posted.Body, step.want)
		}
	}
	renamed := x.createKey(t, `{"name":"Other"}`)
	verified(t, receiver.Next(t), w.Secret)
	x.do(t, testkit.Request{Method: http.MethodPatch, Path: "/api/v1/keys/" + renamed.ID, Body: `{"name":"Renamed"}`}).Want(t, http.StatusOK)
	x.do(t, testkit.Request{Path: webhooksPath + "/" + w.ID + "/test", Method: http.MethodPost}).Want(t, http.StatusAccepted)
	if m := verified(t, receiver.Next(t), w.Secret); m.Type != "webhook.test" {
		t.Errorf("a new name is told as %s", m.Type)
	}
}

// An account without a webhook that wants to know stores nothing for each answer.
func TestWithoutWebhooksNothingIsStored(t *testing.T) {
	t.Parallel()
	x := tenant{Account: testkit.Shared(t).Account(t, testkit.Unlimited, plenty), server: testkit.Shared(t)}
	x.key = x.Key(t)
	x.Webhook(t, "http://127.0.0.1:9/nobody", "key.rotated")
	x.do(t, testkit.Request{Path: "/api/v1/chat", Body: map[string]any{"message": "Hi"}}).Want(t, http.StatusOK)
	var rows int
	err := sql(t, x.server).GetContext(t.Context(), &rows, `select (select count(*) from webhook_events where account_id = $1) + (select count(*) from jobs where account_id = $1)`, x.ID)
	if err != nil || rows != 0 {
		t.Errorf("%d rows, %v", rows, err)
	}
}

func TestAFailedDeliveryIsRepeatedWithItsId(t *testing.T) {
	t.Parallel()
	x, receiver := newTenant(t), testkit.NewReceiver(t)
	receiver.AnswerWith(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, "a secret text of the receiver", strings.Repeat(".", 200<<10))
	})
	w := x.createWebhook(t, map[string]any{"url": receiver.URL, "events": []string{"key.created"}})
	test := testkit.Request{Method: http.MethodPost, Path: webhooksPath + "/" + w.ID + "/test"}
	x.do(t, test).Want(t, http.StatusAccepted)
	first := receiver.Next(t)
	var d platform.WebhookDelivery
	eventually(t, "the failure is noted", func() bool { d = x.delivered(t, w.ID, "pending"); return d.StatusCode != nil })
	if *d.StatusCode != 503 || *d.Error != "The receiver answered 503." || d.NextAttemptAt == nil {
		t.Errorf("after a failure %+v", d)
	}
	var hook platform.Webhook
	if x.get(t, webhooksPath+"/"+w.ID, &hook); hook.FailingSince == nil || hook.Status != "enabled" {
		t.Errorf("after a failure %+v", hook)
	}
	receiver.Answer(http.StatusOK)
	again := receiver.Next(t)
	verified(t, again, w.Secret)
	if again.Header.Get("webhook-id") != first.Header.Get("webhook-id") || again.Header.Get("webhook-timestamp") == first.Header.Get("webhook-timestamp") {
		t.Errorf("repeated with %v after %v", again.Header, first.Header)
	}
	if d := x.delivered(t, w.ID, "delivered"); d.Attempts != 2 || d.Error != nil {
		t.Errorf("repeated %+v", d)
	}
	if x.get(t, webhooksPath+"/"+w.ID, &hook); hook.FailingSince != nil {
		t.Errorf("after a success %+v", hook)
	}
	if tables := tablesWith(t, x.server, "a secret text of the receiver"); len(tables) > 0 {
		t.Errorf("the receiver's answer is stored in %v", tables)
	}
	x.do(t, testkit.Request{Method: http.MethodPost, Path: webhooksPath + "/" + w.ID + "/deliveries/" + d.ID + "/redeliver"}).Want(t, http.StatusAccepted)
	if asked := receiver.Next(t); asked.Header.Get("webhook-id") != first.Header.Get("webhook-id") {
		t.Error("redelivered under another id")
	}
}

func TestAReceiverThatIsGoneIsLeftAlone(t *testing.T) {
	t.Parallel()
	x, receiver := newTenant(t), testkit.NewReceiver(t)
	receiver.Answer(http.StatusGone)
	w := x.createWebhook(t, map[string]any{"url": receiver.URL, "events": []string{"key.created"}})
	path := webhooksPath + "/" + w.ID
	x.do(t, testkit.Request{Method: http.MethodPost, Path: path + "/test"}).Want(t, http.StatusAccepted)
	d := x.delivered(t, w.ID, "failed")
	var hook platform.Webhook
	if x.get(t, path, &hook); hook.Status != "disabled" || *hook.DisabledReason != "The receiver answered 410 Gone." || d.NextAttemptAt != nil {
		t.Errorf("%+v, %+v", hook, d)
	}
	x.do(t, testkit.Request{Method: http.MethodPost, Path: path + "/test"}).Want(t, http.StatusConflict)
	x.do(t, testkit.Request{Method: http.MethodPost, Path: path + "/deliveries/" + d.ID + "/redeliver"}).Want(t, http.StatusConflict)
	x.do(t, testkit.Request{Method: http.MethodPatch, Path: path, Body: `{"status":"enabled"}`}).Want(t, http.StatusOK).JSON(t, &hook)
	if hook.Status != "enabled" || hook.DisabledReason != nil || hook.FailingSince != nil {
		t.Errorf("enabled again %+v", hook)
	}
}

func TestAWebhookThatFailsForDaysIsDisabled(t *testing.T) {
	t.Parallel()
	x, receiver := newTenant(t), testkit.NewReceiver(t)
	receiver.Answer(http.StatusInternalServerError)
	w := x.createWebhook(t, map[string]any{"url": receiver.URL, "events": []string{"key.created"}})
	if _, err := sql(t, x.server).ExecContext(t.Context(), `update webhooks set failing_since = $2 where webhook_id = $1`, w.ID, time.Now().Add(-73*time.Hour)); err != nil {
		t.Fatal(err)
	}
	x.do(t, testkit.Request{Method: http.MethodPost, Path: webhooksPath + "/" + w.ID + "/test"}).Want(t, http.StatusAccepted)
	d := x.delivered(t, w.ID, "failed")
	var hook platform.Webhook
	if x.get(t, webhooksPath+"/"+w.ID, &hook); hook.Status != "disabled" || *hook.DisabledReason != "No delivery has succeeded for 3 days." {
		t.Errorf("%+v, %+v", hook, d)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	x, receiver, other := newTenant(t), testkit.NewReceiver(t), testkit.NewReceiver(t)
	receiver.AnswerWith(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	w := x.createWebhook(t, map[string]any{"url": receiver.URL, "events": []string{"key.created"}})
	x.do(t, testkit.Request{Method: http.MethodPost, Path: webhooksPath + "/" + w.ID + "/test"}).Want(t, http.StatusAccepted)
	receiver.Next(t)
	var d platform.WebhookDelivery
	eventually(t, "the failure is noted", func() bool { d = x.delivered(t, w.ID, "pending"); return d.StatusCode != nil })
	if *d.StatusCode != http.StatusTemporaryRedirect || other.Waiting() > 0 {
		t.Errorf("followed: %+v", d)
	}
}

func TestPrivateAddressesAreNotReached(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	for _, url := range []string{"http://user:secret@hooks.example/", "http://0x7f.1/hook", "http://2130706433/hook", "http://[fe80::1%25eth0]/hook"} {
		x.do(t, testkit.Request{Path: webhooksPath, Body: map[string]any{"url": url, "events": []string{"key.created"}}}).Want(t, http.StatusBadRequest)
	}
	w := x.createWebhook(t, map[string]any{"url": "http://10.0.0.1/hook", "events": []string{"key.created"}})
	x.do(t, testkit.Request{Method: http.MethodPost, Path: webhooksPath + "/" + w.ID + "/test"}).Want(t, http.StatusAccepted)
	var d platform.WebhookDelivery
	eventually(t, "the failure is noted", func() bool { d = x.delivered(t, w.ID, "pending"); return d.Error != nil })
	if *d.Error != "The address is not allowed." || d.StatusCode != nil {
		t.Errorf("%+v", d)
	}
}

func TestBothSecretsSignDuringARotation(t *testing.T) {
	t.Parallel()
	x, receiver := newTenant(t), testkit.NewReceiver(t)
	w := x.createWebhook(t, map[string]any{"url": receiver.URL, "events": []string{"key.created"}})
	path := webhooksPath + "/" + w.ID
	test := testkit.Request{Method: http.MethodPost, Path: path + "/test"}
	var rotated platform.WebhookWithSecret
	x.do(t, testkit.Request{Path: path + "/rotate-secret", Body: `{}`}).Want(t, http.StatusOK).JSON(t, &rotated)
	if rotated.Secret == w.Secret || rotated.PreviousSecretUntil == nil {
		t.Errorf("rotated %+v", rotated)
	}
	x.do(t, test).Want(t, http.StatusAccepted)
	posted := receiver.Next(t)
	verified(t, posted, w.Secret)
	verified(t, posted, rotated.Secret)
	var last platform.WebhookWithSecret
	x.do(t, testkit.Request{Path: path + "/rotate-secret", Body: `{"grace_seconds":0}`}).Want(t, http.StatusOK).JSON(t, &last)
	x.do(t, test).Want(t, http.StatusAccepted)
	posted = receiver.Next(t)
	verified(t, posted, last.Secret)
	if strings.Contains(posted.Header.Get("webhook-signature"), " ") {
		t.Error("a rotation without grace leaves the old secret")
	}
	for _, secret := range []string{w.Secret, rotated.Secret, last.Secret} {
		if tables := tablesWith(t, x.server, secret[6:]); len(tables) > 0 || len(x.server.Logs.Of(secret[6:])) > 0 {
			t.Errorf("a secret is stored in %v or logged", tables)
		}
	}
}

// A low balance is told once, to every webhook that wants it and the audit log,
// and again only after the balance was above what it is warned at.
func TestALowBalanceIsToldOnce(t *testing.T) {
	t.Parallel()
	s := testkit.New(t) // the job looks at every account
	x, receiver := tenantOf(t, s, testkit.Unlimited, 1_000_000), testkit.NewReceiver(t)
	w := x.createWebhook(t, map[string]any{"url": receiver.URL, "events": []string{"balance.low"}})
	warnAt := func(micros int64) {
		t.Helper()
		var got platform.Account
		x.do(t, testkit.Request{Method: http.MethodPatch, Path: "/api/v1/admin/account", Body: map[string]any{"balance_low_micros": micros}}).
			Want(t, http.StatusOK).JSON(t, &got)
		if got.BalanceLowMicros != micros {
			t.Errorf("warned at %d, want %d", got.BalanceLowMicros, micros)
		}
	}
	take := func(micros int64) {
		t.Helper()
		x.do(t, testkit.Request{Path: "/api/v1/admin/accounts/" + x.ID + "/adjustments", Body: map[string]any{"amount_micros": -micros, "reason": "a test"}}).
			Want(t, http.StatusCreated)
	}
	told := func(balance, below float64) {
		t.Helper()
		if m := verified(t, receiver.Next(t), w.Secret); m.Type != "balance.low" || m.Data["balance_micros"] != balance || m.Data["below_micros"] != below {
			t.Errorf("told %+v", m)
		}
	}
	look := func(booked int) {
		t.Helper()
		s.Run(t, "webhooks.balances")
		var events []platform.AuditEvent
		x.do(t, testkit.Request{Path: "/api/v1/admin/audit-events?action=balance.low"}).Want(t, http.StatusOK).JSON(t, &events)
		if len(events) != booked {
			t.Errorf("%d times booked, want %d", len(events), booked)
		}
	}
	look(0) // nobody asked to be warned
	warnAt(1_000_000)
	look(0) // at the amount is not below it
	warnAt(2_000_000)
	look(1)
	told(1e6, 2e6)
	look(1)
	take(1_000)
	look(1)
	x.Grant(t, 5_000_000)
	look(1)
	take(4_500_000)
	look(2)
	told(1_499_000, 2e6)
	warnAt(0)
	look(2)
	warnAt(1_500_000)
	look(3)
	told(1_499_000, 1.5e6)
}

func TestAnAccountHasAtMostTwentyWebhooks(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	hook := x.Webhook(t, "http://127.0.0.1:9/nobody", "key.rotated")
	for range 19 {
		x.Webhook(t, "http://127.0.0.1:9/nobody", "key.rotated")
	}
	x.do(t, testkit.Request{Path: webhooksPath, Body: map[string]any{"url": "https://hooks.example/", "events": []string{"key.created"}}}).Want(t, http.StatusConflict)
	listed := x.do(t, testkit.Request{Path: webhooksPath + "?limit=5"}).Want(t, http.StatusOK)
	if strings.Contains(string(listed.Body), "whsec_") || !strings.Contains(listed.Header.Get("Link"), "cursor=hook_") {
		t.Errorf("listed %s with %v", listed.Body, listed.Header)
	}
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: webhooksPath + "/" + hook.ID}).Want(t, http.StatusNoContent)
	x.do(t, testkit.Request{Path: webhooksPath + "/" + hook.ID}).Want(t, http.StatusNotFound)
}
