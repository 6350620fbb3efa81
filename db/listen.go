package db

import (
	"context"
	"time"

	"github.com/lib/pq"
)

const (
	listenRetryMin = 100 * time.Millisecond
	listenRetryMax = 5 * time.Second
	// listenPing is how often a listener makes sure of its connection: one that
	// was cut without a word would stay silent for ever.
	listenPing = 10 * time.Second
)

// Listen hears a channel on a connection of its own, which dsn must lead to
// without a pooler in between, until ctx ends. It calls hear for each payload,
// and lost whenever notifications may have been missed: while the connection is
// away and after it came back. Notifications are hints; what they hint at is in the tables.
func Listen(ctx context.Context, dsn, channel string, hear func(payload string), lost func(connected bool)) {
	l := pq.NewListener(dsn, listenRetryMin, listenRetryMax, func(event pq.ListenerEventType, _ error) {
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
	_, err := d.pool.ExecContext(ctx, `select set_config('synchronous_commit', 'off', true), pg_notify($1, $2)`, channel, payload)
	return translateIn(ctx, err)
}
