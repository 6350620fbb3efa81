// Package metrics counts what a server does and tells it to Prometheus.
//
// What happens is counted where it happens: the edge and the turn engine hold a
// [*Metrics] through small interfaces of their own. What is (open streams, the
// pool, the queues) is looked at when somebody asks. No label names an account, a
// key or a person; models and providers of accounts share one label, so that
// the number of series does not grow with the tenants.
package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// own is the label of models and providers that belong to an account.
const own = "own"

var (
	// requestBuckets are seconds, from a cached read to a long answer that is not streamed.
	requestBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 120}
	// answerBuckets are seconds that a model takes.
	answerBuckets = []float64{.01, .025, .05, .1, .25, .5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 600}
)

// Metrics is one server's. Make it with New; it is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	requests  *prometheus.CounterVec
	latency   *prometheus.HistogramVec
	refusals  *prometheus.CounterVec
	turns     *prometheus.CounterVec
	turnTime  *prometheus.HistogramVec
	firstByte *prometheus.HistogramVec
	tokens    *prometheus.CounterVec
	cost      *prometheus.CounterVec
	upstream  *prometheus.CounterVec
}

// New returns metrics of a server of the version, with those of Go's runtime and of the process.
func New(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: counter("parley_http_requests_total", "Requests answered, by operation of the document (none: no such path) and status.", "operation", "status"),
		latency:  histogram("parley_http_request_duration_seconds", "Time to the end of an answer, of those that are no streams.", requestBuckets, "operation"),
		refusals: counter("parley_refusals_total", "Requests refused by a limit: requests, address, ceilings (of answers at once and tokens) or funds.", "limit"),
		turns:    counter("parley_turns_total", "Answers ended by this server, by surface, outcome and, for failed ones, kind of failure.", "surface", "outcome", "failure"),
		turnTime: histogram("parley_turn_duration_seconds", "Time from an answer's beginning to its end, once that is stored.", answerBuckets, "surface"),
		firstByte: histogram("parley_turn_first_token_seconds", "Time from an answer's beginning to its first piece, by the model that answers.",
			answerBuckets, "surface", "model"),
		tokens:   counter("parley_tokens_total", "Tokens of ended answers, by model and direction.", "model", "direction"),
		cost:     counter("parley_cost_micros_total", "What ended answers cost, in millionths of the currency unit.", "model"),
		upstream: counter("parley_upstream_errors_total", "Calls that a model's provider failed, by provider and kind of failure.", "provider", "failure"),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "parley_build_info", Help: "Always 1; the label tells the version.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.latency, m.refusals, m.turns, m.turnTime, m.firstByte, m.tokens, m.cost, m.upstream, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}

// ServeHTTP tells the metrics in Prometheus's text format. What cannot be looked
// at, such as queues while the database is away, is left out.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}).ServeHTTP(w, r)
}

// Registry holds everything that is told.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// Request notes an answered request. An answer that lasts (a stream, a
// WebSocket) has no latency.
func (m *Metrics) Request(operation string, status int, took time.Duration, lasting bool) {
	m.requests.WithLabelValues(operation, strconv.Itoa(status)).Inc()
	if !lasting {
		m.latency.WithLabelValues(operation).Observe(took.Seconds())
	}
}

// Refused notes a request that a limit refused.
func (m *Metrics) Refused(limit string) { m.refusals.WithLabelValues(limit).Inc() }
