package chats

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/coder/websocket"
	"github.com/go-chi/chi/v5"

	gen "parley/gen/chats"
	"parley/impl/core/chat"
	"parley/impl/core/fault"
	"parley/impl/core/key"
	"parley/impl/httpd"
)

const (
	// ticketLife is how long a ticket opens connections.
	ticketLife = time.Minute
	// frameBytesMax is the ceiling of a frame of the client.
	frameBytesMax = 256 << 10
	// textRunesMax is that of what a person says, as the operations have it.
	textRunesMax = 32_000
	// aliveEvery is how often the peer and the key are made sure of.
	aliveEvery = 20 * time.Second
	// sendTimeout bounds writing a frame.
	sendTimeout = 10 * time.Second
)

type sockets struct {
	service *chat.Service
	keys    *key.Service
}

// CreateChatTicket makes what a page connects with.
func (a sockets) CreateChatTicket(ctx context.Context, request gen.CreateChatTicketRequestObject) (gen.CreateChatTicketResponseObject, error) {
	caller := httpd.Caller(ctx)
	if _, err := a.service.Get(ctx, caller.AccountID, request.ChatID); err != nil {
		return nil, err
	}
	ends := a.service.Now().Add(ticketLife)
	text, err := a.keys.NewTicket(caller, request.ChatID, ends)
	if err != nil {
		return nil, err
	}
	return gen.CreateChatTicket200JSONResponse(gen.ChatTicket{Ticket: text, Expires: timestamp(ends)}), nil
}

// connect serves a chat's WebSocket until the client, the key, the chat or the server is gone.
func (a sockets) connect(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	caller, chatID := httpd.Caller(ctx), chi.URLParam(r, "chat_id")
	if caller.ByToken && caller.SessionID != chatID {
		return fault.New(fault.NotFound, "Chat not found")
	}
	if _, err := a.service.Get(ctx, caller.AccountID, chatID); err != nil {
		return err
	}
	// The edge has validated it; absent is 0.
	after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	conn, err := httpd.Upgrade(w, r)
	if err != nil {
		return nil //nolint:nilerr // the handshake was checked; what failed has been answered
	}
	conn.SetReadLimit(frameBytesMax)
	s := &socket{sockets: a, conn: conn, caller: caller, chatID: chatID}
	following, end := context.WithCancelCause(ctx)
	defer end(nil)
	defer context.AfterFunc(httpd.Draining(ctx), func() { end(errLeaving) })()
	// A read whose context ends cuts the connection, so that nothing more could be told: it ends with the closing.
	go func() { end(s.read(ctx)) }()
	go func() { end(s.stayAlive(following)) }()
	s.follow(following, after)
	if a.service.Stopping() {
		end(errLeaving)
	}
	s.close(context.Cause(following))
	return nil
}

var errLeaving = errors.New("the server is shutting down")

// socket is one open connection.
type socket struct {
	sockets
	conn   *websocket.Conn
	caller key.Caller
	chatID string
}

// frame is what the server sends.
type frame struct {
	Event string `json:"event"`
	Data  any    `json:"data"`
	ID    string `json:"id,omitempty"`
}

// command is what the client sends.
type command struct {
	Type    string `json:"type"`
	Message string `json:"message"`
	Content string `json:"content"` // the same, as the original server names it; message wins
}

// follow tells what happens until the chat is deleted or ctx ends.
func (s *socket) follow(ctx context.Context, after int64) {
	for e, err := range s.service.Follow(ctx, s.caller.AccountID, s.chatID, after, true) {
		if err != nil {
			s.close(err)
			return
		}
		f := frame{Event: e.Kind, Data: toAPIEvent(s.caller.AccountID, s.chatID, e)}
		if e.N > 0 {
			f.ID = strconv.FormatInt(e.N, 10)
		}
		if s.send(ctx, f) != nil {
			return
		}
	}
}

// send may be called by several goroutines: the connection writes one frame at a time.
func (s *socket) send(ctx context.Context, f frame) error {
	raw, err := json.Marshal(f)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, raw)
}

// read carries out commands until the client leaves.
func (s *socket) read(ctx context.Context) error {
	for {
		kind, raw, err := s.conn.Read(ctx)
		if err != nil {
			return err
		}
		var c command
		if kind != websocket.MessageText || json.Unmarshal(raw, &c) != nil {
			err = fault.New(fault.Invalid, "Send JSON objects with a type as text.")
		} else {
			err = s.do(ctx, c)
		}
		if errors.Is(err, key.ErrUnknown) {
			return err
		}
		if err != nil && s.send(ctx, frame{Event: "error", Data: gen.ChatsError{Detail: fault.From(err).Message}}) != nil {
			return err
		}
	}
}

// do carries a command out as whom the key is now.
func (s *socket) do(ctx context.Context, c command) error {
	caller, err := s.holder(ctx)
	if err != nil {
		return err
	}
	if !caller.May("chats:write") {
		return fault.New(fault.Forbidden, "The API key lacks the scope chats:write.")
	}
	if c.Message != "" {
		c.Content = c.Message
	}
	if len([]rune(c.Content)) > textRunesMax {
		return fault.New(fault.Invalid, "The content has at most %d characters.", textRunesMax)
	}
	switch c.Type {
	case "message":
		if c.Content == "" {
			return fault.New(fault.Invalid, "A message has a content.")
		}
		_, _, err = s.service.Send(ctx, caller, s.chatID, c.Content)
	case "input":
		_, err = s.service.Input(ctx, caller.AccountID, s.chatID, c.Content)
	case "cancel":
		_, err = s.service.Cancel(ctx, caller.AccountID, s.chatID)
	default:
		err = fault.New(fault.Invalid, "The types are message, input and cancel.")
	}
	return err
}

// holder is who is connected, as they are now: a connection lasts longer than can be taken for granted.
func (s *socket) holder(ctx context.Context) (key.Caller, error) {
	if s.caller.By == "user" {
		return httpd.Again(ctx)
	}
	return s.keys.Holder(ctx, s.caller.AccountID, s.caller.KeyID, s.caller.By == "client")
}

// stayAlive ends when the peer does not answer or the key is no longer good.
func (s *socket) stayAlive(ctx context.Context) error {
	tick := time.NewTicker(aliveEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if _, err := s.holder(ctx); fault.From(err) != nil && fault.KindOf(err) == fault.Unauthenticated {
			return err
		}
		if err := s.ping(ctx); err != nil {
			return err
		}
	}
}

func (s *socket) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return s.conn.Ping(ctx)
}

// close tells the client why. The first call counts.
func (s *socket) close(cause error) {
	var f *fault.Error
	switch {
	case errors.Is(cause, errLeaving):
		_ = s.conn.Close(websocket.StatusGoingAway, "the server is shutting down")
	case errors.Is(cause, key.ErrUnknown):
		_ = s.conn.Close(websocket.StatusPolicyViolation, "the key is no longer good")
	case errors.As(cause, &f) || cause != nil && fault.KindOf(cause) == fault.Unavailable:
		_ = s.conn.Close(websocket.StatusTryAgainLater, "connect again")
	default:
		_ = s.conn.Close(websocket.StatusNormalClosure, "")
	}
}
