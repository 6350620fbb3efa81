package testkit

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"parley/db"
	"parley/impl/core/event"
	"parley/impl/core/id"
	"parley/impl/core/webhook"
)

// Webhook makes a webhook as an administrator does, for every kind of event or those given.
func (a Account) Webhook(t testing.TB, url string, kinds ...string) webhook.WithSecret {
	t.Helper()
	if len(kinds) == 0 {
		kinds = event.Kinds
	}
	w, err := a.server.App.Webhooks.Create(t.Context(), a.ID, webhook.Input{URL: &url, Events: kinds})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Delivery stores a delivery to a webhook that has succeeded.
func (a Account) Delivery(t testing.TB, webhookID string) db.Delivery {
	t.Helper()
	e, err := event.New(a.ID, event.WebhookTest, now(), map[string]string{"webhook_id": webhookID})
	if err != nil {
		t.Fatal(err)
	}
	d := db.Delivery{AccountID: a.ID, ID: id.New(id.Delivery), WebhookID: webhookID, EventID: e.ID, State: db.DeliveryDelivered, Attempts: 1, CreatedAt: now()}
	err = a.server.DB.InTx(t.Context(), func(q *db.Queries) error {
		if err := q.InsertEvent(t.Context(), e); err != nil {
			return err
		}
		if _, err := q.InsertDelivery(t.Context(), d); err != nil {
			return err
		}
		return q.UpdateDelivery(t.Context(), d)
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Receiver takes webhooks and answers as it is told.
type Receiver struct {
	URL string

	mu     sync.Mutex
	answer func(http.ResponseWriter, *http.Request)
	got    chan Posted
}

// Posted is what a receiver got.
type Posted struct {
	Header http.Header
	Body   []byte
}

// NewReceiver starts a receiver that answers 204.
func NewReceiver(t testing.TB) *Receiver {
	t.Helper()
	r := &Receiver{got: make(chan Posted, 1000)}
	r.Answer(http.StatusNoContent)
	server := httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(server.Close)
	r.URL = server.URL + "/hook"
	return r
}

func (r *Receiver) serve(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	answer := r.answer
	r.mu.Unlock()
	answer(w, request)
	r.got <- Posted{Header: request.Header, Body: body}
}

// Answer makes the receiver answer with a status from now on.
func (r *Receiver) Answer(status int) {
	r.AnswerWith(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
}

// AnswerWith makes the receiver answer by a function from now on.
func (r *Receiver) AnswerWith(answer func(http.ResponseWriter, *http.Request)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// Next returns the next delivery.
func (r *Receiver) Next(t testing.TB) Posted {
	t.Helper()
	select {
	case p := <-r.got:
		return p
	case <-time.After(time.Minute):
		t.Fatal("in vain waited for a delivery")
		return Posted{}
	}
}

// Waiting is how many deliveries nobody has looked at.
func (r *Receiver) Waiting() int { return len(r.got) }
