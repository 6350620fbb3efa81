package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"parley/db"
	"parley/impl/core/health"
	"parley/impl/httpd"
	"parley/impl/metrics"
)

// watchState lets the metrics look at what is open, busy and waiting.
func (a *App) watchState() {
	a.Metrics.Watch(metrics.State{
		Streams: a.Handler.Streams, Sockets: a.Handler.Sockets, Turns: a.turns.Running,
		LeftAlone: a.turns.LeftAlone,
		Pool:      a.database.PoolState, Queues: a.jobs.Queues, Now: a.clock.now,
	})
}

// ServeMetrics tells metrics at /metrics of l until it is closed. It goes on
// while the server drains, when they matter.
func (a *App) ServeMetrics(l net.Listener) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.Metrics)
	server := httpd.NewServer(mux, a.log)
	server.WriteTimeout = 30 * time.Second
	if err := server.Serve(l); err != nil && !errors.Is(err, net.ErrClosed) {
		a.log.Error("telling metrics ended", "error", err)
	}
}

// health looks at the parts of the server. The jobs' runner is made last.
func (a *App) health() *health.Service {
	return &health.Service{
		Ping: a.database.Ready, Files: a.Blobs.Check, Stopping: a.stopping.Load, Now: a.clock.now,
		Queues:    func(ctx context.Context) ([]db.JobQueue, error) { return a.database.JobQueues(ctx, a.clock.now()) },
		LeftAlone: func() int { servers, _ := a.turns.LeftAlone(); return servers },
	}
}

// tracesTimeout bounds how long the end waits for a collector to take the last spans.
const tracesTimeout = 5 * time.Second

// closeTraces sends the last spans. That nobody took them is no failure of the server.
func (a *App) closeTraces(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tracesTimeout)
	defer cancel()
	if err := a.traces.Close(ctx); err != nil {
		a.log.Warn("the last traces were not taken", "error", err)
	}
}
