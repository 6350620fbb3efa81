package faults

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var observationRounds = flag.Int("observation-rounds", 0, "rounds of TestTheCostOfObservation, each of 400 answers by each of two servers; by default it is left to `make observation-cost`")

// processorTime is what a thread has used of processors, as the kernel counts it.
func processorTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		t.Fatal(err)
	}
	nanos, err := strconv.ParseInt(strings.Fields(string(raw))[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(nanos)
}

// threadsTime is processorTime of all threads of a process.
func threadsTime(t *testing.T, pid int) (sum time.Duration) {
	t.Helper()
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			t.Fatal(err)
		}
		sum += processorTime(t, id)
	}
	return sum
}

// Two servers on one database answer in turns: one is collected from every second
// and sends the trace of one request in a hundred, the other tells nobody
// anything. The median of the rounds' ratios is what observation costs of a request.
func TestTheCostOfObservation(t *testing.T) {
	if *observationRounds == 0 {
		t.Log("left to `make observation-cost`")
		return
	}
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer collector.Close()
	c := newClusterWith(t, 0, newUpstream(t, 0), func(string) []string { return nil })
	c.servers = make([]*process, 2)
	metrics := fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1)[0])
	c.start(0)
	c.startAs(1, binary, "PARLEY_METRICS_LISTEN="+metrics, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL,
		"OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01")
	a := c.account("unlimited", 1_000_000_000)
	body, err := json.Marshal(map[string]any{"message": "question 3"})
	if err != nil {
		t.Fatal(err)
	}
	d := &driver{cluster: c, key: a.Key}
	round := func(server int) time.Duration {
		pid := c.servers[server].cmd.Process.Pid
		before := threadsTime(t, pid)
		for i := range 400 {
			res, err := d.send(http.MethodPost, server, "/api/v1/chat", body, "")
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if server == 1 && i%200 == 0 {
				scrape(t, metrics)
			}
		}
		return threadsTime(t, pid) - before
	}
	var ratios []float64
	var plain, told time.Duration
	for i := range *observationRounds + 1 {
		one, other := round(0), round(1)
		if i > 0 { // the first warms up
			ratios = append(ratios, float64(other)/float64(one))
			plain, told = plain+one, told+other
		}
	}
	slices.Sort(ratios)
	n := time.Duration(400 * *observationRounds)
	t.Logf("processor time of a request: %v without, %v with observation; ratio of the rounds: median %.3f, from %.3f to %.3f",
		plain/n, told/n, ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
}
