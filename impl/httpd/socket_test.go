package httpd

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coder/websocket"
	"github.com/go-chi/chi/v5"

	"parley/impl/core/key"
)

const socketDocument = `{"openapi": "3.0.3", "info": {"title": "t", "version": "1"},
"security": [{"bearerKey": []}, {"protocolKey": []}],
"components": {"securitySchemes": {"bearerKey": {"type": "http", "scheme": "bearer"},
  "protocolKey": {"type": "apiKey", "in": "header", "name": "Sec-WebSocket-Protocol", "x-key-prefix": "key."}}},
"paths": {"/talk": {"get": {"operationId": "talk", "tags": ["openai"], "x-websocket": true, "x-required-scopes": ["openai:write"],
  "parameters": [{"name": "model", "in": "query", "required": true, "schema": {"type": "string"}}],
  "responses": {"101": {"description": "x"}}}}}}`

// socketServer serves one WebSocket that says back what it hears, until the server drains.
func socketServer(t *testing.T) (*Edge, *httptest.Server) {
	t.Helper()
	serve := func(ctx context.Context, c *websocket.Conn) {
		defer func() { _ = c.CloseNow() }() // after the handshake of closing, if there was one
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			select {
			case <-Draining(ctx).Done():
				_ = c.Close(websocket.StatusGoingAway, "") // the reader below sees it
			case <-ctx.Done():
			}
		}()
		for {
			kind, data, err := c.Read(ctx)
			if string(data) == "panic" {
				panic("as was asked")
			}
			if err != nil || c.Write(ctx, kind, data) != nil {
				return
			}
		}
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Stays") != "" {
			c, err := Upgrade(w, r, "talk")
			if err == nil {
				serve(r.Context(), c)
			}
			return
		}
		Detach(w, r, serve, "talk")
	}
	doc, err := LoadDocument([]byte(socketDocument))
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(Config{
		Document: doc, Limits: unlimited(), Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Fallback: jsonFault,
		Keys: oneKey{key.Caller{AccountID: "acct_1", KeyID: "key_1", Kind: key.Secret, Scopes: key.SurfaceScopes, Origins: []string{"https://good.example"}}},
		Surfaces: []Surface{{Name: "openai", Fault: jsonFault, Mount: func(r chi.Router, _ func(http.ResponseWriter, *http.Request, error)) {
			r.Get("/talk", handler)
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return e, server
}

func TestSocketPassesTheGates(t *testing.T) {
	e, _ := socketServer(t)
	shake := []string{"Connection", "keep-alive, Upgrade", "Upgrade", "websocket", "Sec-Websocket-Version", "13", "Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
	with := func(more ...string) []string { return append(append([]string{}, shake...), more...) }
	cases := []struct {
		name, target string
		headers      []string
		want         int
	}{
		{"no key", "/talk?model=m", with("Authorization", ""), http.StatusUnauthorized},
		{"a wrong key among the protocols", "/talk?model=m", with("Authorization", "", "Sec-Websocket-Protocol", "talk, key.other"), http.StatusUnauthorized},
		{"two different keys", "/talk?model=m", with("Sec-Websocket-Protocol", "talk, key.other"), http.StatusUnauthorized},
		{"another origin", "/talk?model=m", with("Origin", "https://evil.example"), http.StatusForbidden},
		{"no model", "/talk", shake, http.StatusBadRequest},
		{"no handshake", "/talk?model=m", nil, http.StatusUpgradeRequired},
		{"an older version", "/talk?model=m", with("Sec-Websocket-Version", "8"), http.StatusUpgradeRequired},
		{"a short key", "/talk?model=m", with("Sec-Websocket-Key", "c2hvcnQ="), http.StatusBadRequest},
	}
	for _, c := range cases {
		w := send(e, http.MethodGet, c.target, "", c.headers...)
		if w.Code != c.want {
			t.Errorf("%s: status %d, want %d: %s", c.name, w.Code, c.want, w.Body)
		}
		if c.want == http.StatusUpgradeRequired && (w.Header().Get("Upgrade") != "websocket" || w.Header().Get("Sec-WebSocket-Version") != "13") {
			t.Errorf("%s: the answer does not say to what to upgrade: %v", c.name, w.Header())
		}
	}
}

// dialTalk connects with the key among the subprotocols.
func dialTalk(t *testing.T, server *httptest.Server, stays string) *websocket.Conn {
	t.Helper()
	c, res, err := websocket.Dial(t.Context(), server.URL+"/talk?model=m", &websocket.DialOptions{ //nolint:bodyclose // the socket is the body
		Subprotocols: []string{"key." + goodKey, "talk"}, HTTPHeader: http.Header{"Origin": {"https://good.example"}, "X-Stays": {stays}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.CloseNow() }) // closed already, or not worth a word
	if c.Subprotocol() != "talk" || res.Header.Get("X-RateLimit-Limit") == "" {
		t.Errorf("chose %q; headers %v", c.Subprotocol(), res.Header)
	}
	return c
}

func TestSocketTakesItsKeyFromTheProtocolsAndNeverChoosesIt(t *testing.T) {
	e, server := socketServer(t)
	detached, staying := dialTalk(t, server, ""), dialTalk(t, server, "true")
	for _, c := range []*websocket.Conn{detached, staying} {
		if err := c.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, data, err := c.Read(t.Context()); err != nil || string(data) != "hello" {
			t.Fatalf("%s, %v", data, err)
		}
	}
	drained := make(chan struct{})
	go func() { e.Drain(t.Context()); close(drained) }()
	for _, c := range []*websocket.Conn{detached, staying} {
		if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("a drained server ends the socket with %v", err)
		}
	}
	<-drained
	if w := send(e, http.MethodGet, "/talk?model=m", "", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-Websocket-Version", "13",
		"Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a drained server answers %d", w.Code)
	}
}

func TestAPanicEndsItsSocketAlone(t *testing.T) {
	_, server := socketServer(t)
	c, other := dialTalk(t, server, ""), dialTalk(t, server, "")
	if err := c.Write(t.Context(), websocket.MessageText, []byte("panic")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(t.Context()); err == nil {
		t.Error("the socket goes on")
	}
	if err := other.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, data, err := other.Read(t.Context()); err != nil || string(data) != "hello" {
		t.Errorf("%s, %v", data, err)
	}
}
