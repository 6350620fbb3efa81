package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
)

const (
	// connectTimeout bounds the making of a connection.
	connectTimeout = 5 * time.Second
	// cancelTimeout is how long Postgres may take to take note that a statement is
	// cancelled; the driver would wait for that as long as the connection lives.
	cancelTimeout = time.Second
	// probeEvery is how often a database that went silent is tried again.
	probeEvery = 100 * time.Millisecond
	// probeTimeout bounds one try.
	probeTimeout = time.Second
	// unackedMax is how long the kernel waits for the other side to take what was sent.
	unackedMax = 8 * time.Second
)

// connector makes the pool's connections and ends those that fell silent.
//
// The driver cancels a statement whose time is over by a second connection and
// then waits for the first to answer, for ever when the network swallows what
// is sent. So a connection that does not answer within cancelTimeout is cut,
// and the database tried by a fresh one. When that is silent, too, everything
// goes: idle connections, those that wait for an answer, and attempts to
// connect, which fail at once until the database is found back. So callers are
// told within their time limits, and no connection from before the silence
// takes up the pool's room after it.
type connector struct {
	cfg    pq.Config
	closed chan struct{}

	mu    sync.Mutex
	links map[*link]struct{}
	away  bool
}

// errSilent says that the database does not answer.
var errSilent = &net.OpError{Op: "dial", Net: "postgres", Err: errors.New("the database does not answer")}

func newConnector(dsn string) (*connector, error) {
	cfg, err := pq.NewConfig(dsn)
	if err != nil {
		return nil, err
	}
	return &connector{cfg: cfg, closed: make(chan struct{}), links: map[*link]struct{}{}}, nil
}

// Driver is what the standard library asks for.
func (c *connector) Driver() driver.Driver { return &pq.Driver{} }

// Close ends what looks for a silent database; the pool ends the connections.
func (c *connector) Close() error {
	close(c.closed)
	return nil
}

// Connect makes a connection, unless the database is known to be silent.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if c.silent() {
		return nil, errSilent
	}
	return c.connect(ctx, connectTimeout)
}

func (c *connector) connect(ctx context.Context, within time.Duration) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	p, err := pq.NewConnectorConfig(c.cfg)
	if err != nil {
		return nil, err
	}
	d := &dialer{connector: c}
	p.Dialer(d)
	stop := context.AfterFunc(ctx, d.cut) // the driver does not watch ctx during the handshake
	conn, err := p.Connect(ctx)
	if !stop() && err == nil {
		_ = conn.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		d.cut()
		return nil, unconnected(err)
	}
	d.connected()
	return conn, nil
}

// unconnected makes whatever keeps a connection from being made an error of the
// network, also the bare words of a Postgres that cannot make a process for it.
func unconnected(err error) error {
	var refused *pq.Error // tells by its code what it is
	if errors.As(err, &refused) || unavailable(err) || errors.Is(err, context.Canceled) {
		return err
	}
	return &net.OpError{Op: "connect", Net: "postgres", Err: err}
}

func (c *connector) silent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.away
}

// suspect finds out whether the database is silent, or only one connection was.
func (c *connector) suspect() {
	if c.silent() || c.probe() {
		return
	}
	c.mu.Lock()
	first := !c.away
	c.away = true
	c.cutLinks(func(l *link) bool { return l.waited() == 0 || l.waited() >= cancelTimeout })
	c.mu.Unlock()
	if first {
		go c.find()
	}
}

// probe tells whether the database answers a new connection.
func (c *connector) probe() bool {
	conn, err := c.connect(context.Background(), probeTimeout)
	if err != nil {
		var refused *pq.Error // an answer, if not a welcome
		return errors.As(err, &refused)
	}
	_ = conn.Close()
	return true
}

// find looks for the database until it answers. Tries overlap: what the network
// swallowed is not sent again in time.
func (c *connector) find() {
	found, since := make(chan struct{}, 1), time.Now()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-c.closed:
			return
		case <-tick.C:
			go func() {
				if c.probe() {
					select {
					case found <- struct{}{}:
					default: // another try was first
					}
				}
			}()
		case <-found:
			c.mu.Lock()
			defer c.mu.Unlock()
			c.away = false
			c.cutLinks(func(l *link) bool { return l.waited() >= time.Since(since) })
			return
		}
	}
}

// cutLinks needs c.mu.
func (c *connector) cutLinks(which func(*link) bool) {
	for l := range c.links {
		if which(l) {
			l.cut()
		}
	}
}

// dialer opens one connection, and those by which the driver cancels its statements.
type dialer struct {
	connector *connector

	mu   sync.Mutex
	link *link
	up   bool // the connection is made: further ones are to cancel
	over bool
}

// Dial is for drivers without contexts.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialTimeout is for drivers without contexts.
func (d *dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

// DialContext opens the connection. Once it is made, the driver dials for one
// reason: the time of the statement under way is over.
func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	l, up := d.link, d.up
	d.mu.Unlock()
	if up {
		return l.cancelBy(ctx, network, address)
	}
	conn, err := dialTCP(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return d.made(conn), nil
}

func (d *dialer) made(conn net.Conn) *link {
	l := &link{Conn: conn, connector: d.connector}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.link = l
	if d.over {
		l.cut()
	}
	return l
}

// connected notes that the connection is of use.
func (d *dialer) connected() {
	d.mu.Lock()
	d.up = true
	l := d.link
	d.mu.Unlock()
	d.connector.mu.Lock()
	d.connector.links[l] = struct{}{}
	d.connector.mu.Unlock()
}

func (d *dialer) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	if d.link != nil {
		d.link.cut()
	}
}

func dialTCP(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3},
		Control:         limitUnacked,
	}
	return d.DialContext(ctx, network, address)
}

// link is a connection that knows how long it has been waiting for the other side.
type link struct {
	net.Conn
	connector *connector
	since     atomic.Int64 // when the read or write under way began, in Unix nanoseconds; 0: none is
}

// Read reads what has come.
func (l *link) Read(p []byte) (int, error) {
	l.since.Store(time.Now().UnixNano())
	defer l.since.Store(0)
	return l.Conn.Read(p)
}

// Write sends.
func (l *link) Write(p []byte) (int, error) {
	l.since.Store(time.Now().UnixNano())
	defer l.since.Store(0)
	return l.Conn.Write(p)
}

// Close ends the connection.
func (l *link) Close() error {
	l.connector.mu.Lock()
	delete(l.connector.links, l)
	l.connector.mu.Unlock()
	return l.Conn.Close()
}

// waited is for how long the other side has been silent; 0 when nothing is expected of it.
func (l *link) waited() time.Duration {
	since := l.since.Load()
	if since == 0 {
		return 0
	}
	return max(time.Since(time.Unix(0, since)), 1)
}

// cut makes what waits fail, and whatever is tried next before anything is sent:
// that much the standard library repeats on another connection.
func (l *link) cut() { _ = l.SetDeadline(time.Unix(1, 0)) }

// cancelBy opens a connection for the driver to cancel the statement under way,
// and cuts this one when it does not answer that in time.
func (l *link) cancelBy(ctx context.Context, network, address string) (net.Conn, error) {
	asked := time.Now()
	time.AfterFunc(cancelTimeout, func() {
		if l.waited() >= time.Since(asked) {
			l.cut()
			l.connector.suspect()
		}
	})
	ctx, cancel := context.WithTimeout(ctx, cancelTimeout)
	defer cancel()
	if l.connector.silent() {
		return nil, errSilent
	}
	conn, err := dialTCP(ctx, network, address)
	if err == nil {
		err = conn.SetDeadline(asked.Add(cancelTimeout))
	}
	return conn, err
}
