package dbtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lib/pq"
)

// Proxy stands between a pool and Postgres. It counts what crosses the wire and
// breaks the connection on demand. It is safe for concurrent use.
type Proxy struct {
	DSN string // leads through the proxy

	network, address string // of the server
	listener         net.Listener

	mu      sync.Mutex
	links   map[*link]struct{}
	away    bool
	silent  bool
	traffic Traffic
	losing  string        // the reply to a statement with this text is dropped
	cutting bool          // and all connections with it
	lost    chan struct{} // closed when it was

	troubles []string // why the proxy hung up, though nobody told it to
}

// Traffic is what clients sent.
type Traffic struct {
	Parses     int      // statements planned anew
	RoundTrips int      // times that a client waited for an answer
	Executed   []string // the statements, in order
	Refused    int      // connections that a Cut turned away
}

// NewProxy starts a proxy to the server and database of dsn; it ends with the test.
func NewProxy(t testing.TB, dsn string) *Proxy {
	t.Helper()
	cfg, err := pq.NewConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{DSN: through(dsn, l.Addr().(*net.TCPAddr).Port), listener: l, links: map[*link]struct{}{}}
	p.network, p.address = "tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port)))
	if filepath.IsAbs(cfg.Host) {
		p.network, p.address = "unix", fmt.Sprintf("%s/.s.PGSQL.%d", cfg.Host, cfg.Port)
	}
	go p.serve()
	t.Cleanup(func() {
		_ = l.Close()
		p.Cut()
		if t.Failed() {
			p.tellTroubles(t)
		}
	})
	return p
}

func through(dsn string, port int) string {
	if u, err := url.Parse(dsn); err == nil && u.Scheme != "" {
		u.Host = fmt.Sprintf("127.0.0.1:%d", port)
		return u.String()
	}
	return fmt.Sprintf("%s host=127.0.0.1 port=%d", dsn, port)
}

// Cut ends all connections and refuses new ones until Restore.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = true
	for l := range p.links {
		l.close()
	}
}

// Restore ends a Cut.
func (p *Proxy) Restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = false
}

// Swallow makes everything that is sent disappear, in both directions, without
// a word: on the connections that there are, for ever, and on new ones until Heal.
func (p *Proxy) Swallow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = true
	for l := range p.links {
		l.silent.Store(true)
	}
}

// Heal ends a Swallow for connections that are made from now on.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = false
}

// LoseReply lets the server carry out the next statement that contains text,
// then closes the connection instead of delivering the reply. The channel is
// closed when that has happened.
func (p *Proxy) LoseReply(text string) <-chan struct{} { return p.lose(text, false) }

// CutAfter is LoseReply with a Cut in the same moment.
func (p *Proxy) CutAfter(text string) <-chan struct{} { return p.lose(text, true) }

func (p *Proxy) lose(text string, cut bool) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.losing, p.cutting, p.lost = text, cut, make(chan struct{})
	return p.lost
}

// loseReply does what lose announced.
func (p *Proxy) loseReply(l *link) {
	p.mu.Lock()
	cut := p.cutting
	p.away = p.away || cut
	p.mu.Unlock()
	if cut {
		p.Cut()
	}
	l.close()
	close(l.losing)
}

// Traffic returns what was sent since the last call.
func (p *Proxy) Traffic() Traffic {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.traffic
	p.traffic = Traffic{}
	return t
}

func (p *Proxy) noteTrouble(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.troubles = append(p.troubles, fmt.Sprintf(format, args...))
}

// tellTroubles tells a test that failed what its pool could only see as a connection that ended.
func (p *Proxy) tellTroubles(t testing.TB) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, what := range p.troubles {
		t.Log("proxy to Postgres: " + what)
	}
}

func (p *Proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial(p.network, p.address)
		if err != nil {
			p.noteTrouble("the server cannot be reached: %v", err)
			_ = client.Close()
			continue
		}
		l := &link{proxy: p, client: client, server: server, statements: map[string]string{}}
		p.mu.Lock()
		if p.away {
			l.close()
			p.traffic.Refused++
		} else {
			p.links[l] = struct{}{}
			l.silent.Store(p.silent)
			go l.fromClient()
			go l.fromServer()
		}
		p.mu.Unlock()
	}
}

// link is one proxied connection.
type link struct {
	proxy          *Proxy
	client, server net.Conn
	statements     map[string]string // text by name; of fromClient alone
	losing         chan struct{}     // under proxy.mu; set while the reply under way is to be lost
	silent         atomic.Bool       // what is sent disappears
	cancels        atomic.Bool       // it is there to cancel a statement of another, which is done without a word
}

func (l *link) close() {
	_ = l.client.Close()
	_ = l.server.Close()
}

func (l *link) end() {
	l.close()
	l.proxy.mu.Lock()
	delete(l.proxy.links, l)
	l.proxy.mu.Unlock()
}

func (l *link) fromClient() {
	defer l.end()
	startup, err := readMessage(l.client, 0)
	if err != nil {
		return
	}
	const cancelRequest = 1234<<16 | 5678
	l.cancels.Store(len(startup) >= 8 && binary.BigEndian.Uint32(startup[4:]) == cancelRequest)
	if !l.forward(l.server, startup) {
		return
	}
	for {
		m, err := readMessage(l.client, 1)
		if err != nil {
			return
		}
		l.note(m[0], m[5:])
		if !l.forward(l.server, m) {
			return
		}
	}
}

// note counts a client's message, after the chapter "Message Formats" of Postgres's manual.
func (l *link) note(kind byte, body []byte) {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	t := &l.proxy.traffic
	switch kind {
	case 'P': // Parse: name, text
		name, rest := cString(body)
		l.statements[name], _ = cString(rest)
		t.Parses++
	case 'B': // Bind: portal, name
		_, rest := cString(body)
		name, _ := cString(rest)
		l.execute(l.statements[name])
	case 'Q': // Query: text
		text, _ := cString(body)
		l.execute(text)
		t.RoundTrips++
	case 'S': // Sync
		t.RoundTrips++
	}
}

// execute notes a statement about to run; proxy.mu is held.
func (l *link) execute(text string) {
	p := l.proxy
	p.traffic.Executed = append(p.traffic.Executed, text)
	if p.losing != "" && strings.Contains(text, p.losing) {
		p.losing, l.losing = "", p.lost
	}
}

func (l *link) fromServer() {
	defer l.end()
	for first := true; ; first = false {
		m, err := readMessage(l.server, 1)
		if first && err != nil && !errors.Is(err, net.ErrClosed) && !l.cancels.Load() { // closed: this side has hung up
			l.proxy.noteTrouble("the server ended a connection before its first word: %v", err)
		}
		if err != nil {
			return
		}
		l.proxy.mu.Lock()
		losing := l.losing
		l.proxy.mu.Unlock()
		const readyForQuery = 'Z' // sent after the commit
		switch {
		case losing == nil:
			if !l.forward(l.client, m) {
				return
			}
		case m[0] == readyForQuery:
			l.proxy.loseReply(l)
			return
		}
	}
}

// sizedMax bounds what an error takes that begins with its size. Postgres tells in bare words, up to the connection's
// end, that it could not make a process for the connection: then what stands for the size is text.
const sizedMax = 30_000

// readMessage reads a message whole: skip bytes of type, four of length, the rest.
func readMessage(r io.Reader, skip int) ([]byte, error) {
	head := make([]byte, skip+4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint32(head[skip:]))
	if skip == 1 && head[0] == 'E' && size > sizedMax {
		words, err := io.ReadAll(r)
		return append(head, words...), err
	}
	m := make([]byte, skip+size)
	copy(m, head)
	_, err := io.ReadFull(r, m[len(head):])
	return m, err
}

func (l *link) forward(w io.Writer, m []byte) bool {
	if l.silent.Load() {
		return true
	}
	_, err := w.Write(m)
	return err == nil
}

// cString splits a text that ends with a zero byte from what follows.
func cString(b []byte) (string, []byte) {
	text, rest, _ := bytes.Cut(b, []byte{0})
	return string(text), rest
}
