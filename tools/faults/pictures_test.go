package faults

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	drawingModel = "parley-builtin-drawing"
	drawingPrice = 1_000
	// patience bounds how long a client repeats its request.
	patience = 10 * time.Minute
)

// portrait is an agent that was answered with its picture.
type portrait struct {
	ID        string `json:"id"`
	AvatarURL string `json:"avatar_url"`
}

// Many agents with pictures are asked for at once through two servers, with
// money for exactly as many, while the servers are killed in turn. Clients repeat what was
// not answered. In the end each has its agent and its picture, and each was charged once.
func TestKilledServersLoseNoPictureAndChargeNoneTwice(t *testing.T) {
	n := 60
	if long() {
		n = 500
	}
	c := newCluster(t, 2, "")
	operator := c.operator()
	a := c.tenant(t, operator, "unlimited")
	c.call(t, http.MethodPatch, "/api/v1/admin/models/"+drawingModel, operator, map[string]any{"image_micros": drawingPrice}, nil)
	c.call(t, http.MethodPost, "/api/v1/admin/accounts/"+a.ID+"/adjustments", operator, map[string]any{"amount_micros": n * drawingPrice, "reason": "pictures"}, nil)

	made, repeats := c.portraits(a.Key, n)
	ids := map[string]bool{}
	for i, p := range made {
		if p.ID == "" || p.AvatarURL == "" || ids[p.ID] {
			t.Errorf("request %d: %+v", i, p)
		}
		ids[p.ID] = true
	}
	c.checkPortraits(t, a.ID, n)
	for _, p := range made[:5] {
		c.look(t, p.AvatarURL)
	}
	t.Logf("%d agents with pictures, %d requests repeated, none lost and none charged twice", len(ids), repeats)
}

// portraits asks for n agents at once and kills the servers while they are made.
func (c *cluster) portraits(key string, n int) (made []portrait, repeats int64) {
	made = make([]portrait, n)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: n}}
	defer client.CloseIdleConnections()
	var answered, repeated atomic.Int64
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			for end := time.Now().Add(patience); time.Now().Before(end); repeated.Add(1) {
				if p, ok := c.portrait(client, key, i); ok {
					made[i] = p
					answered.Add(1)
					return
				}
				<-time.After(200 * time.Millisecond) // its server is being started again
			}
			c.t.Errorf("request %d was never answered", i)
		})
	}
	for kill := range 4 {
		eventually(c.t, "some are answered", patience, func() bool { return answered.Load() >= int64(n*kill/6+1) })
		c.kill(kill % 2)
		c.start(kill % 2)
	}
	all.Wait()
	return made, repeated.Load()
}

// portrait asks for agent i once; every time by the same Idempotency-Key.
func (c *cluster) portrait(client *http.Client, key string, i int) (portrait, bool) {
	r := c.request(http.MethodPost, i, "/api/v1/agents", key, map[string]any{
		"name": fmt.Sprintf("Agent %d", i), "appearance_prompt": fmt.Sprintf("a painter with hat %d", i), "age": 18 + i%60, "sd_model_id": drawingModel,
	})
	r.Header.Set("Idempotency-Key", fmt.Sprintf("portrait-%d", i))
	res, err := client.Do(r)
	if err != nil {
		return portrait{}, false
	}
	defer func() { _ = res.Body.Close() }()
	var p portrait
	if res.StatusCode == http.StatusCreated {
		return p, json.NewDecoder(res.Body).Decode(&p) == nil
	}
	said, _ := io.ReadAll(res.Body)
	if res.StatusCode < http.StatusInternalServerError && res.StatusCode != http.StatusConflict {
		c.t.Errorf("request %d: %d %s", i, res.StatusCode, said)
	}
	return p, false
}

// checkPortraits compares what is stored and charged with what was asked for.
func (c *cluster) checkPortraits(t *testing.T, accountID string, n int) {
	t.Helper()
	var stored struct {
		Agents  int   `db:"agents"`
		Images  int   `db:"images"`
		Others  int   `db:"others"`
		Charges int   `db:"charges"`
		Spent   int64 `db:"spent"`
		Running int   `db:"running"`
	}
	err := c.raw(t).Get(&stored, `
		select (select count(*) from agents a join images i on i.account_id = a.account_id and i.image_id = a.avatar_id and i.state = 'ready' where a.account_id = $1) as agents,
			(select count(*) from images where account_id = $1 and state = 'ready') as images,
			(select count(*) from agents where account_id = $1 and avatar_id is null) as others,
			(select count(*) from ledger where account_id = $1 and kind = 'usage' and amount_micros = $2) as charges,
			(select coalesce(sum(amount_micros), 0) from ledger where account_id = $1 and kind = 'usage')::bigint as spent,
			(select count(*) from turns where account_id = $1 and state = 'running') as running`, accountID, drawingPrice)
	if err != nil {
		t.Fatal(err)
	}
	if stored.Agents != n || stored.Images != n || stored.Others != 0 || stored.Charges != n || stored.Spent != int64(n)*drawingPrice || stored.Running != 0 {
		t.Errorf("%d asked for: %+v", n, stored)
	}
	c.checkMoney(t)
}

// look fetches a picture from a server that lives.
func (c *cluster) look(t *testing.T, address string) {
	t.Helper()
	at := len("http://")
	for at < len(address) && address[at] != '/' {
		at++
	}
	res, err := c.http.Get(c.url(0) + address[at:])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if raw, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK || len(raw) < 1000 {
		t.Errorf("%s: %d, %d bytes, %v", address, res.StatusCode, len(raw), err)
	}
}
