package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// stream is one streamed answer as it came.
type stream struct {
	sent   time.Time
	first  time.Duration // until the first piece of text
	gaps   []time.Duration
	behind []time.Duration // after the times stamped on pieces
	chunks int
	text   strings.Builder
	right  bool
}

// errHeld ends a stream that was held open on purpose.
var errHeld = errors.New("held")

var content = []byte(`"content":"`)

// read reads events to the end. All surfaces name a piece of text "content".
func (s *stream) read(d *driver, body io.Reader) error {
	size := 4096
	if d.Hold {
		size = 256
	}
	lines := bufio.NewReaderSize(body, size)
	var previous time.Time
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			s.right = d.Text == "" || s.text.String() == d.Text
			return nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		_, rest, found := bytes.Cut(line, content)
		end := bytes.IndexByte(rest, '"')
		if !found || end <= 0 {
			continue
		}
		s.piece(rest[:end], &previous)
		if d.Hold {
			d.opened()
			<-d.hold
			s.right = true
			return errHeld
		}
	}
}

func (s *stream) piece(text []byte, previous *time.Time) {
	now := time.Now()
	if s.chunks++; s.chunks == 1 {
		s.first = now.Sub(s.sent)
	} else {
		s.gaps = append(s.gaps, now.Sub(*previous))
	}
	*previous = now
	if text[0] == 't' {
		if nanos, err := strconv.ParseInt(strings.TrimSpace(string(text[1:])), 10, 64); err == nil {
			s.behind = append(s.behind, now.Sub(time.Unix(0, nanos)))
		}
	}
	s.text.Write(text)
}

// follow reads a turn's stream from the other server, when the load says so.
func (c *client) follow(turnID string) {
	if c.Follow == "" || turnID == "" {
		return
	}
	c.mu.Lock()
	c.Follows--
	wanted := c.Follows >= 0
	c.mu.Unlock()
	if !wanted {
		return
	}
	c.followers.Go(func() {
		if err := c.readAbroad(turnID); err != nil {
			c.broken(fmt.Errorf("follow: %w", err))
		}
	})
}

func (c *client) readAbroad(turnID string) error {
	conn, err := dial(c.Follow)
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /api/v1/turns/%s/events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n", turnID, c.key)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	s := stream{sent: time.Now()}
	if err := s.read(c.driver, response.Body); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.samples.abroad = append(c.samples.abroad, s.behind...)
	return nil
}

// samples are the times of a run.
type samples struct{ latency, first, gap, behind, abroad []time.Duration }

// spread sums up times in milliseconds.
type spread struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

func (s *samples) into(r *result) {
	r.Latency, r.FirstPiece, r.Gap = spreadOf(s.latency), spreadOf(s.first), spreadOf(s.gap)
	r.Behind, r.Abroad = spreadOf(s.behind), spreadOf(s.abroad)
}

func spreadOf(times []time.Duration) spread {
	if len(times) == 0 {
		return spread{}
	}
	slices.Sort(times)
	at := func(share float64) float64 {
		return float64(times[min(len(times)-1, int(share*float64(len(times))))].Microseconds()) / 1000
	}
	return spread{Count: len(times), P50: at(0.5), P99: at(0.99), Max: at(1)}
}
