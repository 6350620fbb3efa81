package db

import (
	"context"
	"net"
	"time"

	"github.com/lib/pq"
)

const (
	listenRetryMin = 100 * time.Millisecond
	listenRetryMax = 5 * time.Second
	// listenPing is how often a listener makes sure of its connection: one that
	// was cut without a word would stay silent for ever.
	listenPing = 5 * time.Second
	// listenSilence is after how long without an answer to that it is cut.
	listenSilence = 12 * time.Second
)

// Listen hears a channel on a connection of its own, which dsn must lead to
// without a pooler in between, until ctx ends. It calls hear for each payload,
// and lost whenever notifications may have been missed: while the connection is
// away and after it came back. Notifications are hints; what they hint at is in the tables.
func Listen(ctx context.Context, dsn, channel string, hear func(payload string), lost func(connected bool)) {
	l := pq.NewDialListener(listenDialer{}, dsn, listenRetryMin, listenRetryMax, func(event pq.ListenerEventType, _ error) {
		lost(event == pq.ListenerEventConnected || event == pq.ListenerEventReconnected)
	})
	stopped := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stopped()
	if l.Listen(channel) != nil { // waits for the connection; fails when closed
		return
	}
	ping := time.NewTicker(listenPing)
	defer ping.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case n, open := <-l.Notify:
			switch {
			case !open:
				return
			case n == nil:
				lost(true)
			default:
				hear(n.Extra)
			}
		case <-ping.C:
			go func() { _ = l.Ping() }() // a failure makes the listener connect again
		}
	}
}

// Notify sends payload, at most 8000 bytes, to all who listen to the channel.
// It is a statement of its own: within a writing transaction it would make commits wait for each other.
// Nor does it wait for the disk: there is nothing in it to keep.
func (d *DB) Notify(ctx context.Context, channel, payload string) error {
	ctx, cancel := limited(ctx, statementMax)
	defer cancel()
	_, err := d.pool.ExecContext(ctx, `select set_config('synchronous_commit', 'off', true), pg_notify($1, $2)`, channel, payload)
	return translateIn(ctx, err)
}

// listenDialer opens connections that fail when they stay silent.
type listenDialer struct{}

// Dial opens one.
func (listenDialer) Dial(network, address string) (net.Conn, error) {
	return listenDialer{}.DialTimeout(network, address, connectTimeout)
}

// DialTimeout opens one.
func (listenDialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	conn, err := dialTCP(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return listening{conn}, nil
}

// listening is a connection that hears something every listenPing.
type listening struct{ net.Conn }

// Read waits no longer than listenSilence.
func (l listening) Read(p []byte) (int, error) {
	if err := l.SetReadDeadline(time.Now().Add(listenSilence)); err != nil {
		return 0, err
	}
	return l.Conn.Read(p)
}
