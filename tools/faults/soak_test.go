package faults

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var (
	soakFor  = flag.Duration("soak-for", 0, "how long TestSoak keeps two servers busy; by default it is left to `make soak`")
	soakLoad = flag.Float64("soak-load", 0.6, "the share of time in which each of its clients asks")
	idleMany = flag.Int("idle-connections", 1_000, "how many connections TestIdleAndSlowConnectionsCostLittle opens; the limit of open files bounds them")
)

// vitals are what may not grow.
type vitals struct {
	Memory, Goroutines, Files, DeadRows float64
	// Churned are the bytes of the tables that hold few rows, whatever was written to them: leases, windows of limits, sums.
	Churned float64
}

// startMeasured starts n servers, the first of the cluster, and returns where each tells its metrics.
func (c *cluster) startMeasured(n int) (metrics []string) {
	c.t.Helper()
	c.servers = make([]*process, n)
	for i, port := range freePorts(c.t, n) {
		metrics = append(metrics, fmt.Sprintf("127.0.0.1:%d", port))
		c.startAs(i, binary, "PARLEY_METRICS_LISTEN="+metrics[i])
	}
	return metrics
}

// vitals are the sums over all servers, with their database.
func (c *cluster) vitals(t *testing.T, metrics []string) vitals {
	t.Helper()
	var v vitals
	for i, at := range metrics {
		series := scrape(t, at)
		v.Memory += series["process_resident_memory_bytes"]
		v.Goroutines += series["go_goroutines"]
		files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.servers[i].cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		v.Files += float64(len(files))
	}
	if err := c.raw(t).Get(&v.DeadRows, `select coalesce(max(n_dead_tup::float8 / greatest(n_live_tup, 10000)), 0) from pg_stat_user_tables`); err != nil {
		t.Fatal(err)
	}
	if err := c.raw(t).Get(&v.Churned, `select coalesce(sum(pg_total_relation_size(relid)), 0) from pg_stat_user_tables where n_live_tup < 1000`); err != nil {
		t.Fatal(err)
	}
	return v
}

// scrape reads the metrics that have no labels.
func scrape(t *testing.T, address string) map[string]float64 {
	t.Helper()
	res, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	series, lines := map[string]float64{}, bufio.NewScanner(res.Body)
	for lines.Scan() {
		if name, value, found := strings.Cut(lines.Text(), " "); found && !strings.HasPrefix(name, "#") {
			series[name], _ = strconv.ParseFloat(value, 64)
		}
	}
	return series
}

// Two servers are kept busy for a long time. Memory, goroutines, descriptors
// and dead rows in the second half are those of the first.
func TestSoak(t *testing.T) {
	if *soakFor == 0 {
		t.Log("left to `make soak`")
		return
	}
	c := newClusterWith(t, 0, newUpstream(t, 8*time.Millisecond), func(string) []string { return nil })
	metrics := c.startMeasured(2)
	c.price(1_000)
	a := c.account("unlimited", 1_000_000_000)
	d := &driver{cluster: c, key: a.Key, stop: make(chan struct{}), load: *soakLoad}
	done := make(chan struct{})
	go func() { d.run(16, seed(t)); close(done) }()
	var seen []vitals
	const samples = 20
	for range samples {
		<-time.After(*soakFor / samples)
		seen = append(seen, c.vitals(t, metrics))
		t.Logf("%+v", seen[len(seen)-1])
	}
	close(d.stop)
	<-done
	for status, n := range d.bad {
		t.Errorf("%d answers with status %d", n, status)
	}
	// The first quarter fills pools and caches.
	early, late := most(seen[samples/4:samples*5/8]), most(seen[samples*5/8:])
	for what, pair := range map[string][3]float64{
		"memory":     {early.Memory, late.Memory, 1.15},
		"goroutines": {early.Goroutines, late.Goroutines, 1.15},
		"files":      {early.Files, late.Files, 1.15},
		"dead rows":  {max(early.DeadRows, 1), late.DeadRows, 1.5},
		// A few megabytes are what vacuum leaves between two of its visits.
		"bytes of small tables": {max(early.Churned, 16<<20), late.Churned, 1.5},
	} {
		if pair[1] > pair[0]*pair[2] {
			t.Errorf("%s grew from %.0f to %.0f", what, pair[0], pair[1])
		}
	}
	c.check(t, a.ID, d.log)
	t.Logf("%d answers in %v; earlier %+v, later %+v", len(d.log), *soakFor, early, late)
}

// most are the largest of each.
func most(seen []vitals) vitals {
	var m vitals
	for _, v := range seen {
		m = vitals{max(m.Memory, v.Memory), max(m.Goroutines, v.Goroutines), max(m.Files, v.Files), max(m.DeadRows, v.DeadRows), max(m.Churned, v.Churned)}
	}
	return m
}

// Connections that say nothing, and some that send their headers byte by byte, cost
// little, keep nobody from being answered, and are let go; so are four bodies of 32 MiB.
func TestIdleAndSlowConnectionsCostLittle(t *testing.T) {
	metrics := fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1)[0])
	c := newClusterWith(t, 1, "", func(string) []string { return []string{"PARLEY_METRICS_LISTEN=" + metrics} })
	a := c.account("unlimited", 1_000_000)
	answered := func() {
		t.Helper()
		if statuses := c.volley(8, func(int) *http.Request { return c.request(http.MethodGet, 0, "/api/v1/agents", a.Key, nil) }); statuses[http.StatusOK] != 8 {
			t.Errorf("others are answered %v", statuses)
		}
	}
	answered()
	before := scrape(t, metrics)["process_resident_memory_bytes"]
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	const spare = 500
	many := min(*idleMany, int(limit.Cur)-spare)
	var slow atomic.Int64
	ended := make(chan struct{}, many)
	address := strings.TrimPrefix(c.url(0), "http://")
	for i := range many {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if i%10 == 0 {
			slow.Add(1)
			if _, err := io.WriteString(conn, "POST /api/v1/chat HTTP/1.1\r\nHost: a\r\nX-A: "); err != nil {
				t.Fatal(err)
			}
		}
		go func() { _, _ = io.Copy(io.Discard, conn); ended <- struct{}{} }()
	}
	answered()
	each := (scrape(t, metrics)["process_resident_memory_bytes"] - before) / float64(many)
	answers := c.volley(4, func(int) *http.Request {
		r := c.request(http.MethodPost, 0, "/api/v1/chat", a.Key, nil)
		r.Body, r.ContentLength = io.NopCloser(io.LimitReader(zeros{}, 32<<20)), -1
		r.GetBody = nil
		r.Header.Set("Content-Type", "application/json")
		return r
	})
	if refused := answers[http.StatusRequestEntityTooLarge] + answers[0]; refused != 4 { // 0: the connection was closed while it still sent
		t.Errorf("bodies of 32 MiB are answered %v", answers)
	}
	deadline := time.NewTimer(2 * time.Minute)
	defer deadline.Stop()
	for gone := range many {
		select {
		case <-ended:
		case <-deadline.C:
			t.Fatalf("%d of %d connections are still held", many-gone, many)
		}
	}
	answered()
	if each > 64<<10 {
		t.Errorf("a connection takes %.0f bytes", each)
	}
	t.Logf("%d connections, %d of them slow, took %.1f kB each and were let go", many, slow.Load(), each/1024)
}

// zeros is endless.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
