package faults

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// seed is what the run's decisions are made from; it is printed when a test fails.
func seed(t *testing.T) uint64 {
	t.Helper()
	s := uint64(time.Now().UnixNano())
	if text := os.Getenv("PARLEY_FAULTS_SEED"); text != "" {
		var err error
		if s, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("PARLEY_FAULTS_SEED=%d repeats this run's decisions", s)
		}
	})
	return s
}

// long tells whether the long form was asked for.
func long() bool { return os.Getenv("PARLEY_FAULTS_LONG") != "" }

// saw is what a client saw of one answer.
type saw struct {
	n        int // of the question
	turn     string
	text     string
	complete bool // the end was seen
	resumed  int  // how often another server was asked for the rest
}

// driver talks to the servers and writes down what it saw.
type driver struct {
	cluster *cluster
	key     string
	admin   string // administers the account; for what makes things
	stop    chan struct{}
	load    float64 // the share of time in which a client asks; 0 for all of it

	mu   sync.Mutex
	last int
	log  []saw
	bad  map[int]int // how often which status came that was no success
	// untold counts the answers with 503 that did not say when to come again.
	untold int
}

// run asks questions from several clients until stop is closed, and waits for
// the last answers. A client whose server dies asks another for the rest.
func (d *driver) run(clients int, seed uint64) {
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for {
				select {
				case <-d.stop:
					return
				default:
					began := time.Now()
					d.note(d.ask(r, d.next()))
					d.rest(time.Since(began))
				}
			}
		})
	}
	all.Wait()
}

// rest leaves a client without a question for its share of time after one that took so long.
func (d *driver) rest(took time.Duration) {
	if d.load == 0 {
		return
	}
	select {
	case <-d.stop:
	case <-time.After(time.Duration(float64(took) * (1/d.load - 1))):
	}
}

func (d *driver) next() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last++
	return d.last
}

func (d *driver) note(s saw) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log = append(d.log, s)
}

// ask puts question n, streamed or whole.
func (d *driver) ask(r *rand.Rand, n int) saw {
	s, streamed := saw{n: n}, r.IntN(2) == 0
	body, _ := json.Marshal(map[string]any{"message": fmt.Sprintf("question %d", n), "stream": streamed})
	res, err := d.send(http.MethodPost, r.Int(), "/api/v1/chat", body, "")
	if err != nil {
		return s
	}
	defer func() { _ = res.Body.Close() }()
	s.turn = res.Header.Get("Parley-Turn")
	if !streamed {
		var whole struct {
			Success bool   `json:"success"`
			Content string `json:"content"`
		}
		raw, err := io.ReadAll(res.Body)
		if err == nil && json.Unmarshal(raw, &whole) == nil && whole.Success {
			s.text, s.complete = whole.Content, true
		}
		return s
	}
	cut := everything
	if r.IntN(3) == 0 {
		cut = 1 + r.IntN(8)
	}
	cursor := d.follow(&s, res.Body, "", cut)
	for tries := 0; !s.complete && s.turn != "" && cursor != ended && tries < 200; tries++ {
		s.resumed++
		cursor = d.resume(r, &s, cursor)
	}
	return s
}

// ended is the cursor of a stream that told of a failure: there is no more to come.
const ended = "ended"

func (d *driver) resume(r *rand.Rand, s *saw, cursor string) string {
	res, err := d.send(http.MethodGet, r.Int(), "/api/v1/turns/"+s.turn+"/events", nil, cursor)
	if err != nil {
		<-time.After(50 * time.Millisecond) // the server that was asked is down; it is being started again
		return cursor
	}
	defer func() { _ = res.Body.Close() }()
	return d.follow(s, res.Body, cursor, everything)
}

// everything is the number of events after which a stream is not left.
const everything = 1 << 30

// follow reads a stream to its end, or leaves it after so many events; it adds
// the text to s and returns the last event's id.
func (d *driver) follow(s *saw, body io.Reader, cursor string, events int) string {
	lines, event, failed := bufio.NewScanner(body), "", false
	for events > 0 && lines.Scan() {
		if lines.Text() == "" {
			events--
		}
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			cursor = value
		case "event":
			event = value
		case "data":
			switch event {
			case "message":
				var delta struct {
					Content string `json:"content"`
				}
				_ = json.Unmarshal([]byte(value), &delta)
				s.text += delta.Content
			case "error":
				failed = true
			case "end":
				if failed {
					return ended
				}
				s.complete = true
				return cursor
			}
		}
	}
	return cursor
}

// send sends a request to the server that pick chooses. Whatever is not an answer is an error.
func (d *driver) send(method string, pick int, path string, body []byte, cursor string) (*http.Response, error) {
	r, err := http.NewRequest(method, d.cluster.url(pick)+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+d.key)
	r.Header.Set("Content-Type", "application/json")
	if cursor != "" {
		r.Header.Set("Last-Event-ID", cursor)
	}
	res, err := d.cluster.http.Do(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		d.mu.Lock()
		if d.bad == nil {
			d.bad = map[int]int{}
		}
		d.bad[res.StatusCode]++
		if res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") == "" {
			d.untold++
		}
		d.mu.Unlock()
		return nil, fmt.Errorf("status %d", res.StatusCode)
	}
	return res, nil
}
