package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley/db"
)

// queueTimeout bounds how long a scrape waits for the database.
const queueTimeout = 2 * time.Second

// State is what is looked at when somebody asks.
type State struct {
	Streams func() int64 // open streams of events
	Sockets func() int64 // open WebSockets
	Turns   func() int   // answers that this server is making
	Pool    func() db.PoolState
	// Queues tells every queue of jobs, of all servers.
	Queues func(ctx context.Context) ([]db.JobQueue, error)
	// LeftAlone tells how many providers this server leaves alone for now: of the server, and of accounts.
	LeftAlone func() (servers, own int)
	Now       func() time.Time
}

// Watch adds what state tells. It is called once.
func (m *Metrics) Watch(state State) { m.registry.MustRegister(stateCollector{state}) }

var (
	streams    = desc("parley_open_streams", "Streams of events that clients read.")
	sockets    = desc("parley_open_websockets", "Open WebSockets.")
	running    = desc("parley_turns_running", "Answers that this server is making.")
	failing    = desc("parley_providers_left_alone", "Providers that failed so often that this server asks them only now and then, by whose they are.", "of")
	poolMax    = desc("parley_db_connections_max", "Connections to Postgres that this server may have.")
	poolBusy   = desc("parley_db_connections_in_use", "Connections to Postgres that run a statement or a transaction.")
	poolIdle   = desc("parley_db_connections_idle", "Connections to Postgres that wait for one.")
	poolWaits  = desc("parley_db_connection_waits_total", "Statements that had to wait for a connection.")
	poolWaited = desc("parley_db_connection_wait_seconds_total", "How long they waited.")
	waiting    = desc("parley_jobs_waiting", "Jobs that nobody runs, due or to come, of all servers.", "kind")
	jobs       = desc("parley_jobs_running", "Jobs that run, on all servers.", "kind")
	age        = desc("parley_jobs_oldest_seconds", "For how long the oldest due job of a kind has been waiting; 0 when none is due.", "kind")
	givenUp    = desc("parley_jobs_failed", "Jobs that were given up within the last hour, of all servers.", "kind")
	reachable  = desc("parley_db_up", "1 when the database told the queues in time, 0 when not.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

type stateCollector struct{ State }

// Describe implements prometheus.Collector.
func (c stateCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{streams, sockets, running, failing, poolMax, poolBusy, poolIdle, poolWaits, poolWaited, waiting, jobs, age, givenUp, reachable} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c stateCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(streams, float64(c.Streams()))
	gauge(sockets, float64(c.Sockets()))
	gauge(running, float64(c.Turns()))
	servers, accounts := c.LeftAlone()
	gauge(failing, float64(servers), "server")
	gauge(failing, float64(accounts), own)
	pool := c.Pool()
	gauge(poolMax, float64(pool.Max))
	gauge(poolBusy, float64(pool.InUse))
	gauge(poolIdle, float64(pool.Idle))
	out <- prometheus.MustNewConstMetric(poolWaits, prometheus.CounterValue, float64(pool.Waits))
	out <- prometheus.MustNewConstMetric(poolWaited, prometheus.CounterValue, pool.Waited.Seconds())
	ctx, cancel := context.WithTimeout(context.Background(), queueTimeout)
	defer cancel()
	queues, err := c.Queues(ctx)
	if err != nil {
		gauge(reachable, 0)
		return
	}
	gauge(reachable, 1)
	for _, q := range queues {
		gauge(waiting, float64(q.Waiting), q.Kind)
		gauge(jobs, float64(q.Running), q.Kind)
		gauge(age, q.Age(c.Now()).Seconds(), q.Kind)
		gauge(givenUp, float64(q.Failed), q.Kind)
	}
}
