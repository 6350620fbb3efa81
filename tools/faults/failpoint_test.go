package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/impl/core/failpoint"
)

// A server dies at every place between two writes. Whatever it was doing, a
// client that asks again with the same Idempotency-Key gets one answer, paid
// once, or is told that it failed; creations are made once; webhooks hear of
// every answer; a turn that was being taken over is taken over again.
func TestAServerMayDieAnywhere(t *testing.T) {
	armed := buildWithFailpoints(t)
	c := newCluster(t, 1, newUpstream(t, 30*time.Millisecond))
	c.price(1_000)
	a := c.account("unlimited", 1_000_000_000)
	admin := c.admin(a)
	heard := c.webhook(t, admin)
	d := &driver{cluster: c, key: a.Key, admin: admin}
	c.servers = append(c.servers, make([]*process, len(failpoint.All))...)
	var all sync.WaitGroup
	for i, p := range failpoint.All {
		if p == failpoint.TakenOver || p == failpoint.BeforeTakenEnd {
			continue
		}
		c.startAs(i+1, armed, "PARLEY_FAILPOINT="+string(p))
		all.Go(func() { d.until(t, i+1, p) })
	}
	all.Wait()
	for i, p := range []failpoint.Point{failpoint.TakenOver, failpoint.BeforeTakenEnd} {
		d.dieTakingOver(t, armed, p, longQuestion+i)
	}
	c.check(t, a.ID, d.log)
	c.checkOnce(t, a.ID)
	eventually(t, "webhooks hear of every answer", time.Minute, func() bool {
		for _, s := range d.log {
			if s.complete && !heard(s.turn) {
				return false
			}
		}
		return true
	})
	t.Logf("%d places, %d questions", len(failpoint.All), len(d.log))
}

func buildWithFailpoints(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "parley")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-tags", "failpoints,disable_grpc_modules", "-o", program, "parley/impl/cmd/parley").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// webhook makes one for every answer and returns what tells whether it heard of a turn.
func (c *cluster) webhook(t *testing.T, key string) func(turnID string) bool {
	t.Helper()
	var mu sync.Mutex
	var heard bytes.Buffer
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		heard.Write(body)
	}))
	t.Cleanup(receiver.Close)
	c.call(t, http.MethodPost, "/api/v1/admin/webhooks", key, map[string]any{"url": receiver.URL, "events": []string{"message.created"}}, nil)
	return func(turnID string) bool {
		mu.Lock()
		defer mu.Unlock()
		return bytes.Contains(heard.Bytes(), []byte(turnID))
	}
}

// dead tells whether server i has ended.
func (c *cluster) dead(i int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.servers[i].ended:
		return true
	default:
		return false
	}
}

// until works through server i, armed with a place, until it has died there,
// and settles what was under way through the first server.
func (d *driver) until(t *testing.T, i int, p failpoint.Point) {
	for n := 0; !d.cluster.dead(i); n++ {
		if p == failpoint.BeforeKept || p == failpoint.Kept {
			d.createTwice(t, i, fmt.Sprintf("%s-%d", p, n))
		} else {
			d.note(d.insist(t, i, d.next()))
		}
	}
}

// insist asks question n of server i, and of the first server for as long as
// there is no outcome, always with the same Idempotency-Key.
func (d *driver) insist(t *testing.T, i, n int) saw {
	deadline := time.Now().Add(time.Minute)
	for tries := 0; time.Now().Before(deadline); tries++ {
		s := saw{n: n, resumed: min(tries, 1)}
		if d.askOnce(i, &s) {
			return s
		}
		i = 0
		<-time.After(100 * time.Millisecond) // a server has just died, or holds the key
	}
	t.Errorf("question %d never has an outcome", n)
	return saw{n: n}
}

// askOnce tells whether the outcome is known.
func (d *driver) askOnce(i int, s *saw) bool {
	body, _ := json.Marshal(map[string]any{"message": fmt.Sprintf("question %d", s.n), "stream": true})
	r, err := http.NewRequest(http.MethodPost, d.cluster.at(i)+"/api/v1/chat", bytes.NewReader(body))
	if err != nil {
		return false
	}
	r.Header.Set("Authorization", "Bearer "+d.key)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", fmt.Sprintf("question-%d", s.n))
	res, err := d.cluster.http.Do(r)
	if err != nil {
		return false
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		// A repeated request fails as the first did, once its server is known to be dead.
		return res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Idempotency-Replayed") != ""
	}
	s.turn = res.Header.Get("Parley-Turn")
	return d.follow(s, res.Body, "", everything) == ended || s.complete
}

// at is where server i was seen last.
func (c *cluster) at(i int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.servers[i].url
}

// createTwice makes a key through server i, and through the first until that succeeds.
func (d *driver) createTwice(t *testing.T, i int, name string) {
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		if err := d.create(i, name); err == nil {
			return
		}
		i = 0
		<-time.After(50 * time.Millisecond) // the transaction of the dead server ends with its connection
	}
	t.Errorf("key %s is never made", name)
}

func (d *driver) create(i int, name string) error {
	r, err := http.NewRequest(http.MethodPost, d.cluster.at(i)+"/api/v1/keys", strings.NewReader(fmt.Sprintf(`{"name": %q}`, name)))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+d.admin)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", name)
	res, err := d.cluster.http.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusCreated {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	_, err = io.ReadAll(res.Body)
	return err
}

// dieTakingOver lets the first server die with an answer under way, and the one
// that takes it over die at a place.
func (d *driver) dieTakingOver(t *testing.T, armed string, p failpoint.Point, n int) {
	t.Helper()
	c := d.cluster
	c.startAs(1, armed, "PARLEY_FAILPOINT="+string(p))
	answered := make(chan saw, 1)
	go func() {
		s := saw{n: n}
		d.askOnce(0, &s)
		answered <- s
	}()
	raw := c.raw(t)
	eventually(t, "an answer is under way", 10*time.Second, func() bool {
		var stored int
		if err := raw.Get(&stored, `select count(*) from turns t where t.state = 'running' and t.generation = 0
			and exists (select 1 from turn_events e where e.account_id = t.account_id and e.turn_id = t.turn_id)`); err != nil {
			t.Fatal(err)
		}
		return stored > 0
	})
	c.kill(0)
	if s := <-answered; s.complete {
		t.Error("the answer ended before its server died")
	}
	select {
	case <-c.servers[1].ended:
	case <-time.After(30 * time.Second):
		t.Fatalf("nobody dies at %s", p)
	}
	c.start(0)
}

// checkOnce looks for anything that happened twice.
func (c *cluster) checkOnce(t *testing.T, accountID string) {
	t.Helper()
	raw := c.raw(t)
	for what, query := range map[string]string{
		"turns paid or completed twice for one request": `select count(*) from (select 1 from turns where account_id = $1 and idempotency_key is not null
			group by app_id, idempotency_key having count(*) filter (where cost_micros > 0 or state = 'completed') > 1) x`,
		"messages of one role twice in a turn": `select count(*) from (select 1 from messages where account_id = $1 group by turn_id, role having count(*) > 1) x`,
		"messages twice at one place":          `select count(*) from (select 1 from messages where account_id = $1 group by conversation_id, seq having count(*) > 1) x`,
		"keys made twice":                      `select count(*) from (select 1 from keys where account_id = $1 group by name having count(*) > 1) x`,
		"turns without exactly one terminal event": `select count(*) from turns t where t.account_id = $1 and 1 <> (
			select count(*) from turn_events e, jsonb_array_elements(e.events) v
			where e.account_id = t.account_id and e.turn_id = t.turn_id and v->>'kind' in ('completed', 'failed', 'cancelled'))`,
		"turns whose log has another length than its numbers": `select count(*) from turns t where t.account_id = $1 and t.last_event <> (
			select count(distinct e.first_event + v.place) from turn_events e, jsonb_array_elements(e.events) with ordinality v(event, place) where e.account_id = t.account_id and e.turn_id = t.turn_id)`,
		"money still held": `select count(*) from accounts where account_id = $1 and held_micros <> 0`,
	} {
		var found int
		if err := raw.Get(&found, query, accountID); err != nil {
			t.Error(errors.Join(errors.New(what), err))
		} else if found != 0 {
			t.Errorf("%d %s", found, what)
		}
	}
}
