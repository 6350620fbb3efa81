package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// volley sends n requests at once, spread over the servers, and counts their
// statuses. What a server says that fails goes to the test's log.
func (c *cluster) volley(n int, request func(i int) *http.Request) map[int]int {
	var mu sync.Mutex
	statuses, failures := map[int]int{}, map[string]int{}
	var all sync.WaitGroup
	ready := make(chan struct{})
	for i := range n {
		all.Go(func() {
			r := request(i)
			<-ready
			res, err := c.http.Do(r)
			status, said := 0, fmt.Sprint(err)
			if err == nil {
				body, _ := io.ReadAll(res.Body)
				status, said = res.StatusCode, string(body)
				_ = res.Body.Close()
			}
			mu.Lock()
			defer mu.Unlock()
			if statuses[status]++; status == 0 || status >= http.StatusInternalServerError {
				failures[said]++
			}
		})
	}
	close(ready)
	all.Wait()
	for said, times := range failures {
		c.t.Logf("%d times: %s", times, said)
	}
	return statuses
}

// request is one to server i with a key.
func (c *cluster) request(method string, i int, path, key string, body any) *http.Request {
	raw, err := json.Marshal(body)
	if err != nil {
		c.t.Error(err)
	}
	r, err := http.NewRequest(method, c.url(i)+path, bytes.NewReader(raw))
	if err != nil {
		c.t.Error(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// Money for k calls, many more at once through three servers: at least one is
// paid, never more than k, and the book balances. What is refused is refused
// with 402; what was held and not spent can be spent by who asks next.
func TestNobodySpendsMoreThanTheyHave(t *testing.T) {
	trials, seed := 12, seed(t)
	if long() {
		trials = 1_000
	}
	c := newCluster(t, 3, newUpstream(t, 0))
	c.price(1_000_000) // a unit for 1,000 tokens, so that a call is a large part of the balance
	operator := c.operator()
	for trial := range trials {
		k, at := 1+int(seed>>(trial%32))%9, 64
		if trial%6 == 5 {
			at = 256
		}
		c.besiege(t, operator, k, at)
	}
	c.checkMoney(t)
}

// operator is a key that may rule the server.
func (c *cluster) operator() string {
	c.t.Helper()
	var made struct{ Key string }
	c.command(&made, "keys", "create", "--name", "operator", "--plan", "unlimited", "--scopes", "operator,admin")
	return made.Key
}

// callTokens bounds the answer of a besieging call, and with it the hold.
const callTokens = 100

func (c *cluster) besiege(t *testing.T, operator string, k, at int) {
	t.Helper()
	a := c.tenant(t, operator, "unlimited")
	hold := c.holdOf(t, operator)
	c.call(t, http.MethodPost, "/api/v1/admin/accounts/"+a.ID+"/adjustments", operator,
		map[string]any{"amount_micros": int64(k) * hold, "reason": "siege"}, nil)
	statuses := c.volley(at, func(i int) *http.Request {
		return c.request(http.MethodPost, i, "/v1/chat/completions", a.Key, completion(i))
	})
	paid, refused := statuses[http.StatusOK], statuses[http.StatusTooManyRequests]
	if paid+refused != at || paid < 1 {
		t.Errorf("money for %d holds, %d calls at once: %v", k, at, statuses)
	}
	var own struct {
		Granted int64 `json:"granted_micros"`
		Balance int64 `json:"balance_micros"`
		Held    int64 `json:"held_micros"`
		Spent   int64 `json:"spent_micros"`
	}
	c.call(t, http.MethodGet, "/api/v1/admin/accounts/"+a.ID, operator, nil, &own)
	if own.Balance < 0 || own.Held != 0 || own.Spent > own.Granted || own.Balance+own.Spent != own.Granted {
		t.Errorf("after the siege: %+v", own)
	}
}

func completion(i int) map[string]any {
	return map[string]any{"model": "faulty", "max_tokens": callTokens,
		"messages": []map[string]string{{"role": "user", "content": fmt.Sprintf("question %d", i%10)}}}
}

// holdOf is what one call holds, as the smallest balance that admits it tells.
func (c *cluster) holdOf(t *testing.T, operator string) int64 {
	t.Helper()
	c.measured.Do(func() {
		low, high := int64(1), int64(1_000_000_000)
		for low < high {
			a := c.tenant(t, operator, "unlimited")
			middle := (low + high) / 2
			c.call(t, http.MethodPost, "/api/v1/admin/accounts/"+a.ID+"/adjustments", operator,
				map[string]any{"amount_micros": middle, "reason": "measure"}, nil)
			statuses := c.volley(1, func(i int) *http.Request {
				return c.request(http.MethodPost, i, "/v1/chat/completions", a.Key, completion(i))
			})
			if statuses[http.StatusOK] == 1 {
				high = middle
			} else {
				low = middle + 1
			}
		}
		c.hold = low
	})
	return c.hold
}

// tenant makes an account with a key through the API.
func (c *cluster) tenant(t *testing.T, operator, plan string) account {
	t.Helper()
	var a account
	c.call(t, http.MethodPost, "/api/v1/admin/accounts", operator, map[string]any{"name": "siege", "plan": plan}, &a)
	var made struct{ ID, Key string }
	c.call(t, http.MethodPost, "/api/v1/admin/accounts/"+a.ID+"/keys", operator, map[string]any{"name": "siege", "scopes": []string{"admin"}}, &made)
	a.Key, a.KeyID = made.Key, made.ID
	return a
}

// call sends a request that must succeed and reads its answer.
func (c *cluster) call(t *testing.T, method, path, key string, body, into any) {
	t.Helper()
	res, err := c.http.Do(c.request(method, 0, path, key, body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode >= 300 {
		t.Fatalf("%s %s: status %d", method, path, res.StatusCode)
	}
	if into != nil {
		if err := json.NewDecoder(res.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
}

// A burst through three servers at once is admitted up to the plan's limit
// exactly. The long form goes on over the edges of many windows.
func TestTheLimitHoldsOverAllServers(t *testing.T) {
	c := newCluster(t, 3, "")
	operator := c.operator()
	for range 5 {
		a := c.tenant(t, operator, "pro")
		statuses := c.volley(300, func(i int) *http.Request { return c.request(http.MethodGet, i, "/api/v1/agents", a.Key, nil) })
		if statuses[http.StatusOK] != 100 || statuses[http.StatusTooManyRequests] != 200 {
			t.Errorf("300 requests at once on a plan of 100: %v", statuses)
		}
	}
	if long() {
		c.overWindows(t, c.tenant(t, operator, "pro"))
	}
}

// overWindows offers twice the limit for four minutes: no sliding minute admits
// more than the limit, and nearly all of it is used.
func (c *cluster) overWindows(t *testing.T, a account) {
	t.Helper()
	const limit, offered = 100, 4 * 60 * 1000 / 300
	var mu sync.Mutex
	var admitted []time.Time
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for i := range offered {
		<-tick.C
		before := time.Now()
		statuses := c.volley(2, func(j int) *http.Request { return c.request(http.MethodGet, i+j, "/api/v1/agents", a.Key, nil) })
		mu.Lock()
		admitted = append(admitted, slices.Repeat([]time.Time{before}, statuses[http.StatusOK])...)
		mu.Unlock()
	}
	for i := limit; i < len(admitted); i++ {
		// Times are taken before sending, so two admissions may seem a little closer than the server saw them.
		if apart := admitted[i].Sub(admitted[i-limit]); apart < time.Minute-time.Second {
			t.Errorf("%d admissions within %v", limit+1, apart)
		}
	}
	if want := 4 * limit * 98 / 100; len(admitted) < want {
		t.Errorf("%d admitted in four minutes, want at least %d", len(admitted), want)
	}
}

// A revocation holds on every server when it is answered.
func TestARevokedKeyIsRefusedByEveryServer(t *testing.T) {
	rounds := 20
	if long() {
		rounds = 500
	}
	c := newCluster(t, 3, "")
	operator := c.operator()
	var late atomic.Int64
	for round := range rounds {
		a := c.tenant(t, operator, "unlimited")
		for i := range c.servers {
			if statuses := c.volley(1, func(int) *http.Request { return c.request(http.MethodGet, i, "/api/v1/agents", a.Key, nil) }); statuses[http.StatusOK] != 1 {
				t.Fatalf("a good key gets %v", statuses)
			}
		}
		if round%2 == 0 {
			c.call(t, http.MethodDelete, "/api/v1/keys/"+a.KeyID, a.Key, nil, nil)
		} else {
			c.call(t, http.MethodPatch, "/api/v1/keys/"+a.KeyID, a.Key, map[string]any{"status": "inactive"}, nil)
		}
		statuses := c.volley(9, func(i int) *http.Request { return c.request(http.MethodGet, i, "/api/v1/agents", a.Key, nil) })
		late.Add(int64(9 - statuses[http.StatusUnauthorized]))
	}
	if late.Load() != 0 {
		t.Errorf("%d requests with a revoked key were not refused", late.Load())
	}
}
