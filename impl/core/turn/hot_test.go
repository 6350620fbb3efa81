package turn_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"parley/db/dbtest"
	"parley/impl/core/provider"
	"parley/impl/core/provider/providertest"
)

// BenchmarkHotAccount is whole turns by 64 callers at once, all of one account
// or each of its own: what sharing one balance costs.
func BenchmarkHotAccount(b *testing.B) {
	script := providertest.Text("Hello", " there", ", how", " are you?")
	script.Usage = &provider.Usage{InputTokens: 10, OutputTokens: 8}
	shared := setup(b, providertest.NewScripted(script))
	const callers = 64
	for _, connections := range []int{16, 64} {
		d := dbtest.Open(b, shared.dsn, connections)
		engine := shared.newEngine(b, d)
		for _, accounts := range []int{1, callers} {
			bundles := make([]*bundle, accounts)
			for i := range bundles {
				bundles[i] = shared.withAccount(b, 1<<50)
				bundles[i].engine = engine
			}
			b.Run(fmt.Sprintf("connections=%d/accounts=%d", connections, accounts), func(b *testing.B) {
				var left atomic.Int64
				left.Store(int64(b.N))
				var workers sync.WaitGroup
				for i := range callers {
					workers.Go(func() {
						own := bundles[i%accounts]
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
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "turns/s")
			})
		}
	}
}
