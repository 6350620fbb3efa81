package apitest_test

import (
	"net/http"
	"strings"
	"testing"

	"parley/impl/testkit"
)

// An app's export holds its chats and no others; its erasure leaves neither their words nor their rows.
func TestChatsAreExportedAndForgottenWithTheirApp(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	said, kept := testkit.Canary(), testkit.Canary()
	neighbour := x.Key(t)
	mine := x.chatOf(t, testkit.Asking)
	x.say(t, mine, said).Want(t, http.StatusOK)
	var other struct{ ID string }
	x.server.Do(t, testkit.Request{Path: "/chats", Key: neighbour.Text, Body: object{"name": "Another", "from_flow": x.flowOf(t, testkit.Asking)}}).Want(t, http.StatusOK).JSON(t, &other)
	x.server.Do(t, testkit.Request{Path: "/chats/" + other.ID + "/messages", Key: neighbour.Text, Body: object{"message": kept}}).Want(t, http.StatusOK)
	order := object{"scope": "app", "subject": x.key.AppID}
	_, files := x.export(t, order)
	if got := files["chat_messages.jsonl"]; !strings.Contains(got, said) || strings.Contains(got, kept) || strings.Count(files["chats.jsonl"], "\n") != 1 {
		t.Errorf("the app's export has %v", files)
	}
	x.erase(t, order)
	if tables := tablesWith(t, x.server, said); len(tables) > 0 {
		t.Errorf("left in %v", tables)
	}
	x.server.Do(t, testkit.Request{Path: "/chats/" + mine, Key: neighbour.Text}).Want(t, http.StatusNotFound)
	x.server.Do(t, testkit.Request{Path: "/chats/" + other.ID, Key: neighbour.Text}).Want(t, http.StatusOK)
}
