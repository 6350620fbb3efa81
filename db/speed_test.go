package db_test

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"parley/db/dbtest"
)

// BenchmarkStatements tells what a statement costs this side of the wire: the
// figure client-µs is processor time, which a busy machine does not stretch as it does the rate.
func BenchmarkStatements(b *testing.B) {
	_, dsn := dbtest.Own(b)
	d, raw := dbtest.Open(b, dsn, 8), rawConn(b, dsn)
	n := newTenant(b, d)
	const many, each = 100, 100
	for _, insert := range []string{
		`insert into conversations (account_id, conversation_id, surface, app_id, title, system_prompt, last_seq, created_at, last_message_at)
			select $1, c::text, 'webchat', 'app', '', '', 100, now(), now() from generate_series(1, $2::int) c where $3::int > 0`,
		`insert into messages (account_id, conversation_id, seq, message_id, role, content, created_at)
			select $1, c::text, s, 'msg_' || c || '_' || s, 'user', repeat('words ', 66), now() from generate_series(1, $2::int) c, generate_series(1, $3::int) s`,
	} {
		if _, err := raw.Exec(insert, n.account, many, each); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := raw.Exec(`vacuum analyze`); err != nil {
		b.Fatal(err)
	}
	var made atomic.Int64
	for _, statement := range []struct {
		name string
		call func(ctx context.Context, i int64) error
	}{
		{"by key", func(ctx context.Context, i int64) error {
			_, err := d.Conversation(ctx, n.account, surface, strconv.FormatInt(1+i%many, 10))
			return err
		}},
		{"page of 20", func(ctx context.Context, i int64) error {
			_, err := d.Messages(ctx, n.account, strconv.FormatInt(1+i%many, 10), i%80, 20)
			return err
		}},
		{"write", func(ctx context.Context, i int64) error {
			c := n.conversationRow(fmt.Sprintf("made-%d", i))
			c.AccountID = n.account
			return d.InsertConversation(ctx, *c)
		}},
	} {
		b.Run(statement.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(4)
			before := processorTime(b)
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					ctx, cancel := context.WithCancel(context.Background()) // a request's
					if err := statement.call(ctx, made.Add(1)); err != nil {
						b.Error(err)
					}
					cancel()
				}
			})
			b.ReportMetric((processorTime(b)-before)/float64(b.N), "client-µs/op")
		})
	}
}

// processorTime is what this process has used, in microseconds.
func processorTime(t testing.TB) float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e3
}
