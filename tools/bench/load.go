package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// load is what the driver sends. It runs as a process of its own, so that its
// processor time is nobody else's.
type load struct {
	Addr    string        `json:"addr"`
	Path    string        `json:"path"`
	Keys    []string      `json:"keys"`   // connection i sends with key i modulo their number
	Bodies  []string      `json:"bodies"` // connection i sends body i, i+conns, … modulo their number
	Conns   int           `json:"conns"`
	For     time.Duration `json:"for"`   // new requests are sent so long; 0: Count decides
	Count   int           `json:"count"` // requests in all; 0: For decides
	Text    string        `json:"text"`  // what every answer must read; "" for any
	Stream  bool          `json:"stream"`
	Ramp    time.Duration `json:"ramp"`   // between the starts of connections
	Hold    bool          `json:"hold"`   // each connection stays in its first stream until standard input ends
	Follow  string        `json:"follow"` // address of another server that follows streams
	Follows int           `json:"follows"`
}

// result is what the driver saw. Times are in milliseconds.
type result struct {
	Requests   int            `json:"requests"`
	Seconds    float64        `json:"seconds"`
	Rate       float64        `json:"rate"` // requests per second
	Statuses   map[int]int    `json:"statuses"`
	Broken     int            `json:"broken"` // connections that failed
	Wrong      int            `json:"wrong"`  // answers that read differently
	Chunks     int            `json:"chunks"`
	Latency    spread         `json:"latency"`
	FirstPiece spread         `json:"first_piece"`
	Gap        spread         `json:"gap"`
	Behind     spread         `json:"behind"` // of this server's readers, for stamped pieces
	Abroad     spread         `json:"abroad"` // of the readers on the other server
	Errors     map[string]int `json:"errors,omitempty"`
}

func (r result) clean() error {
	if r.Requests == 0 || r.Broken > 0 || r.Wrong > 0 || r.Statuses[http.StatusOK] != r.Requests {
		return fmt.Errorf("%d answers, %d broken, %d wrong, statuses %v, %v", r.Requests, r.Broken, r.Wrong, r.Statuses, r.Errors)
	}
	return nil
}

// driver is one run of a load.
type driver struct {
	load
	until time.Time
	left  atomic.Int64
	open  atomic.Int64
	hold  chan struct{}

	mu        sync.Mutex
	result    result
	samples   samples
	followers sync.WaitGroup
}

func runLoad(in io.Reader, out io.Writer) error {
	input := json.NewDecoder(in)
	d := &driver{hold: make(chan struct{})}
	if err := input.Decode(&d.load); err != nil {
		return err
	}
	d.result.Statuses, d.result.Errors = map[int]int{}, map[string]int{}
	d.until = time.Now().Add(d.For)
	d.left.Store(int64(d.Count))
	if d.Hold {
		go func() {
			_, _ = io.Copy(io.Discard, in)
			close(d.hold)
		}()
	}
	begin := time.Now()
	var workers sync.WaitGroup
	for i := range d.Conns {
		workers.Go(func() { d.work(i) })
		if d.Ramp > 0 {
			time.Sleep(d.Ramp)
		}
	}
	workers.Wait()
	d.followers.Wait()
	d.result.Seconds = time.Since(begin).Seconds()
	d.result.Rate = float64(d.result.Requests) / d.result.Seconds
	d.samples.into(&d.result)
	return json.NewEncoder(out).Encode(d.result)
}

// next tells whether another request is to be sent.
func (d *driver) next() bool {
	if d.Count > 0 {
		return d.left.Add(-1) >= 0
	}
	return time.Now().Before(d.until)
}

func (d *driver) work(i int) {
	c := &client{driver: d, key: d.Keys[i%len(d.Keys)], requests: map[string][]byte{}}
	defer c.close()
	for n := i; d.next(); n += d.Conns {
		if err := c.send(d.Bodies[n%len(d.Bodies)]); err != nil {
			c.close()
			d.broken(err)
		}
		if d.Hold && !c.held {
			d.opened() // it never will be
		}
		if d.Hold {
			return
		}
	}
}

// opened counts a held stream and tells when there will be no more.
func (d *driver) opened() {
	if d.open.Add(1) == int64(d.Conns) {
		fmt.Fprintln(os.Stdout, `"open"`)
	}
}

func (d *driver) broken(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.result.Broken++
	if len(d.result.Errors) < 10 {
		d.result.Errors[err.Error()]++
	}
	if d.result.Broken > 1000 {
		fmt.Fprintln(os.Stderr, "bench: too many broken connections, the latest:", err)
		os.Exit(1)
	}
}

// client is one connection, opened when it is needed.
type client struct {
	*driver
	key      string
	requests map[string][]byte // by body
	conn     net.Conn
	reader   *bufio.Reader
	held     bool // was in a stream when all were open
	body     bytes.Buffer
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

func (c *client) dial() error {
	if c.conn != nil {
		return nil
	}
	conn, err := dial(c.Addr)
	if err != nil {
		return err
	}
	size := 4096
	if c.Hold {
		size = 512
	}
	c.conn, c.reader = conn, bufio.NewReaderSize(conn, size)
	return nil
}

func (c *client) request(body string) []byte {
	if sent := c.requests[body]; sent != nil {
		return sent
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s",
		c.Path, c.key, len(body), extraHeader, body)
	c.requests[body] = b.Bytes()
	return b.Bytes()
}

// extraHeader is what peers need beside: the gateway of Portkey wants to be told its upstream.
var extraHeader = os.Getenv("BENCH_HEADER")

func (c *client) send(body string) error {
	if err := c.dial(); err != nil {
		return err
	}
	sent := time.Now()
	if _, err := c.conn.Write(c.request(body)); err != nil {
		return err
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	s := stream{sent: sent}
	if c.Stream && response.StatusCode == http.StatusOK {
		c.follow(response.Header.Get("Parley-Turn"))
		err = s.read(c.driver, response.Body)
		if c.held = errors.Is(err, errHeld); c.held {
			c.close() // closing the body would wait for its end
		}
	} else {
		c.body.Reset()
		_, err = c.body.ReadFrom(response.Body)
		s.right = bytes.Contains(c.body.Bytes(), []byte(c.Text))
	}
	if err != nil && !errors.Is(err, errHeld) {
		return err
	}
	c.note(response.StatusCode, time.Since(sent), &s)
	return nil
}

func (d *driver) note(status int, took time.Duration, s *stream) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.result.Requests++
	d.result.Statuses[status]++
	if !s.right {
		d.result.Wrong++
	}
	d.result.Chunks += s.chunks
	d.samples.latency = append(d.samples.latency, took)
	if s.chunks > 0 {
		d.samples.first = append(d.samples.first, s.first)
	}
	d.samples.gap = append(d.samples.gap, s.gaps...)
	d.samples.behind = append(d.samples.behind, s.behind...)
}
