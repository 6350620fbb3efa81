package turn_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"parley/db/dbtest"
	"parley/impl/core/provider"
	"parley/impl/core/provider/providertest"
)

const callers = 64

// BenchmarkHotAccount compares whole turns by 64 callers at once of one account
// and of 64: what sharing one balance costs. One operation is 512 turns of
// each, in turns, so that what else the machine does hits both alike.
func BenchmarkHotAccount(b *testing.B) {
	script := providertest.Text("Hello", " there", ", how", " are you?")
	script.Usage = &provider.Usage{InputTokens: 10, OutputTokens: 8}
	shared := setup(b, providertest.NewScripted(script))
	for _, connections := range []int{16, 64} {
		d := dbtest.Open(b, shared.dsn, connections)
		engine := shared.newEngine(b, d)
		accounts := make([]*bundle, callers+1)
		for i := range accounts {
			accounts[i] = shared.withAccount(b, 1<<50)
			accounts[i].engine = engine
		}
		b.Run(fmt.Sprintf("connections=%d", connections), func(b *testing.B) {
			const turns = 512
			askTogether(b, accounts[:1], turns) // until the hot account is known as one
			askTogether(b, accounts[1:], turns)
			analyze(b, shared.dsn) // as autovacuum does within a minute: plans made for empty tables are no good
			var one, many time.Duration
			for b.Loop() {
				one += askTogether(b, accounts[:1], turns)
				many += askTogether(b, accounts[1:], turns)
			}
			b.ReportMetric(float64(turns*b.N)/one.Seconds(), "one/s")
			b.ReportMetric(float64(turns*b.N)/many.Seconds(), "many/s")
			b.ReportMetric(many.Seconds()/one.Seconds(), "one/many")
		})
	}
}

// askTogether makes turns by 64 callers at once, spread over the accounts.
func askTogether(b *testing.B, accounts []*bundle, turns int64) time.Duration {
	b.Helper()
	var left atomic.Int64
	left.Store(turns)
	var workers sync.WaitGroup
	start := time.Now()
	for i := range callers {
		workers.Go(func() {
			own := accounts[i%len(accounts)]
			for left.Add(-1) >= 0 {
				live, err := own.engine.Start(context.Background(), own.input("Hi"))
				if err != nil {
					b.Error(err)
					return
				}
				if _, err := live.Wait(context.Background()); err != nil {
					b.Error(err)
				}
			}
		})
	}
	workers.Wait()
	return time.Since(start)
}

func analyze(b *testing.B, dsn string) {
	b.Helper()
	raw, err := sqlx.Connect("postgres", dsn)
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.Exec("analyze"); err != nil {
		b.Fatal(err)
	}
}
