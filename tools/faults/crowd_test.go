package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"
)

// newCrowd stands before an upstream and lets no request for an answer through until so many wait at once.
func newCrowd(t *testing.T, upstream string, many int) string {
	t.Helper()
	to, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	to.Path = ""
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.FlushInterval = -1
	var mu sync.Mutex
	here, full := 0, make(chan struct{})
	server := httptest.NewServer(passing(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			mu.Lock()
			if here++; here == many {
				close(full)
			}
			mu.Unlock()
			select {
			case <-full:
			case <-r.Context().Done():
				return
			}
		}
		proxy.ServeHTTP(w, r)
	})))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL + "/v1"
}

// Two hundred chats run at the same time on two servers: no model answers before
// all of them have asked. Each ends with exactly its own messages.
func TestManyChatsRunAtOnceOnTwoServers(t *testing.T) {
	const many = 200
	c := newCluster(t, 2, newCrowd(t, newChatUpstream(t, time.Millisecond), many))
	c.price(1_000)
	a := c.account("unlimited", 1_000_000_000)
	x := &table{cluster: c, key: a.Key}
	noted := newNotes(t)
	var flow, tool struct{ ID string }
	c.call(t, http.MethodPost, "/tools", a.Key, map[string]any{"name": "note", "http": map[string]any{
		"method": "GET", "url": noted.url, "parameters": map[string]any{"type": "object", "properties": map[string]any{"step": map[string]any{"type": "string"}}},
	}}, &tool)
	c.call(t, http.MethodPost, "/flows", a.Key, map[string]any{"name": "Three", "flow": json.RawMessage(fmt.Sprintf(threeAgents, tool.ID))}, &flow)
	x.flow = flow.ID
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() { x.begin(t, i%2) })
	}
	all.Wait()
	x.check(t, a.ID)
	noted.check(t, many, 0)
	var servers int
	if err := x.raw(t).Get(&servers, `select count(distinct owner) from turns where account_id = $1`, a.ID); err != nil || servers != 2 {
		t.Errorf("%d servers took part, %v", servers, err)
	}
}
