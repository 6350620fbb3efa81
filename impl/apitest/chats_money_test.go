package apitest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"parley/impl/core/provider/providertest"
	"parley/impl/core/user"
	"parley/impl/testkit"
)

// A run without money, or whose key is gone, ends with a reason.
func TestRunsThatCannotBePaidTellWhy(t *testing.T) {
	t.Parallel()
	x := tenantOf(t, testkit.Shared(t), testkit.Unlimited, 0)
	x.Upstream(t, providertest.SSE("Hi"))
	x.Price(t, testkit.UpstreamModel, 1_000_000, 1_000_000)
	id := x.chatOf(t, duet(1))
	x.say(t, id, "Begin").Want(t, http.StatusOK)
	if c := x.chatIs(t, id, "error"); c.Reason == nil || *c.Reason != "Insufficient account balance" {
		t.Errorf("chat %+v", c)
	}
	waiting := x.WaitingChat(t, x.flowOf(t, triage2), x.id(t, "key_id")).ID
	x.Revoke(t, x.id(t, "key_id"))
	x.input(t, waiting, "Go on").Want(t, http.StatusOK)
	if c := x.chatIs(t, waiting, "error"); c.Reason == nil || !strings.Contains(*c.Reason, "key that pays") {
		t.Errorf("chat %+v", c)
	}
}

// triage2 asks the person first.
var triage2 = fmt.Sprintf(`{"nodes":[{"id":"a","type":"assistant","data":{"name":"Triage","model":%q}},{"id":"p","type":"user","data":{"name":"Me"}}],
	"edges":[{"source":"a","target":"p"}]}`, testkit.UpstreamModel)

// A person who signed in may run flows at the account's expense, for as long as they are active.
func TestPeoplesRunsEndWithThem(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	member := x.prepare(t).member
	r := testkit.Request{Path: "/chats/" + x.id(t, "chat_id") + "/messages", Body: `{"message":"Hi"}`, Key: member.Session}
	x.server.Do(t, r).Want(t, http.StatusOK)
	x.Upstream(t, providertest.SSE("Hi"))
	waiting := x.chatOf(t, triage2)
	x.server.Do(t, testkit.Request{Path: "/chats/" + waiting + "/messages", Body: `{"message":"Hi"}`, Key: member.Session}).Want(t, http.StatusOK)
	x.chatIs(t, waiting, "wait_for_human_input")
	off := false
	if _, err := x.server.App.Users.Update(t.Context(), x.ID, nil, member.ID, user.UpdateInput{Active: &off}); err != nil {
		t.Fatal(err)
	}
	x.input(t, waiting, "Go on").Want(t, http.StatusOK)
	if c := x.chatIs(t, waiting, "error"); c.Reason == nil || !strings.Contains(*c.Reason, "pays") {
		t.Errorf("chat %+v", c)
	}
}
