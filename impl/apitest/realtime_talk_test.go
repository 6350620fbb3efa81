package apitest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// talk is a realtime connection of a test.
type talk struct {
	t    *testing.T
	conn *websocket.Conn
	seen []object // every event of the server, in order
}

// talkTo connects with the tenant's key; header and query may say more.
func (x tenant) talkTo(t *testing.T, query string, header http.Header, protocols ...string) *talk {
	t.Helper()
	if header == nil {
		header = http.Header{}
	}
	if header.Get("Authorization") == "" && len(protocols) == 0 {
		header.Set("Authorization", "Bearer "+x.key.Text)
	}
	c, _, err := websocket.Dial(t.Context(), x.server.URL+"/v1/realtime?"+query, &websocket.DialOptions{ //nolint:bodyclose // the socket is the body
		HTTPClient: x.server.HTTP(t), HTTPHeader: header, Subprotocols: protocols,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(8 << 20)
	t.Cleanup(func() { _ = c.CloseNow() }) // closed already, or not worth a word
	return &talk{t: t, conn: c}
}

// inBeta asks for the beta's shape.
func inBeta() http.Header { return http.Header{"Openai-Beta": {"realtime=v1"}} }

// say sends an event as JSON.
func (k *talk) say(event string) {
	k.t.Helper()
	if err := k.conn.Write(k.t.Context(), websocket.MessageText, []byte(event)); err != nil {
		k.t.Fatal(err)
	}
}

// hear reads events up to one of the type and returns it.
func (k *talk) hear(kind string) object {
	k.t.Helper()
	for {
		_, raw, err := k.conn.Read(k.t.Context())
		if err != nil {
			k.t.Fatalf("while waiting for %s: %v; heard %s", kind, err, k.kinds())
		}
		var e object
		if err := json.Unmarshal(raw, &e); err != nil {
			k.t.Fatal(err)
		}
		k.seen = append(k.seen, e)
		if e["type"] == kind {
			return e
		}
		if e["type"] == "error" {
			k.t.Fatalf("while waiting for %s: %s", kind, raw)
		}
	}
}

func (k *talk) kinds() string {
	var kinds []string
	for _, e := range k.seen {
		kinds = append(kinds, fmt.Sprint(e["type"]))
	}
	return strings.Join(kinds, " ")
}

// mistake sends an event and returns the error that answers it; everything before it is skipped.
func (k *talk) mistake(event string) object {
	k.t.Helper()
	k.say(event)
	return k.hear("error")["error"].(object)
}

// in returns a member deep inside an event.
func in(value any, path ...any) any {
	for _, step := range path {
		switch s := step.(type) {
		case string:
			members, _ := value.(object)
			value = members[s]
		case int:
			items, _ := value.([]any)
			if s >= len(items) {
				return nil
			}
			value = items[s]
		}
	}
	return value
}

func userSays(text string) string {
	return `{"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"input_text","text":"` + text + `"}]}}`
}

// ask says something and returns the answer's last event.
func (k *talk) ask(text string) object {
	k.t.Helper()
	k.say(userSays(text))
	k.say(`{"type":"response.create"}`)
	return k.hear("response.done")
}

func (k *talk) sessionID() string {
	k.t.Helper()
	created := k.hear("session.created")
	k.hear("conversation.created")
	return in(created, "session", "id").(string)
}
