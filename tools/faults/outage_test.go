package faults

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"parley/db/dbtest"
	"parley/impl/embedpg"
)

// Postgres dies and recovers, every connection waits for a lock, and the way to it is reset, cut, and swallows all that
// is sent, while clients talk to two servers, and while many come at once. They are answered or told 503 and when to
// come again, nothing else; what they were told is stored; the servers find the database back, and nothing of it all stays with them.
func TestAnOutageOfTheDatabaseLosesNothing(t *testing.T) {
	s, rounds := seed(t), 6
	if long() {
		rounds = 60
	}
	postgres := ownPostgres(t)
	way := dbtest.NewProxy(t, postgres)
	c := newClusterOn(t, dbtest.Open(t, postgres, 4), postgres, 0, newUpstream(t, 20*time.Millisecond), func(string) []string { return []string{"DATABASE_URL=" + way.DSN} })
	metrics := c.startMeasured(2)
	c.price(1_000)
	a := c.account("unlimited", 1_000_000_000)
	c.http.Transport.(*http.Transport).MaxConnsPerHost = outageClients
	d := &driver{cluster: c, key: a.Key, stop: make(chan struct{})}
	done := make(chan struct{})
	go func() { d.run(outageClients, s); close(done) }()
	r := rand.New(rand.NewPCG(s, 1<<33))
	pause := func(atLeast, upTo int) {
		<-time.After(time.Duration(atLeast+r.IntN(upTo-atLeast)) * time.Millisecond)
	}
	pause(500, 1500)
	before := c.vitals(t, metrics)
	for i := range rounds {
		pause(500, 1500)
		c.disturb(t, way, i%6, a.Key, pause)
		back := time.Now()
		for i := range c.servers {
			c.answers(t, i, a.Key)
		}
		t.Logf("round %d: both servers answer %v after the database is back", i, time.Since(back).Round(time.Millisecond))
	}
	pause(500, 1500)
	eventually(t, "goroutines and connections are as many as before", time.Minute, func() bool {
		after := c.vitals(t, metrics)
		return after.Goroutines <= before.Goroutines*1.2+20 && after.Files <= before.Files+20 // clients come and go
	})
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

// outageClients are the clients of an outage, each with a stream or a question at a time.
const outageClients = 32

// ownPostgres is one that nobody else uses, so that it may die.
func ownPostgres(t *testing.T) (dsn string) {
	t.Helper()
	postgres, err := embedpg.Start(t.Context(), embedpg.Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := postgres.Stop(); err != nil {
			t.Error(err)
		}
	})
	return postgres.DSN()
}

// disturb takes the database away in one of six ways, and returns when it is back.
func (c *cluster) disturb(t *testing.T, way *dbtest.Proxy, how int, key string, pause func(atLeast, upTo int)) {
	t.Helper()
	switch how {
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
		c.storm(t, key, func() { way.Cut(); way.Restore() })
	case 4: // Postgres dies, and recovers from what it has written
		c.crashPostgres(t)
	case 5: // every connection waits for a lock, until there is none left
		c.lockUp(t, pause)
	}
}

// crashPostgres kills one of Postgres's processes, whereupon it ends all others and begins anew from its log.
func (c *cluster) crashPostgres(t *testing.T) {
	t.Helper()
	raw := c.raw(t)
	var victim int
	if err := raw.Get(&victim, `select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() limit 1`); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Postgres has ended its connections", time.Minute, func() bool { return syscall.Kill(victim, 0) != nil })
	eventually(t, "Postgres has recovered", time.Minute, func() bool { return raw.Ping() == nil })
}

// lockUp holds a lock that every answer needs.
func (c *cluster) lockUp(t *testing.T, pause func(atLeast, upTo int)) {
	t.Helper()
	tx, err := c.raw(t).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec(`lock table turns in access exclusive mode`); err != nil {
		t.Fatal(err)
	}
	pause(3000, 5000)
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
