package faults

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

var eventsFor = flag.Duration("events-for", 0, "measure for so long how many events of behaviour a second a server takes")

const (
	batchSize = 1000
	eventsOf  = 2000 // users
)

// reported is a batch of events with ids of their own.
func reported(r *rand.Rand, client, n int) []byte {
	types := []string{"post", "comment", "like", "view", "share", "task_completed"}
	events := make([]map[string]any, batchSize)
	now := time.Now().UTC()
	for i := range events {
		events[i] = map[string]any{
			"user_id": fmt.Sprintf("user-%d", r.IntN(eventsOf)), "type": types[r.IntN(len(types))], "event_id": fmt.Sprintf("c%d-b%d-e%d", client, n, i),
			"at": now.Add(-time.Duration(r.IntN(7*24*3600)) * time.Second).Format(time.RFC3339), "duration_seconds": r.IntN(300),
		}
	}
	raw, err := json.Marshal(map[string]any{"events": events})
	if err != nil {
		panic(err) // texts and numbers always encode
	}
	return raw
}

// report sends a batch; false when no answer came, which says nothing of whether it was counted.
func (c *cluster) report(t *testing.T, i int, key string, batch []byte) bool {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url(i)+"/api/v1/monitor/behavior", bytes.NewReader(batch))
	if err != nil {
		t.Error(err)
		return false
	}
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(r)
	if err != nil {
		return false
	}
	defer func() { _ = res.Body.Close() }() // read to its end
	var told struct{ Accepted, Duplicates int }
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return false
	}
	if res.StatusCode >= http.StatusInternalServerError {
		return false
	}
	if err := json.Unmarshal(raw, &told); err != nil || res.StatusCode != http.StatusOK || told.Accepted+told.Duplicates != batchSize {
		t.Errorf("status %d: %s", res.StatusCode, raw[:min(len(raw), 300)])
	}
	return true
}

// A server is killed while clients report events. Every batch is sent again until
// it is acknowledged, by the same ids: then all of its events are there, once.
func TestKilledServersLoseAndRepeatNoEvents(t *testing.T) {
	s, kills, clients := seed(t), 3, 4
	if long() {
		kills = 40
	}
	c := newCluster(t, 1, "")
	a := c.account("unlimited", 0)
	var stop atomic.Bool
	var sent, again atomic.Int64
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			r := rand.New(rand.NewPCG(s, uint64(client)))
			for n := 0; !stop.Load() && !t.Failed(); n++ {
				batch := reported(r, client, n)
				for !c.report(t, 0, a.Key, batch) && !t.Failed() {
					again.Add(1)
					<-time.After(20 * time.Millisecond) // the server is being started
				}
				if r.IntN(8) == 0 { // also what was acknowledged may be sent again
					c.report(t, 0, a.Key, batch)
				}
				sent.Add(batchSize)
			}
		})
	}
	r := rand.New(rand.NewPCG(s, 1<<32))
	for range kills {
		before := sent.Load()
		eventually(t, "events are taken", time.Minute, func() bool { return sent.Load() > before+batchSize })
		<-time.After(time.Duration(r.IntN(300)) * time.Millisecond) // anywhere in a batch
		c.kill(0)
		c.start(0)
	}
	stop.Store(true)
	all.Wait()
	t.Logf("%d events, %d batches sent again", sent.Load(), again.Load())
	c.checkEvents(t, a.ID, sent.Load())
}

// checkEvents compares what clients were told with the raw events, and those with the sums.
func (c *cluster) checkEvents(t *testing.T, accountID string, want int64) {
	t.Helper()
	var events, summed, depths, slots, wrong int64
	err := c.raw(t).QueryRow(`
		with sums as (
			select user_id, date_bin('15 minutes', at, 'epoch') as slot, count(*) as events, count(*) filter (where seconds > 0) as depths
			from engagement_events where account_id = $1 group by 1, 2
		)
		select (select count(*) from engagement_events where account_id = $1), sum(s.events), sum(s.depths), count(*),
			count(*) filter (where s.events is distinct from e.events or s.depths is distinct from e.depths)
		from (select * from engagement_slots where account_id = $1) s full join sums e using (user_id, slot)`, accountID).
		Scan(&events, &summed, &depths, &slots, &wrong)
	if err != nil {
		t.Fatal(err)
	}
	if events != want || summed != want || wrong != 0 {
		t.Errorf("acknowledged %d events, stored %d, summed %d; %d of %d sums are wrong", want, events, summed, wrong, slots)
	}
}

// How many events a second one server takes, and what the database allows for the same rows.
func TestEventsLoad(t *testing.T) {
	if *eventsFor == 0 {
		return // measured by make events-load
	}
	c := newCluster(t, 1, "")
	for _, clients := range []int{1, 4} {
		a := c.account("unlimited", 0)
		warm := reported(rand.New(rand.NewPCG(1, 1)), 99, 0)
		c.report(t, 0, a.Key, warm)
		rate := c.eventRate(t, a.Key, clients)
		plain := c.plainRate(t, a.ID, clients)
		t.Logf("%d clients: %.0f events/s through the API; Postgres alone inserts the same rows at %.0f/s (%.0f %%)", clients, rate, plain, 100*rate/plain)
		c.checkEvents(t, a.ID, c.stored(t, a.ID))
	}
}

func (c *cluster) stored(t *testing.T, accountID string) (n int64) {
	t.Helper()
	if err := c.raw(t).Get(&n, `select count(*) from engagement_events where account_id = $1`, accountID); err != nil {
		t.Fatal(err)
	}
	return n
}

// eventRate sends batches that were made before, so that the clients take little of the machine.
func (c *cluster) eventRate(t *testing.T, key string, clients int) float64 {
	t.Helper()
	made := make([][][]byte, clients)
	for client := range made {
		r := rand.New(rand.NewPCG(uint64(clients), uint64(client)))
		for n := range int(eventsFor.Seconds()*40)/clients + 1 {
			made[client] = append(made[client], reported(r, client, n))
		}
	}
	var sent atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for client := range clients {
		all.Go(func() {
			for _, batch := range made[client] {
				if time.Since(began) > *eventsFor {
					return
				}
				if !c.report(t, 0, key, batch) {
					t.Error("a batch was not taken")
				}
				sent.Add(batchSize)
			}
		})
	}
	all.Wait()
	return float64(sent.Load()) / time.Since(began).Seconds()
}

// plainRate inserts rows as they are stored into tables of the same form, with
// nothing between: as many connections, as many rows a statement, sums not counted.
func (c *cluster) plainRate(t *testing.T, accountID string, clients int) float64 {
	t.Helper()
	raw := c.raw(t)
	raw.MustExec(`drop table if exists plain_events`)
	raw.MustExec(`create table plain_events (like engagement_events including all)`)
	var sent atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for client := range clients {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(clients), uint64(client)))
			for n := 0; time.Since(began) < *eventsFor; n++ {
				if err := insertPlainly(raw, accountID, reported(r, client, n)); err != nil {
					t.Error(err)
					return
				}
				sent.Add(batchSize)
			}
		})
	}
	all.Wait()
	return float64(sent.Load()) / time.Since(began).Seconds()
}

func insertPlainly(raw *sqlx.DB, accountID string, batch []byte) error {
	var of struct {
		Events []struct {
			User    string    `json:"user_id"`
			ID      string    `json:"event_id"`
			Type    string    `json:"type"`
			At      time.Time `json:"at"`
			Seconds float64   `json:"duration_seconds"`
		}
	}
	if err := json.Unmarshal(batch, &of); err != nil {
		return err
	}
	users, ids, types, times, seconds := []string{}, []string{}, []string{}, []time.Time{}, []float64{}
	for _, e := range of.Events {
		users, ids, types, times, seconds = append(users, e.User), append(ids, e.ID), append(types, e.Type), append(times, e.At), append(seconds, e.Seconds)
	}
	_, err := raw.Exec(`
		insert into plain_events (account_id, user_id, event_id, at, type, seconds, properties)
		select $1, u, i, a, t, s, '{}' from unnest($2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::double precision[]) as g (u, i, a, t, s)`,
		accountID, pq.Array(users), pq.Array(ids), pq.Array(times), pq.Array(types), pq.Array(seconds))
	return err
}
