package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lib/pq"
)

// wire stands between a server and Postgres and notes each statement with its
// text and time. It costs time of its own, so what it watches is not compared
// for speed.
type wire struct {
	dsn              string // leads through it
	network, address string
	listener         net.Listener

	mu         sync.Mutex
	parses     int
	statements []executed
}

// executed is one statement that crossed the wire.
type executed struct {
	sql  string
	took time.Duration
}

// writing matches statements that change something, and so end in a commit of their own.
var writing = regexp.MustCompile(`(?i)(^|\()\s*(insert into|update \w|delete from)`)

// traffic is what crossed the wire within a while.
type traffic struct {
	parses     int
	statements []executed
}

// writes counts the statements that end in a commit, and those of them whose
// commits wait for the disk; those of transactions would count once each.
func (t traffic) writes() (all, waiting int) {
	for _, s := range t.statements {
		if writing.MatchString(s.sql) {
			all++
			if !strings.Contains(s.sql, "'synchronous_commit', 'off'") {
				waiting++
			}
		}
	}
	return all, waiting
}

// times are those of the statements that match, in order of time.
func (t traffic) times(like *regexp.Regexp) []time.Duration {
	var found []time.Duration
	for _, s := range t.statements {
		if like.MatchString(s.sql) {
			found = append(found, s.took)
		}
	}
	slices.Sort(found)
	return found
}

func newWire(dsn string) (*wire, error) {
	cfg, err := pq.NewConfig(dsn)
	if err != nil {
		return nil, err
	}
	l, err := listen()
	if err != nil {
		return nil, err
	}
	w := &wire{listener: l, network: "tcp", address: net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port)))}
	if filepath.IsAbs(cfg.Host) {
		w.network, w.address = "unix", fmt.Sprintf("%s/.s.PGSQL.%d", cfg.Host, cfg.Port)
	}
	w.dsn = (&url.URL{Scheme: "postgres", User: url.User(cfg.User), Host: l.Addr().String(), Path: cfg.Database, RawQuery: "sslmode=disable"}).String()
	go w.serve()
	return w, nil
}

func (w *wire) close() error { return w.listener.Close() }

// take returns what was noted since the last call.
func (w *wire) take() traffic {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := traffic{parses: w.parses, statements: w.statements}
	w.parses, w.statements = 0, nil
	return t
}

func (w *wire) serve() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		server, err := (&net.Dialer{}).DialContext(context.Background(), w.network, w.address)
		if err != nil {
			_ = client.Close()
			continue
		}
		l := &link{wire: w, client: client, server: server, texts: map[string]string{}, asked: make(chan pending, 1024)}
		go l.fromClient()
		go l.fromServer()
	}
}

// pending is a statement that waits for the server to be ready again.
type pending struct {
	sql string
	at  time.Time
}

type link struct {
	wire           *wire
	client, server net.Conn
	texts          map[string]string // of prepared statements by name
	bound          string
	asked          chan pending // one for each round trip, "" for those that execute nothing
}

func (l *link) close() {
	_ = l.client.Close()
	_ = l.server.Close()
}

func (l *link) fromClient() {
	defer l.close()
	if startup, err := message(l.client, 0); err != nil || !sent(l.server, startup) {
		return
	}
	l.asked <- pending{}
	for {
		m, err := message(l.client, 1)
		if err != nil {
			return
		}
		l.note(m[0], m[5:])
		if !sent(l.server, m) {
			return
		}
	}
}

// note follows the chapter "Message Formats" of Postgres's manual.
func (l *link) note(kind byte, body []byte) {
	switch kind {
	case 'P': // Parse: name, text
		name, rest := zeroEnded(body)
		l.texts[name], _ = zeroEnded(rest)
		l.wire.mu.Lock()
		l.wire.parses++
		l.wire.mu.Unlock()
	case 'B': // Bind: portal, name
		_, rest := zeroEnded(body)
		name, _ := zeroEnded(rest)
		l.bound = l.texts[name]
	case 'Q': // Query: text
		text, _ := zeroEnded(body)
		l.asked <- pending{text, time.Now()}
	case 'S': // Sync
		l.asked <- pending{l.bound, time.Now()}
		l.bound = ""
	}
}

func (l *link) fromServer() {
	defer l.close()
	for {
		m, err := message(l.server, 1)
		if err != nil {
			return
		}
		if m[0] == 'Z' { // ReadyForQuery
			if q := <-l.asked; q.sql != "" {
				l.wire.mu.Lock()
				l.wire.statements = append(l.wire.statements, executed{q.sql, time.Since(q.at)})
				l.wire.mu.Unlock()
			}
		}
		if !sent(l.client, m) {
			return
		}
	}
}

// message reads one whole: skip bytes of type, four of length, the rest.
func message(r io.Reader, skip int) ([]byte, error) {
	start := make([]byte, skip+4)
	if _, err := io.ReadFull(r, start); err != nil {
		return nil, err
	}
	m := make([]byte, skip+int(binary.BigEndian.Uint32(start[skip:])))
	copy(m, start)
	_, err := io.ReadFull(r, m[len(start):])
	return m, err
}

func sent(w io.Writer, m []byte) bool {
	_, err := w.Write(m)
	return err == nil
}

func zeroEnded(b []byte) (string, []byte) {
	text, rest, _ := bytes.Cut(b, []byte{0})
	return string(text), rest
}
