package apitest_test

import (
	"net/http"
	"testing"

	"parley/gen/client/chats"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// Who sends a message may wait for what comes of it; the answer tells where the chat stood.
func TestAMessageMayWaitForTheEndOfItsRun(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t, providertest.SSE("Done"), providertest.SSE("Tell me more"), providertest.Hang())
	send := func(id, wait string) chats.ChatMessageSent {
		t.Helper()
		var sent chats.ChatMessageSent
		x.do(t, testkit.Request{Path: "/chats/" + id + "/messages?wait=" + wait, Body: `{"message":"Begin"}`}).Want(t, http.StatusOK).JSON(t, &sent)
		if sent.Content != "Begin" || sent.Chat != id || sent.Run != 1 {
			t.Errorf("sent %+v", sent)
		}
		return sent
	}
	ends, asks, lasts := x.chatOf(t, duet(1)), x.chatOf(t, triage), x.chatOf(t, duet(1))
	if got := send(ends, "60").Status; got != "completed" {
		t.Errorf("after its end: %s", got)
	}
	if got := send(asks, "60").Status; got != "wait_for_human_input" {
		t.Errorf("when it asks: %s", got)
	}
	if got := send(lasts, "1").Status; got != "running" {
		t.Errorf("when time is up: %s", got)
	}
	if got := x.texts(t, lasts); len(got) != 1 {
		t.Errorf("stored %q", got)
	}
	x.do(t, testkit.Request{Path: "/chats/" + lasts + "/messages?wait=61", Body: `{"message":"Begin"}`}).Want(t, http.StatusUnprocessableEntity)
	x.do(t, testkit.Request{Method: http.MethodPost, Path: "/chats/" + lasts + "/abort"}).Want(t, http.StatusOK)
}

// The message is stored under its key before the wait, or the run that is waited for could not begin.
func TestAMessageWithAKeyMayWaitToo(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t, providertest.SSE("Done"))
	r := keyed(testkit.Request{Path: "/chats/" + x.chatOf(t, duet(1)) + "/messages?wait=60", Body: `{"message":"Begin"}`}, "once")
	var sent, again chats.ChatMessageSent
	x.do(t, r).Want(t, http.StatusOK).JSON(t, &sent)
	if sent.Status != "completed" || sent.Content != "Begin" {
		t.Errorf("sent %+v", sent)
	}
	repeated := x.do(t, r).Want(t, http.StatusOK)
	wantHeader(t, repeated, "Idempotency-Replayed", "true")
	if repeated.JSON(t, &again); again.ID != sent.ID || again.Status != "running" {
		t.Errorf("repeated %+v", again)
	}
}
