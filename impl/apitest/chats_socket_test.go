package apitest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley/gen/client/chats"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// chatSocket is a test's end of a chat's WebSocket.
type chatSocket struct {
	t    *testing.T
	conn *websocket.Conn
}

// heard is an event on it.
type heard struct {
	Event, ID string
	Data      struct{ Status, Content, Detail, Sender, Prompt string }
}

// dial connects to a chat. The key goes into the header, unless the query has a ticket.
func (x tenant) dial(t *testing.T, chatID, query string) chatSocket {
	t.Helper()
	header := http.Header{}
	if !strings.Contains(query, "ticket=") {
		header.Set("X-API-KEY", x.key.Text)
	}
	conn, _, err := websocket.Dial(t.Context(), x.server.URL+"/v1/chats/"+chatID+"/ws"+query, &websocket.DialOptions{HTTPHeader: header}) //nolint:bodyclose // the library closes it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return chatSocket{t, conn}
}

func (c chatSocket) send(text string) {
	c.t.Helper()
	if err := c.conn.Write(c.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// until reads up to an event of a name whose data has a text, and returns it.
func (c chatSocket) until(event, text string) heard {
	c.t.Helper()
	for {
		_, raw, err := c.conn.Read(c.t.Context())
		if err != nil {
			c.t.Fatalf("no %s with %q: %v", event, text, err)
		}
		var h heard
		if err := json.Unmarshal(raw, &h); err != nil {
			c.t.Fatalf("%s: %v", raw, err)
		}
		if h.Event == event && strings.Contains(string(raw), text) {
			return h
		}
	}
}

func TestAChatIsHeldOverAWebSocket(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t, providertest.SSE("How ", "urgent?"), providertest.Hang())
	id := x.chatOf(t, triage)
	c := x.dial(t, id, "")
	c.send(`{"type":"input","content":"too early"}`)
	if h := c.until("error", ""); !strings.Contains(h.Data.Detail, "does not wait") {
		t.Errorf("refused with %+v", h)
	}
	for _, wrong := range []string{`{"type":"shout"}`, `[]`, `{"type":"message"}`, `{"type":"input","content":"` + strings.Repeat("a", 32_001) + `"}`} {
		c.send(wrong)
		c.until("error", "")
	}
	c.send(`{"type":"message","content":"My parcel is lost."}`)
	c.until("message", "parcel")
	c.until("status", "running")
	c.until("speaking", "Triage")
	c.until("message", "How urgent?")
	waiting := c.until("status", "wait_for_human_input")
	if waiting.Data.Prompt == "" || waiting.ID == "" {
		t.Errorf("waiting %+v", waiting)
	}
	second := x.dial(t, id, "?after="+waiting.ID)
	c.send(`{"type":"input","content":"Very."}`)
	second.until("message", "Very.")
	second.until("status", "running")
	second.send(`{"type":"cancel"}`)
	c.until("status", "cancelled")
	second.until("status", "completed")
	if err := c.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
}

func TestPagesConnectWithTickets(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	id, other := x.chatOf(t, testkit.Asking), x.chatOf(t, testkit.Asking)
	var made chats.ChatTicket
	x.do(t, testkit.Request{Method: http.MethodPost, Path: "/chats/" + id + "/tickets"}).Want(t, http.StatusOK).JSON(t, &made)
	c := x.dial(t, id, "?ticket="+made.Ticket)
	c.send(`{"type":"message","content":"Begin"}`)
	c.until("status", "wait_for_human_input")
	if got := x.server.Do(t, testkit.Request{Path: "/chats/" + other + "/ws?ticket=" + made.Ticket, Header: handshake()}); got.Status != http.StatusNotFound {
		t.Errorf("the ticket of another chat: %d", got.Status)
	}
	for _, path := range []string{"/chats/" + id + "/messages", "/chats/" + id + "/input"} {
		x.server.Do(t, testkit.Request{Path: path, Body: `{"message":"Hi"}`, Key: made.Ticket}).Want(t, http.StatusForbidden)
	}
	x.server.Do(t, testkit.Request{Path: "/chats", Key: made.Ticket}).Want(t, http.StatusForbidden)
	x.server.Do(t, testkit.Request{Method: http.MethodPost, Path: "/chats/" + id + "/tickets", Key: made.Ticket}).Want(t, http.StatusForbidden)
	forged := made.Ticket[:len(made.Ticket)-1] + "_"
	x.server.Do(t, testkit.Request{Path: "/chats/" + id + "/ws?ticket=" + forged, Header: handshake()}).Want(t, http.StatusUnauthorized)
	x.Revoke(t, x.key.ID)
	x.server.Do(t, testkit.Request{Path: "/chats/" + id + "/ws?ticket=" + made.Ticket, Header: handshake()}).Want(t, http.StatusUnauthorized)
	c.send(`{"type":"input","content":"Hi"}`)
	if _, _, err := c.conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("with a revoked key the connection ends with %v", err)
	}
}

func TestWhatIsNoHandshakeIsToldSo(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	path := "/chats/" + x.id(t, "chat_id") + "/ws"
	x.do(t, testkit.Request{Path: path}).Want(t, http.StatusUpgradeRequired)
	wrong := handshake()
	wrong["Sec-WebSocket-Key"] = "short"
	x.do(t, testkit.Request{Path: path, Header: wrong}).Want(t, http.StatusBadRequest)
	x.do(t, testkit.Request{Path: "/chats/none/ws", Header: handshake()}).Want(t, http.StatusNotFound)
}

// A server that stops ends its connections with a word, and a chat that is deleted those to it.
func TestWebSocketsOfChatsEndWithAReason(t *testing.T) {
	t.Parallel()
	s := testkit.New(t)
	x := tenantOf(t, s, testkit.Unlimited, plenty)
	gone, kept := x.chatOf(t, testkit.Asking), x.chatOf(t, testkit.Asking)
	deleted, stopped := x.dial(t, gone, ""), x.dial(t, kept, "")
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: "/chats/" + gone}).Want(t, http.StatusOK)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, _, err := deleted.conn.Read(ctx); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("of a deleted chat: %v", err)
	}
	s.Shutdown()
	if _, _, err := stopped.conn.Read(ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("of a server that stops: %v", err)
	}
}
