package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// takenOverWithin is how long after its server's death a run may stand still.
const takenOverWithin = 10 * time.Second

// newPatientUpstream begins answers and goes on with none before it is released; it tells of each that it is asked for.
func newPatientUpstream(t *testing.T) (url string, asked <-chan struct{}, release func()) {
	t.Helper()
	told, released := make(chan struct{}, 100), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"object":"list","data":[{"id":"faulty","object":"model"}]}`)
	})
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		said, _ := json.Marshal(chunk(map[string]any{"content": "Done"}, nil))
		fmt.Fprintf(w, "data: %s\n\n", said)
		_ = http.NewResponseController(w).Flush()
		told <- struct{}{}
		select {
		case <-released:
		case <-r.Context().Done():
			return
		}
		end, _ := json.Marshal(chunk(map[string]any{}, "stop"))
		fmt.Fprintf(w, "data: %s\n\ndata: [DONE]\n\n", end)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL + "/v1", told, func() { close(released) }
}

// A run whose server is killed while a model answers goes on, on another server,
// within ten seconds. A machine that is busy with others gets as much longer as
// it was seen to answer late meanwhile.
func TestAKilledServersRunGoesOnElsewhere(t *testing.T) {
	upstream, asked, release := newPatientUpstream(t)
	c := newCluster(t, 1, upstream)
	c.price(1_000)
	a := c.account("unlimited", 1_000_000_000)
	var flow, made struct{ ID string }
	c.call(t, http.MethodPost, "/flows", a.Key, map[string]any{"name": "One", "flow": json.RawMessage(
		`{"nodes":[{"id":"a","type":"assistant","data":{"name":"Ann"}}],"edges":[]}`)}, &flow)
	c.call(t, http.MethodPost, "/chats", a.Key, map[string]any{"name": "A chat", "from_flow": flow.ID}, &made)
	c.call(t, http.MethodPost, "/chats/"+made.ID+"/messages", a.Key, map[string]any{"message": "Begin"}, nil)
	select {
	case <-asked:
	case <-time.After(time.Minute):
		t.Fatal("the run never begins")
	}
	for i := range 3 {
		c.servers = append(c.servers, nil)
		c.start(i + 1)
		c.kill(i)
		took, late := c.until(t, i+1, a.Key, asked)
		t.Logf("it goes on %v after the kill, on a machine that answers up to %v late", took.Round(time.Millisecond), late.Round(time.Millisecond))
		if took > takenOverWithin+3*late {
			t.Errorf("it stood still for %v", took)
		}
	}
	release()
	raw := c.raw(t)
	eventually(t, "the run ends", time.Minute, func() bool {
		var status string
		if err := raw.Get(&status, `select status from chats where account_id = $1 and chat_id = $2`, a.ID, made.ID); err != nil {
			t.Fatal(err)
		}
		return status == "completed"
	})
	var states []string
	if err := raw.Select(&states, `select state from turns where account_id = $1 order by created_at`, a.ID); err != nil || fmt.Sprint(states) != "[failed failed failed completed]" {
		t.Errorf("turns %v, %v", states, err)
	}
	c.checkMoney(t)
}

// until waits for a signal, and tells how long that took and how long server i took at most to answer meanwhile.
func (c *cluster) until(t *testing.T, i int, key string, signal <-chan struct{}) (took, late time.Duration) {
	t.Helper()
	began := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for time.Since(began) < time.Minute {
		select {
		case <-signal:
			return time.Since(began), late
		case <-tick.C:
		}
		sent := time.Now()
		c.volley(1, func(int) *http.Request { return c.request(http.MethodGet, i, "/v1/models", key, nil) })
		late = max(late, time.Since(sent))
	}
	t.Fatal("it stands still for a minute")
	return 0, 0
}
