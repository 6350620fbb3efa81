package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/db/dbtest"
)

// Streams are cut at random places and resumed elsewhere, up to five times
// each. The parts together are to the byte what a reader gets that was never
// cut, on any server and after a restart; with and without notifications.
func TestResumedStreamsAreTheSame(t *testing.T) {
	for name, silent := range map[string]bool{"with notifications": false, "with all notifications lost": true} {
		t.Run(name, func(t *testing.T) {
			s, streams := seed(t), 40
			if long() {
				streams = 2_000
			}
			var way *dbtest.Proxy
			c := newClusterWith(t, 2, newUpstream(t, 8*time.Millisecond), func(dsn string) []string {
				way = dbtest.NewProxy(t, dsn)
				return []string{"DATABASE_DIRECT_URL=" + way.DSN}
			})
			a := c.account("unlimited", 1_000_000_000)
			if silent {
				way.Cut() // what servers hear of each other goes that way
			}
			d := &driver{cluster: c, key: a.Key}
			var cuts atomic.Int64
			var all sync.WaitGroup
			parts := make([]stitched, streams)
			for worker := range 8 {
				all.Go(func() {
					r := rand.New(rand.NewPCG(s, uint64(worker)))
					for i := worker; i < streams; i += 8 {
						parts[i] = d.stitch(t, r, d.next(), &cuts)
					}
				})
			}
			all.Wait()
			d.sameEverywhere(t, parts)
			way.Restore()
			c.kill(0)
			c.start(0)
			d.sameEverywhere(t, parts)
			t.Logf("%d streams, %d cuts, all resumed to the same bytes", streams, cuts.Load())
		})
	}
}

// stitched is a stream put together from its parts.
type stitched struct {
	turn string
	body []byte
}

func (d *driver) sameEverywhere(t *testing.T, parts []stitched) {
	t.Helper()
	for _, p := range parts {
		for i := range d.cluster.servers {
			whole, _, err := d.part(i, p.turn, nil, "", everything)
			if err != nil || !bytes.Equal(whole, p.body) {
				t.Errorf("turn %s on server %d: %v\n%s\nbut its parts are\n%s", p.turn, i, err, whole, p.body)
				return
			}
		}
	}
}

// stitch asks question n and follows the answer through cuts.
func (d *driver) stitch(t *testing.T, r *rand.Rand, n int, cuts *atomic.Int64) stitched {
	body, _ := json.Marshal(map[string]any{"message": fmt.Sprintf("question %d", n), "stream": true})
	var s stitched
	cursor, left := "", r.IntN(6)
	for server := r.IntN(2); ; server++ {
		cut := everything
		if left > 0 {
			cut = 1 + r.IntN(400)
		}
		got, seen, err := d.part(server, s.turn, body, cursor, cut)
		if err != nil {
			t.Errorf("question %d, after %q: %v", n, cursor, err)
			return s
		}
		s.turn, s.body = seen.turn, append(s.body, got...)
		if seen.last != "" {
			cursor = seen.last
		}
		if seen.whole {
			return s
		}
		cuts.Add(1)
		left--
	}
}

// seen is what a part of a stream told.
type seen struct {
	turn, last string
	whole      bool // it came to its end
}

var idLine = regexp.MustCompile(`(?m)^id: (\d+)$`)

// part reads a stream, of a new question or of a turn beyond a cursor, and
// leaves it after so many bytes. What follows the last id does not count: the
// next part begins there.
func (d *driver) part(server int, turnID string, question []byte, cursor string, cut int) ([]byte, seen, error) {
	method, path := http.MethodGet, "/api/v1/turns/"+turnID+"/events"
	if turnID == "" {
		method, path = http.MethodPost, "/api/v1/chat"
	} else {
		question = nil
	}
	res, err := d.send(method, server, path, question, cursor)
	if err != nil {
		return nil, seen{}, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, int64(cut)))
	if err != nil {
		return nil, seen{}, err
	}
	out := seen{turn: res.Header.Get("Parley-Turn"), whole: bytes.Contains(raw, []byte("event: end\n")) && bytes.HasSuffix(raw, []byte("\n\n"))}
	raw, out.last = kept(raw)
	return raw, out, nil
}

// kept is a part of a stream up to its last id that came whole, without heartbeats, and that id.
func kept(raw []byte) (part []byte, last string) {
	raw = bytes.ReplaceAll(raw, []byte(":\n\n"), nil)
	end := 0
	for _, at := range idLine.FindAllSubmatchIndex(raw, -1) {
		if bytes.HasPrefix(raw[at[1]:], []byte("\n\n")) {
			end, last = at[1]+2, string(raw[at[2]:at[3]])
		}
	}
	return raw[:end], last
}
