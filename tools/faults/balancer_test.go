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

	mu     sync.Mutex
	ready  map[string]time.Time // by address: when a server was asked that then said so
	looked chan struct{}        // closed when a server has answered
	next   int
	bad    map[string]int // answers with 5xx, by what they were about
}

// passing lets a proxy read a request's body while it answers already. Without it the standard library's server takes
// the body away at the answer's beginning: a proxy whose last read comes after that closes its connection, and the answer is cut.
func passing(proxy http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		proxy.ServeHTTP(w, r)
	})
}

const (
	// lookEvery is how often the balancer asks each server's /readyz.
	lookEvery = 100 * time.Millisecond
	// trustedFor is how long it goes by the answer, however long the next one takes; servers linger three times as long.
	trustedFor = time.Second
	// noServerFor is how long a request waits for a server that is ready.
	noServerFor = 20 * time.Second
)

func newBalancer(t *testing.T, c *cluster) *balancer {
	t.Helper()
	b := &balancer{cluster: c, probes: http.Client{Timeout: 5 * time.Second}, ready: map[string]time.Time{}, looked: make(chan struct{}), bad: map[string]int{}}
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
	stop := make(chan struct{})
	var looking sync.WaitGroup
	for i := range c.servers {
		looking.Go(func() {
			tick := time.NewTicker(lookEvery)
			defer tick.Stop()
			for {
				b.look(i)
				select {
				case <-stop:
					return
				case <-tick.C:
				}
			}
		})
	}
	t.Cleanup(func() { close(stop); looking.Wait(); b.CloseClientConnections(); b.Close() })
	return b
}

func (b *balancer) note(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bad[what]++
}

// look asks server i whether it is ready.
func (b *balancer) look(i int) {
	at, asked := b.cluster.url(i), time.Now()
	res, err := b.probes.Get(at + "/readyz")
	ready := err == nil && res.StatusCode == http.StatusOK
	if err == nil {
		_ = res.Body.Close()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.ready, at)
	if ready {
		b.ready[at] = asked
	}
	close(b.looked)
	b.looked = make(chan struct{})
}

// pick is the next server that is ready, of those that were not tried. What is
// known of servers may be too old to go by: then it waits until one has answered.
func (b *balancer) pick(r *http.Request, tried map[string]bool) (string, error) {
	patience := time.NewTimer(noServerFor)
	defer patience.Stop()
	for {
		at, looked := b.fresh(tried)
		if at != "" {
			return at, nil
		}
		select {
		case <-looked:
		case <-patience.C:
			return "", errors.New("no server is ready")
		case <-r.Context().Done():
			return "", r.Context().Err()
		}
	}
}

// fresh is pick by what is known now, "" for none, and what tells that more is known.
func (b *balancer) fresh(tried map[string]bool) (string, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range b.cluster.servers {
		b.next++
		if at := b.cluster.url(b.next); time.Since(b.ready[at]) < trustedFor && !tried[at] {
			return at, nil
		}
	}
	return "", b.looked
}

// RoundTrip sends a request to a server; nothing of one whose connection was refused has been sent.
func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	tried := map[string]bool{}
	for {
		at, err := b.pick(r, tried)
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
