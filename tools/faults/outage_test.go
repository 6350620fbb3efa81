package faults

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/db/dbtest"
)

// The way to Postgres is reset, cut, and swallows all that is sent, while
// clients talk to two servers, and while many come at once. They are answered or
// told 503 and when to come again, nothing else; what they were told is stored;
// and the servers find the database back.
func TestAnOutageOfTheDatabaseLosesNothing(t *testing.T) {
	s, rounds := seed(t), 4
	if long() {
		rounds = 60
	}
	var way *dbtest.Proxy
	c := newClusterWith(t, 2, newUpstream(t, 20*time.Millisecond), func(dsn string) []string {
		way = dbtest.NewProxy(t, dsn)
		return []string{"DATABASE_URL=" + way.DSN}
	})
	c.price(1_000)
	a := c.account("unlimited", 1_000_000_000)
	d := &driver{cluster: c, key: a.Key, stop: make(chan struct{})}
	done := make(chan struct{})
	go func() { d.run(8, s); close(done) }()
	r := rand.New(rand.NewPCG(s, 1<<33))
	for i := range rounds {
		pause := func(atLeast, upTo int) {
			<-time.After(time.Duration(atLeast+r.IntN(upTo-atLeast)) * time.Millisecond)
		}
		pause(500, 1500)
		switch i % 4 {
		case 0: // every connection is reset
			way.Cut()
			way.Restore()
		case 1: // and none can be made
			way.Cut()
			pause(500, 2000)
			way.Restore()
		case 2: // nothing gets through, without a word
			way.Swallow()
			pause(5000, 7000)
			way.Heal()
		case 3: // every connection is reset while many clients come, each by a connection of its own
			c.storm(t, a.Key, func() { way.Cut(); way.Restore() })
		}
		back := time.Now()
		for i := range c.servers {
			c.answers(t, i, a.Key)
		}
		t.Logf("round %d: both servers answer %v after the database is back", i, time.Since(back).Round(time.Millisecond))
	}
	close(d.stop)
	<-done
	for status, n := range d.bad {
		if status != http.StatusServiceUnavailable {
			t.Errorf("%d answers with status %d", n, status)
		}
	}
	if d.untold > 0 {
		t.Errorf("%d answers with 503 do not say when to come again", d.untold)
	}
	c.check(t, a.ID, d.log)
	c.checkOnce(t, a.ID)
	var taken int
	if err := c.raw(t).Get(&taken, `select count(*) from turns where account_id = $1 and generation > 0`, a.ID); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d answers with 503, %d turns taken over from servers that lived", d.bad[http.StatusServiceUnavailable], taken)
}

// stormOf is how many clients come at once.
const stormOf = 300

// storm has many clients connect and ask at the same time, and does something when half of them were answered.
func (c *cluster) storm(t *testing.T, key string, midway func()) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	var answered atomic.Int64
	var all sync.WaitGroup
	for i := range stormOf {
		all.Go(func() {
			res, err := client.Do(c.request(http.MethodGet, i, "/v1/models", key, nil))
			if err != nil {
				t.Errorf("a client of a storm: %v", err)
				return
			}
			_ = res.Body.Close()
			if again := res.Header.Get("Retry-After"); res.StatusCode != http.StatusOK && (res.StatusCode != http.StatusServiceUnavailable || again == "") {
				t.Errorf("a client of a storm: status %d, Retry-After %q", res.StatusCode, again)
			}
			if answered.Add(1) == stormOf/2 {
				midway()
			}
		})
	}
	all.Wait()
}

// answers waits until server i answers requests that need the database.
func (c *cluster) answers(t *testing.T, i int, key string) {
	t.Helper()
	eventually(t, "the database is found back", 30*time.Second, func() bool {
		return c.volley(1, func(int) *http.Request { return c.request(http.MethodGet, i, "/v1/models", key, nil) })[http.StatusOK] == 1
	})
}
