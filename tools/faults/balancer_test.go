package faults

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"
)

// balancer stands before a cluster as an operator's does: it sends requests to
// servers whose /readyz is 200, in turns, and to another one when a connection
// was refused. It knows what clients were answered.
type balancer struct {
	*httptest.Server
	cluster *cluster
	probes  http.Client

	mu    sync.Mutex
	ready map[string]bool // by address
	next  int
	bad   map[string]int // answers with 5xx, by what they were about
}

// passing lets a proxy read a request's body while it answers already. Without it the standard library's server takes
// the body away at the answer's beginning: a proxy whose last read comes after that closes its connection, and the answer is cut.
func passing(proxy http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		proxy.ServeHTTP(w, r)
	})
}

// lookEvery is how often the balancer asks /readyz; servers linger thirty times as long.
const lookEvery = 100 * time.Millisecond

func newBalancer(t *testing.T, c *cluster) *balancer {
	t.Helper()
	b := &balancer{cluster: c, probes: http.Client{Timeout: 5 * time.Second}, ready: map[string]bool{}, bad: map[string]int{}}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "servers" },
		FlushInterval: -1,
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode >= http.StatusInternalServerError {
				b.note(fmt.Sprintf("%s %s: %s", r.Request.Method, r.Request.URL.Path, r.Status))
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil { // the client is still there
				b.note(fmt.Sprintf("%s %s: %v", r.Method, r.URL.Path, err))
			}
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	proxy.Transport = b
	b.Server = httptest.NewServer(passing(proxy))
	ended, stop := make(chan struct{}), make(chan struct{})
	b.look()
	go func() {
		defer close(ended)
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				b.look()
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-ended; b.CloseClientConnections(); b.Close() })
	return b
}

func (b *balancer) note(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bad[what]++
}

// look asks each server whether it is ready.
func (b *balancer) look() {
	ready := map[string]bool{}
	for i := range b.cluster.servers {
		at := b.cluster.url(i)
		res, err := b.probes.Get(at + "/readyz")
		if err == nil {
			ready[at] = res.StatusCode == http.StatusOK
			_ = res.Body.Close()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready = ready
}

// pick is the next server that is ready, of those that were not tried.
func (b *balancer) pick(tried map[string]bool) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range b.cluster.servers {
		b.next++
		if at := b.cluster.url(b.next); b.ready[at] && !tried[at] {
			return at, nil
		}
	}
	return "", errors.New("no server is ready")
}

// RoundTrip sends a request to a server; nothing of one whose connection was refused has been sent.
func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	tried := map[string]bool{}
	for {
		at, err := b.pick(tried)
		if err != nil {
			return nil, err
		}
		tried[at] = true
		to, err := url.Parse(at)
		if err != nil {
			return nil, err
		}
		r.URL.Host = to.Host
		res, err := b.cluster.http.Transport.RoundTrip(r)
		if refused := (*net.OpError)(nil); errors.As(err, &refused) && refused.Op == "dial" {
			continue
		}
		return res, err
	}
}

// as is a cluster of which clients see the balancer alone.
func (b *balancer) as(c *cluster) *cluster {
	return &cluster{t: c.t, db: c.db, dsn: c.dsn, http: c.http, servers: []*process{{url: b.URL}}}
}
